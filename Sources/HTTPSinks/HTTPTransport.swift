import AsyncHTTPClient
import NIOCore
import NIOPosix
import Synchronization

/// The HTTP client of the process: one thread and one pool of connections, shared by all sinks.
package final class HTTPTransport: Sendable {
    /// One thread: uploads wait for the network, not for the processor, and each further loop costs memory.
    let group: MultiThreadedEventLoopGroup
    private let client: HTTPClient
    private let isStopped = Atomic(false)

    /// How long a connection may take to come about; a slow mobile link needs some seconds.
    static let connectTimeout = TimeAmount.seconds(10)
    /// Silence in the middle of an answer. A sink's own timeout is often shorter.
    static let readTimeout = TimeAmount.seconds(60)

    package init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTimeout, read: Self.readTimeout),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        // The upload machine does the waiting between attempts, and wants to know the reason of each failure.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = .seconds(60)
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Sends a request and returns with the head of the answer.
    func execute(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        guard !isStopped.load(ordering: .acquiring) else { throw HTTPClientError.alreadyShutdown }
        return try await client.execute(request, deadline: .distantFuture)
    }

    /// Cuts off what is under way, closes all connections and ends the thread. Later sends are `unavailable`.
    package func shutdown() async {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // Both throw only where they were called before, or where a request was cut off; neither can be helped at the end.
        try? await client.shutdown()
        try? await group.shutdownGracefully()
    }
}
