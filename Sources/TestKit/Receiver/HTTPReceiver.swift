import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Files for a receiver that speaks TLS, all PEM.
package struct ReceiverTLS: Sendable {
    package let certFile: String
    package let keyFile: String
    /// Demands client certificates that this authority signed.
    package let clientCAFile: String?

    package init(certFile: String, keyFile: String, clientCAFile: String? = nil) {
        self.certFile = certFile
        self.keyFile = keyFile
        self.clientCAFile = clientCAFile
    }
}

/// What a receiver does with a batch.
package enum ReceiverMode: Hashable, Sendable {
    /// Stores it and echoes log, base and count.
    case accept
    /// Stores it and answers 204 without a body, like a receiver that does not know Covey.
    case acceptSilently
    /// Answers with this status and stores nothing.
    case status(Int)
    /// 429 with this `Retry-After`.
    case tooMany(retryAfter: String)
    /// Answers `status` where a reading of this device is in the batch, accepts others.
    case poison(status: Int, device: String)
    /// Never answers.
    case hang
    /// Stores it and resets the connection.
    case resetAfterCommit
    case redirect(to: String)
    /// 200 with a web page.
    case captivePortal
    /// Stores it and echoes another batch.
    case wrongEcho
}

/// A small HTTP receiver of native batches: stores readings once by key, checks the contract, and fails on demand.
package final class HTTPReceiver: Sendable {
    /// Is given a batch and the headers of its request, names in lower case; says how many of its readings are new.
    package typealias Taker = @Sendable ([ReceivedReading], [String: String]) -> Int

    let store: ReceiverStore
    private let tls: ReceiverTLS?
    private let running = Mutex<(group: MultiThreadedEventLoopGroup, channel: any Channel)?>(nil)

    /// `taker`: is given what arrives, in place of the memory here, and says how many of these readings are new. For runs so long that all
    /// of it would not fit.
    package convenience init(tls: ReceiverTLS? = nil, taker: (@Sendable ([ReceivedReading]) -> Int)? = nil) {
        let witness: Taker? = if let taker { { batch, _ in taker(batch) } } else { nil }
        self.init(tls: tls, witness: witness)
    }

    /// `witness`: a taker that is told besides who brought the batch, as far as the request's headers say it.
    package init(tls: ReceiverTLS? = nil, witness: Taker?) {
        self.tls = tls
        store = ReceiverStore(taker: witness)
    }

    /// Listens; returns the port. May be called again after ``stop()``; what was received stays.
    /// - Parameter port: 0 takes a free one.
    @discardableResult
    package func start(host: String = "127.0.0.1", port: Int = 0) async throws -> Int {
        let context = try tls.map { try NIOSSLContext(configuration: Self.configuration($0)) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let store = store
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ReceiverHandler(store: store))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: host, port: port).get()
            running.withLock { $0 = (group, channel) }
            return channel.localAddress?.port ?? port
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Closes the port and every connection.
    package func stop() async {
        let stopped = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let stopped else { return }
        try? await stopped.channel.close()
        try? await stopped.group.shutdownGracefully()
    }

    /// Holds for requests that arrive from now on.
    package var mode: ReceiverMode {
        get { store.mode }
        set { store.mode = newValue }
    }

    /// How long each answer takes, in milliseconds.
    package var latency: Int64 {
        get { store.latency }
        set { store.latency = newValue }
    }

    package func snapshot() -> ReceiverSnapshot { store.snapshot() }

    /// Distinct readings in the order of their first arrival.
    package func readings() -> [ReceivedReading] { store.readings() }

    /// Returns when `count` distinct readings are here.
    package func waitForReadings(_ count: Int) async {
        await store.wait { $0.readings >= count }
    }

    /// Returns when `count` requests have been read in full, answered or not.
    package func waitForRequests(_ count: Int) async {
        await store.wait { $0.requests >= count }
    }

    private static func configuration(_ tls: ReceiverTLS) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(tls.certFile).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: tls.keyFile, format: .pem)))
        if let authority = tls.clientCAFile {
            configuration.trustRoots = .file(authority)
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }
}
