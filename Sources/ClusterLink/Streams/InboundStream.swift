import Model
import NIOCore
import NIOSSL

/// One stream that a peer opened: its hello, then its messages, handed over one after the other. While one is taken, no more are read than
/// came with it, so that a peer that sends faster than this gateway works waits in its own socket.
final class InboundStream: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// From the call to the hello, handshake included. Who takes longer holds a place that others may need.
    static let patience = TimeAmount.seconds(10)
    /// Of a stream on which nothing comes: callers let go of idle ones long before.
    static let mostIdle = TimeAmount.seconds(300)

    private let own: (node: NodeID, start: StartID)
    private let isMinted: Bool
    private let counters: LinkCounters
    private let isGreeted: @Sendable (PeerAddress, any Channel) -> Void
    private let deliver: @Sendable ([UInt8], PeerAddress) async -> Void
    private var peer: PeerAddress?
    private var waiting: [[UInt8]] = []
    private var isDelivering = false
    private var timeout: Scheduled<Void>?
    private var wasHeard = false

    init(
        own: (node: NodeID, start: StartID), isMinted: Bool, counters: LinkCounters,
        isGreeted: @escaping @Sendable (PeerAddress, any Channel) -> Void,
        deliver: @escaping @Sendable ([UInt8], PeerAddress) async -> Void
    ) {
        self.own = own
        self.isMinted = isMinted
        self.counters = counters
        self.isGreeted = isGreeted
        self.deliver = deliver
    }

    func handlerAdded(context: ChannelHandlerContext) { watch(context, Self.patience) }

    func handlerRemoved(context: ChannelHandlerContext) { timeout?.cancel() }

    private func watch(_ context: ChannelHandlerContext, _ limit: TimeAmount) {
        let (channel, bound) = (context.channel, NIOLoopBound(self, eventLoop: context.eventLoop))
        timeout = context.eventLoop.scheduleTask(in: limit) {
            let stream = bound.value
            if stream.peer == nil { stream.counters.refuse("streams without a hello in time") }
            if stream.wasHeard, stream.peer != nil {
                stream.wasHeard = false
                channel.pipeline.fireUserInboundEventTriggered(StillThere())
            } else {
                channel.close(promise: nil)
            }
        }
    }

    private struct StillThere {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is StillThere { watch(context, Self.mostIdle) } else { context.fireUserInboundEventTriggered(event) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        wasHeard = true
        guard peer != nil else { return greet(bytes, context) }
        counters.add {
            $0.framesReceived += 1
            $0.frameBytesReceived += UInt64(bytes.count)
        }
        waiting.append(bytes)
        // What is decoded already comes in any case; more is not read.
        if waiting.count == 1 { context.channel.setOption(.autoRead, value: false).whenFailure { _ in } }
        handOver(context)
    }

    private func greet(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        guard let hello = try? StreamHello(bytes) else {
            counters.refuse("streams with a hello that cannot be read")
            return context.close(promise: nil)
        }
        guard (hello.node, hello.start) != own else {
            counters.refuse("streams from this gateway itself")
            return context.close(promise: nil)
        }
        peer = hello.address
        isGreeted(hello.address, context.channel)
        timeout?.cancel()
        watch(context, Self.mostIdle)
    }

    private func handOver(_ context: ChannelHandlerContext) {
        guard !isDelivering, let peer else { return }
        guard !waiting.isEmpty else {
            return context.channel.setOption(.autoRead, value: true).whenFailure { _ in }
        }
        isDelivering = true
        let bytes = waiting.removeFirst()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (loop, deliver) = (context.eventLoop, deliver)
        Task {
            await deliver(bytes, peer)
            loop.execute {
                let (stream, context) = bound.value
                stream.isDelivering = false
                stream.handOver(context)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // So do connections of peers end that are killed: that is no fault of theirs.
        let isFarewell = peer != nil && (error as? NIOSSLError) == .uncleanShutdown
        if !isFarewell { counters.refuse(name(error)) }
        context.close(promise: nil)
    }

    private func name(_ error: any Error) -> String {
        switch error {
        case is NIOSSLError where !isMinted, is BoringSSLError where !isMinted:
            "streams whose caller shows no certificate that counts, or speaks no TLS 1.3"
        case is NIOSSLError, is BoringSSLError: "streams whose caller has not the key, or speaks no TLS 1.3"
        case is FrameDecoder.TooLong: "streams with a message that is too long"
        default: "streams that broke"
        }
    }
}
