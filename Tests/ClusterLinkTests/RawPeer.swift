import Model
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TestKit

@testable import ClusterLink

/// A TLS peer whose every byte a test decides.
final class RawPeer: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Calls a link, with TLS of the test's own.
    func call(_ port: Int, _ tls: NIOSSLContext) async throws -> any Channel {
        try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: tls, serverHostname: nil), Deaf())
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// Takes calls, shakes hands, and reads nothing after that.
    func listen(_ tls: NIOSSLContext) async throws -> Int {
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: tls), Deaf())
                }
            }
            .bind(host: "127.0.0.1", port: try MosquittoBroker.freePort()).get()
        return channel.localAddress?.port ?? 0
    }

    func stop() async { try? await group.shutdownGracefully() }

    /// A message as it stands on a stream.
    static func framed(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes
    }

    static let hello = StreamHello(
        node: Known.node, start: Known.start, address: PeerAddress("127.0.0.1:9")!
    ).bytes

    /// Stops reading once hands are shaken.
    private final class Deaf: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case TLSUserEvent.handshakeCompleted = event, context.channel.parent != nil {
                context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
            }
            context.fireUserInboundEventTriggered(event)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

extension Channel {
    func send(_ bytes: [UInt8]) { writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
}
