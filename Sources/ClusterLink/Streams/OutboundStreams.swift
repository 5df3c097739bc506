import Glibc
import Model
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// The streams that this gateway opened, one to each peer that it has something to say to. They are opened when they are needed and let go
/// when nothing went over them for a while.
final class OutboundStreams: Sendable {
    static let dialPatience = TimeAmount.seconds(3)
    /// From the connection to the end of the handshake. A small board signs in some tens of milliseconds.
    static let handshakePatience = TimeAmount.seconds(5)
    /// Milliseconds in which nothing of what was sent is taken, through a cut or a peer that never reads: then the stream ends, and who
    /// waits for an answer learns it, instead of after the quarter of an hour that the system would try.
    static let mostUnheard: ChannelOptions.Types.SocketOption.Value = 15_000
    /// Before the other side takes it for dead.
    static let mostIdle: Duration = .seconds(60)
    /// Bytes that may wait for one peer; a peer that never reads costs no more, and is called unreachable then.
    static let mostWaiting = 2 << 20
    /// More streams than a covey has peers to speak to at a time.
    static let mostStreams = 1100

    private final class Stream: Sendable {
        struct State {
            var channel: (any Channel)?
            var queue: [[UInt8]] = []
            var waiting = 0
            var isOver = false
            var usedAt: ContinuousClock.Instant = .now
            /// Another one has taken over: it ends when it has sent what waits.
            var isRetired = false
        }

        let state = Mutex(State())
    }

    private let hello: Mutex<[UInt8]>
    private let counters: LinkCounters
    private let unreachable: @Sendable (PeerAddress) -> Void
    private let streams = Mutex<[PeerAddress: Stream]>([:])
    private let failures = Mutex<[PeerAddress: String]>([:])
    /// Addresses whose failure is remembered for a person who asks; beyond, all are forgotten.
    private static let mostFailures = 256

    init(hello: StreamHello, counters: LinkCounters, unreachable: @escaping @Sendable (PeerAddress) -> Void) {
        self.hello = Mutex(hello.bytes)
        self.counters = counters
        self.unreachable = unreachable
    }

    /// Sends, or says some time later that `peer` is unreachable.
    ///
    /// - Parameter tls: How to speak, should a stream have to be opened.
    func send(
        _ frame: [UInt8], to peer: PeerAddress, on group: any EventLoopGroup, tls: () -> PeerCertificates.Client
    ) {
        guard frame.count <= FrameDecoder.mostBytes, let address = peer.socketAddress(onIPv6: false) else {
            return unreachable(peer)
        }
        // The stream that is there may end at this very moment; then a new one is opened.
        for _ in 0..<2 {
            let (stream, isNew) = stream(to: peer)
            guard let stream else { break }
            let place = enqueue(frame, stream)
            // Not before: a call that fails at once would find nothing to be told of, and the message would call again.
            if isNew { dial(stream, peer, address, group, tls()) }
            switch place {
            case .queued: return
            case .now(let channel): return write(frame, stream, channel)
            case .full: return end(stream, peer, isLost: true)
            case .over: continue
            }
        }
        unreachable(peer)
    }

    private func stream(to peer: PeerAddress) -> (Stream?, isNew: Bool) {
        streams.withLock { streams in
            if let stream = streams[peer] { return (stream, false) }
            guard streams.count < Self.mostStreams else { return (nil, false) }
            let stream = Stream()
            streams[peer] = stream
            return (stream, true)
        }
    }

    private enum Place {
        case queued
        case now(any Channel)
        case full
        case over
    }

    private func enqueue(_ frame: [UInt8], _ stream: Stream) -> Place {
        stream.state.withLock { state in
            guard !state.isOver, !state.isRetired else { return .over }
            guard state.waiting + frame.count <= Self.mostWaiting else { return .full }
            state.usedAt = .now
            state.waiting += frame.count
            if let channel = state.channel { return .now(channel) }
            state.queue.append(frame)
            return .queued
        }
    }

    private func write(_ frame: [UInt8], _ stream: Stream, _ channel: any Channel) {
        let bytes = frame.count
        counters.add {
            $0.framesSent += 1
            $0.frameBytesSent += UInt64(bytes)
        }
        channel.writeAndFlush(FrameDecoder.encode(frame, channel.allocator)).whenComplete { _ in
            stream.state.withLock { $0.waiting -= bytes }
        }
    }

    private func dial(
        _ stream: Stream, _ peer: PeerAddress, _ address: SocketAddress, _ group: any EventLoopGroup,
        _ tls: PeerCertificates.Client
    ) {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(Self.dialPatience)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: Self.mostUnheard)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try tls.verify.map {
                        try NIOSSLClientHandler(
                            context: tls.context, serverHostname: tls.wish, customVerificationCallback: $0)
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        handler ?? NIOSSLClientHandler(context: tls.context, serverHostname: tls.wish))
                    try channel.pipeline.syncOperations.addHandler(
                        OutboundEnd(isMinted: tls.verify == nil) { self.note($0, of: peer) })
                }
            }
        bootstrap.connect(to: address).whenComplete { [self] result in
            switch result {
            case .failure(let error):
                note(Self.text(error), of: peer)
                end(stream, peer, isLost: true)
            case .success(let channel): opened(stream, peer, channel)
            }
        }
    }

    private func opened(_ stream: Stream, _ peer: PeerAddress, _ channel: any Channel) {
        channel.closeFuture.whenComplete { [self] _ in end(stream, peer, isLost: true) }
        let (queue, isOver, isRetired) = stream.state.withLock { state -> ([[UInt8]], Bool, Bool) in
            state.channel = channel
            defer { state.queue = [] }
            return (state.queue, state.isOver, state.isRetired)
        }
        if isOver { return channel.close(promise: nil) }
        channel.writeAndFlush(FrameDecoder.encode(hello.withLock(\.self), channel.allocator), promise: nil)
        for frame in queue { write(frame, stream, channel) }
        if isRetired { endSent(stream, peer, channel) }
    }

    /// Ends a stream behind what is on its way.
    private func endSent(_ stream: Stream, _ peer: PeerAddress, _ channel: any Channel) {
        channel.writeAndFlush(ByteBuffer()).whenComplete { [self] result in
            if case .success = result { end(stream, peer, isLost: false) }
        }
    }

    /// Streams that are opened next are other ones, with other keys; those that stand end when they have sent what waits.
    func retireAll() {
        let retired = streams.withLock { streams in
            defer { streams = [:] }
            return streams
        }
        for (peer, stream) in retired {
            let channel = stream.state.withLock { state in
                state.isRetired = true
                return state.channel
            }
            if let channel { endSent(stream, peer, channel) }
        }
    }

    /// - Parameter isLost: Whether what went over it may not have come.
    private func end(_ stream: Stream, _ peer: PeerAddress, isLost: Bool) {
        let (wasOver, isEmpty, channel) = stream.state.withLock { state -> (Bool, Bool, (any Channel)?) in
            defer {
                state.isOver = true
                state.queue = []
            }
            return (state.isOver, state.isRetired && state.waiting == 0, state.channel)
        }
        guard !wasOver else { return }
        streams.withLock { if $0[peer] === stream { $0[peer] = nil } }
        channel?.close(promise: nil)
        // One that was to end, and had sent all, may be ended by the other side first.
        if isLost, !isEmpty { unreachable(peer) }
    }

    /// Greets so from now on; streams that stand are let go.
    func greet(_ hello: StreamHello) {
        self.hello.withLock { $0 = hello.bytes }
        endAll()
    }

    /// Lets go of what nobody used for a while.
    func endIdle() {
        let now = ContinuousClock.now
        for (peer, stream) in streams.withLock({ $0 }) {
            let isIdle = stream.state.withLock {
                $0.channel != nil && $0.waiting == 0 && $0.usedAt.advanced(by: Self.mostIdle) < now
            }
            if isIdle { end(stream, peer, isLost: false) }
        }
    }

    func endAll() {
        for (peer, stream) in streams.withLock({ $0 }) { end(stream, peer, isLost: false) }
    }

    var count: Int { streams.withLock { $0.count } }

    // MARK: Why not

    func failure(to peer: PeerAddress) -> String? { failures.withLock { $0[peer] } }

    /// - Parameter failure: `nil` where hands were shaken.
    func note(_ failure: String?, of peer: PeerAddress) {
        failures.withLock { failures in
            if failures.count >= Self.mostFailures { failures = [:] }
            failures[peer] = failure
        }
    }

    private static func text(_ error: any Error) -> String {
        let errors = (error as? NIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
        if let refused = errors.lazy.compactMap({ $0 as? IOError }).first {
            return refused.errnoCode == ECONNREFUSED
                ? "nobody listens there" : String(cString: strerror(refused.errnoCode))
        }
        return "nobody answers there"
    }
}

/// Peers say nothing on a stream that they did not open; whatever goes wrong on it ends it, and so does a handshake that takes too long.
private final class OutboundEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let isMinted: Bool
    private let note: @Sendable (String?) -> Void
    private var hasShaken = false
    private var timeout: Scheduled<Void>?

    /// - Parameter note: Is told why it came to nothing, or `nil` where hands were shaken.
    init(isMinted: Bool, _ note: @escaping @Sendable (String?) -> Void) {
        self.isMinted = isMinted
        self.note = note
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: OutboundStreams.handshakePatience) { [note] in
            note("who answers there shakes no hands")
            channel.close(promise: nil)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event {
            timeout?.cancel()
            hasShaken = true
            note(nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // So do streams of peers end that are killed.
        case NIOSSLError.uncleanShutdown: break
        case is NIOSSLError, is BoringSSLError:
            // What is wrong with a certificate that is somebody's own was said by who looked at it.
            if isMinted {
                note("who answers there has another key, or speaks no TLS 1.3: both need the same cluster key")
            } else if hasShaken {
                note("who answers there refuses this gateway's certificate")
            }
        default: break
        }
        context.close(promise: nil)
    }
}
