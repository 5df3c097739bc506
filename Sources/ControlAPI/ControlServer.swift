import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// HTTP/1.1 with JSON on one endpoint. One event loop thread of its own; nothing that a caller does ends it.
package struct ControlServer: Sendable {
    private let endpoint: ControlEndpoint
    private let version: String
    private let surface: any ControlSurface
    private let limits: ControlLimits

    /// `version` is the program's, for `/v1/version`.
    package init(
        _ endpoint: ControlEndpoint, version: String, surface: any ControlSurface,
        limits: ControlLimits = ControlLimits()
    ) {
        self.endpoint = endpoint
        self.version = version
        self.surface = surface
        self.limits = limits
    }

    /// Listens until the task is cancelled, then returns, within a second even with streams open. `ready` is told the
    /// endpoint once callers are served, with the port that was picked. Throws ``ListenError`` where it cannot listen.
    package func run(ready: @Sendable (ControlEndpoint) async -> Void = { _ in }) async throws {
        guard endpoint.isLocal else {
            throw ListenError(
                .notLoopback,
                "\(endpoint) is not a loopback address, and the interface has no passwords; put a proxy before 127.0.0.1"
            )
        }
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            switch endpoint {
            case .unix(let path):
                let file = try UnixListener(path: path)
                defer { file.unlinkFile() }
                let listener = try await bootstrap(threads).bind(
                    file.descriptor, childChannelInitializer: Connection.configure(limits))
                await ready(endpoint)
                try await accept(listener)
            case .tcp(let host, let port):
                let listener = try await bind(threads, host: host, port: port)
                await ready(.tcp(host: host, port: listener.channel.localAddress?.port ?? port))
                try await accept(listener)
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        // Waits for the thread's end, cancelled or not; all channels are closed by now.
        try? await threads.shutdownGracefully()
        if !Task.isCancelled { try result.get() }
    }

    private func bootstrap(_ threads: MultiThreadedEventLoopGroup) -> ServerBootstrap {
        ServerBootstrap(group: threads)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            .childChannelOption(.autoRead, value: false)
            // Out of descriptors is no reason to stop listening: it waits a second and accepts on.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptBackoffHandler(shouldForwardIOErrorCaught: false))
                }
            }
    }

    private func bind(
        _ threads: MultiThreadedEventLoopGroup, host: String, port: Int
    ) async throws -> NIOAsyncChannel<any Channel, Never> {
        do {
            return try await bootstrap(threads).bind(
                host: host, port: port, childChannelInitializer: Connection.configure(limits))
        } catch let error as IOError {
            let isTaken = error.errnoCode == EADDRINUSE
            throw ListenError(
                isTaken ? .inUse : .system,
                isTaken ? "\(endpoint): somebody listens there already" : "\(endpoint): \(error)")
        }
    }

    private func accept(_ listener: NIOAsyncChannel<any Channel, Never>) async throws {
        let gate = CallGate(limits: limits)
        let open = OpenConnections()
        try await listener.executeThenClose { arrivals in
            try await withThrowingDiscardingTaskGroup { group in
                for try await channel in arrivals {
                    let isWelcome = open.enter(limit: limits.connections)
                    let connection = Connection(channel, responder: responder(gate, channel))
                    group.addTask {
                        await connection.serve(isWelcome: isWelcome)
                        open.leave()
                    }
                }
            }
        }
        if !Task.isCancelled { throw ListenError(.system, "\(endpoint): the listening socket was closed") }
    }

    private func responder(_ gate: CallGate, _ channel: any Channel) -> Responder {
        var isLocal = false
        if case .unix = endpoint { isLocal = true }
        return Responder(
            channel: channel, surface: surface, version: version, gate: gate, limits: limits, takesOrders: isLocal)
    }
}

private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    /// Whether there is room. Whoever entered leaves, welcome or not.
    func enter(limit: Int) -> Bool {
        count.withLock { count in
            count += 1
            return count <= limit
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}
