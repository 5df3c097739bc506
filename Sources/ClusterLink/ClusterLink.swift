import FoundationEssentials
package import Model
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Why the link cannot run, in words that say what to do.
package struct LinkError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The way to the peers: datagrams on UDP and streams on TCP, both at one port. Datagrams are sealed with the group key, streams are TLS 1.3
/// between gateways that have it. What a stranger sends is counted and passed over; nothing that comes in ends it.
///
/// It carries bytes and decides nothing. What is sent while it does not run is lost, as it may be on any network.
package final class ClusterLink: Sendable {
    package struct Settings: Sendable {
        package var host: String
        /// 0 lets the system pick one for datagrams; streams then have the same.
        package var port: Int
        /// Where peers reach this gateway.
        package var address: PeerAddress
        package var node: NodeID
        /// Never the same for two links: datagrams are numbered from 0, and a number sealed twice under one key gives both away.
        package var start: StartID
        /// By which streams are known; minted ones where there are none.
        package var certificates: CertificateFiles?

        package init(host: String, port: Int, address: PeerAddress, node: NodeID, start: StartID) {
            self.host = host
            self.port = port
            self.address = address
            self.node = node
            self.start = start
        }
    }

    /// Who takes what comes in.
    package struct Receiver: Sendable {
        let datagram: @Sendable ([UInt8], PeerAddress) async -> Void
        let frame: @Sendable ([UInt8], PeerAddress) async -> Void
        let unreachable: @Sendable (PeerAddress) -> Void

        package init(
            datagram: @escaping @Sendable ([UInt8], PeerAddress) async -> Void,
            frame: @escaping @Sendable ([UInt8], PeerAddress) async -> Void,
            unreachable: @escaping @Sendable (PeerAddress) -> Void
        ) {
            self.datagram = datagram
            self.frame = frame
            self.unreachable = unreachable
        }
    }

    /// Genuine datagrams that wait for the gateway; more are lost.
    static let mostWaiting = 512
    /// Streams that peers opened: a few more than gateways may be. Those that have not shown who they are come on top: ``Doorstep``.
    static let mostInbound = 1200 + Doorstep.most

    private let settings: Settings
    private let receiver: Receiver
    private let cipher: DatagramCipher
    private let counters = LinkCounters()
    private let certificates: Mutex<PeerCertificates>
    private let spoken: SpokenKeys
    private let outbound: OutboundStreams
    private let known = InboundStreams()
    private let waiting = Atomic<Int>(0)
    private let inbound = Atomic<Int>(0)
    private let doorstep = Doorstep()

    private struct Running {
        let group: any EventLoopGroup
        let datagrams: any Channel
    }

    private let running = Mutex<Running?>(nil)

    /// Throws where no certificates can be made of the keys.
    package init(_ settings: Settings, keys: KeyRing, receiver: Receiver) throws(LinkError) {
        self.settings = settings
        self.receiver = receiver
        cipher = DatagramCipher(keys, node: settings.node, start: settings.start)
        certificates = Mutex(try Self.certificates(keys, settings.certificates))
        let spoken = SpokenKeys(keys)
        self.spoken = spoken
        let hello = StreamHello(node: settings.node, start: settings.start, address: settings.address)
        outbound = OutboundStreams(hello: hello, counters: counters) { peer in
            spoken.lost(peer)
            receiver.unreachable(peer)
        }
    }

    private static func certificates(
        _ keys: KeyRing, _ files: CertificateFiles?
    ) throws(LinkError) -> PeerCertificates {
        if let files {
            let own = try OwnCertificates(files)
            let wrong = own.findings(files, now: Date()).first { $0.isFault && $0.file == .key }
            if let wrong { throw LinkError("no certificates for the covey: \(wrong.text)") }
            do { return try PeerCertificates(own) } catch {
                throw LinkError("no certificates for the covey: \(files.certificate), \(files.key): \(error)")
            }
        }
        do { return try PeerCertificates(keys) } catch { throw LinkError("no certificates for the covey: \(error)") }
    }

    /// Reads the certificates again, where they are somebody's own. Throws where they cannot be used; those of before stay then.
    ///
    /// - Returns: Whether they are other ones.
    package func renewCertificates() throws(LinkError) -> Bool {
        guard let files = settings.certificates else { return false }
        let made = try Self.certificates(keys, files)
        let isNew = certificates.withLock { before in
            defer { before = made }
            return before.own?.chain != made.own?.chain || before.own?.authorities != made.own?.authorities
        }
        if isNew { outbound.retireAll() }
        return isNew
    }

    /// That this gateway's own certificate is over, or soon will be; `nil` while that is far, and where it is minted.
    package var certificateRemark: String? { certificates.withLock { $0.own }?.validity(now: Date()) }

    /// Other keys from now on. Streams of keys that are known no more end; those that this gateway opened are replaced where it speaks
    /// with another key now.
    package func install(_ keys: KeyRing) throws(LinkError) {
        let made = try Self.certificates(keys, settings.certificates)
        let before = self.keys
        certificates.withLock { $0 = made }
        cipher.install(keys)
        spoken.install(keys)
        if before.primary != keys.primary || !before.keys.allSatisfy({ keys.key($0.id) != nil }) {
            outbound.retireAll()
        }
        known.end(besides: keys)
    }

    /// These understand the first of the keys, whatever they were heard with.
    package func speakFirstKey(to peers: [PeerAddress]) { spoken.take(fluent: peers) }

    /// Peers reach this gateway elsewhere from now on.
    package func move(to address: PeerAddress) {
        outbound.greet(StreamHello(node: settings.node, start: settings.start, address: address))
    }

    /// Why the last stream to `peer` came to nothing; `nil` where it did not, or none was tried.
    package func failure(to peer: PeerAddress) -> String? { outbound.failure(to: peer) }

    package var counts: LinkCounts { counters.all }
    package var keys: KeyRing { cipher.keys }

    // MARK: Sending

    package func send(datagram payload: [UInt8], to peer: PeerAddress) {
        guard let channel = running.withLock({ $0?.datagrams }), channel.isWritable,
            let address = peer.socketAddress(onIPv6: channel.localAddress?.protocol == .inet6)
        else { return counters.add { $0.datagramsUnsent += 1 } }
        for key in spoken.forDatagrams(to: peer) {
            let sealed = cipher.seal(payload, with: key)
            counters.add {
                $0.datagramsSent += 1
                $0.datagramBytesSent += UInt64(sealed.count)
            }
            let envelope = AddressedEnvelope(remoteAddress: address, data: channel.allocator.buffer(bytes: sealed))
            channel.writeAndFlush(envelope, promise: nil)
        }
    }

    package func send(frame: [UInt8], to peer: PeerAddress) {
        guard let group = running.withLock({ $0?.group }) else { return receiver.unreachable(peer) }
        outbound.send(frame, to: peer, on: group) {
            let key = spoken.forStream(to: peer)
            return certificates.withLock { certificates in
                var client = certificates.client(key)
                client.verify = certificates.verify { [counters, outbound] refusal in
                    counters.refuse(refusal, from: peer.text)
                    outbound.note("who answers there shows \(refusal.text)", of: peer)
                }
                return client
            }
        }
    }

    // MARK: Running

    /// Listens until the task is cancelled. Throws ``LinkError`` where it cannot. `ready` is told the port.
    package func run(ready: @Sendable (Int) -> Void = { _ in }) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            try await serve(group, ready)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        running.withLock { $0 = nil }
        outbound.endAll()
        try? await group.shutdownGracefully()
        if !Task.isCancelled { try result.get() }
    }

    private func serve(_ group: MultiThreadedEventLoopGroup, _ ready: @Sendable (Int) -> Void) async throws {
        let datagrams = try await bind("UDP") { try await self.bindDatagrams(group) }
        let port = datagrams.localAddress?.port ?? settings.port
        let streams = try await bind("TCP") { try await self.bindStreams(group, port: port) }
        running.withLock { $0 = Running(group: group, datagrams: datagrams) }
        ready(port)
        let tidy = group.next().scheduleRepeatedTask(initialDelay: .seconds(10), delay: .seconds(10)) { _ in
            self.outbound.endIdle()
        }
        defer { tidy.cancel() }
        try await withTaskCancellationHandler {
            // One of them ending is the end of both.
            try await datagrams.closeFuture.get()
        } onCancel: {
            datagrams.close(promise: nil)
        }
        streams.close(promise: nil)
        if !Task.isCancelled { throw LinkError("\(settings.host):\(port): the socket was closed") }
    }

    private func bind(_ what: String, _ body: () async throws -> any Channel) async throws(LinkError) -> any Channel {
        do { return try await body() } catch {
            throw LinkError("cluster.listen = \(settings.host):\(settings.port): \(what): \(error)")
        }
    }

    private func bindDatagrams(_ group: any EventLoopGroup) async throws -> any Channel {
        try await DatagramBootstrap(group: group)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            // One buffer is shared out among the datagrams of one read.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 * 2048))
            .channelOption(.datagramVectorReadMessageCount, value: 16)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramReader { self.received($0, from: $1) })
                }
            }
            .bind(host: settings.host, port: settings.port).get()
    }

    private func bindStreams(_ group: any EventLoopGroup, port: Int) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // A peer's call that finds the queue full comes a second later; strangers' calls leave it as fast as they come.
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.maxMessagesPerRead, value: 32)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 << 10))
            .childChannelInitializer { self.configure($0) }
            .bind(host: settings.host, port: port).get()
    }

    private func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
        let isWelcome = inbound.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostInbound
        channel.closeFuture.whenComplete { _ in self.inbound.wrappingSubtract(1, ordering: .relaxed) }
        guard isWelcome else {
            counters.refuse("streams beyond \(Self.mostInbound)")
            return channel.close()
        }
        let host = channel.remoteAddress?.ipAddress ?? ""
        guard case .welcome(let id, let displaced) = doorstep.enter(host, close: { channel.close(promise: nil) }) else {
            counters.refuse("streams beyond \(Doorstep.mostPerHost) of one host without a hello")
            return channel.close()
        }
        if displaced { counters.refuse("streams beyond \(Doorstep.most) without a hello") }
        channel.closeFuture.whenComplete { _ in self.doorstep.leave(id) }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let (tls, verify) = self.certificates.withLock { certificates in
                let verify = certificates.verify { [counters = self.counters] in counters.refuse($0, from: host) }
                return (certificates.server, verify)
            }
            let handler = verify.map { NIOSSLServerHandler(context: tls, customVerificationCallback: $0) }
            try pipeline.addHandler(handler ?? NIOSSLServerHandler(context: tls))
            try pipeline.addHandler(ByteToMessageHandler(FrameDecoder()))
            try pipeline.addHandler(
                InboundStream(
                    own: (self.settings.node, self.settings.start), isMinted: verify == nil, counters: self.counters,
                    isGreeted: { peer, channel in
                        self.doorstep.leave(id)
                        self.greeted(peer, channel)
                    }, deliver: self.receiver.frame))
        }
    }

    private func greeted(_ peer: PeerAddress, _ channel: any Channel) {
        let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        guard let certificate = handler?.peerCertificate,
            let key = certificates.withLock({ $0.key(of: certificate) })
        else { return }
        spoken.heard(peer, with: key)
        known.enter(channel, key: key)
        // The key may have gone since the handshake.
        known.end(besides: keys)
    }

    private func received(_ bytes: [UInt8], from address: SocketAddress) {
        let payload: [UInt8]
        var key: UInt32?
        do throws(DatagramCipher.Fault) {
            payload = try cipher.open(bytes) { key = $0 }
        } catch {
            return counters.refuse("datagrams \(error.rawValue)")
        }
        guard let peer = PeerAddress(address) else { return counters.refuse("datagrams without an address") }
        if let key { spoken.heard(peer, with: key) }
        counters.add {
            $0.datagramsReceived += 1
            $0.datagramBytesReceived += UInt64(bytes.count)
        }
        guard waiting.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostWaiting else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            return counters.add { $0.datagramsOverrun += 1 }
        }
        Task {
            await receiver.datagram(payload, peer)
            waiting.wrappingSubtract(1, ordering: .relaxed)
        }
    }
}

/// Hands every datagram on; an error of one of them is no error of the socket.
private final class DatagramReader: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let received: @Sendable ([UInt8], SocketAddress) -> Void

    init(_ received: @escaping @Sendable ([UInt8], SocketAddress) -> Void) {
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        received(Array(envelope.data.readableBytesView), envelope.remoteAddress)
    }

    /// A peer's machine may answer "port unreachable": that is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
