import Model
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// Finds out why a certificate was not accepted: the TLS library only says that it was not.
///
/// It connects once more without checking, looks at the certificate, and closes without having sent a byte. A board without a clock
/// of its own meets "not yet valid" after every power cut, so the words matter.
enum CertificateDiagnosis {
    /// A diagnosis is a courtesy; it must not take long.
    private static let limit = TimeAmount.seconds(5)

    static func words(for endpoint: HTTPSinkConfiguration.Endpoint, group: MultiThreadedEventLoopGroup) async -> String
    {
        let unknown = "TLS: the sink's certificate is not trusted"
        guard let certificate = try? await certificate(of: endpoint, group: group) else { return unknown }
        return words(
            validFrom: Int64(certificate.notValidBefore), validTo: Int64(certificate.notValidAfter),
            now: wallNow().rawValue / 1000) ?? unknown + ": no authority that we trust has signed it"
    }

    /// Unix seconds. `nil` where the time is not the reason.
    static func words(validFrom: Int64, validTo: Int64, now: Int64) -> String? {
        if now > validTo {
            return "TLS: the sink's certificate has expired on \(Milliseconds(validTo * 1000).iso8601)"
        }
        if now < validFrom {
            return "TLS: the sink's certificate is valid from \(Milliseconds(validFrom * 1000).iso8601), and here "
                + "it is \(Milliseconds(now * 1000).iso8601): is this board's clock right?"
        }
        return nil
    }

    private static func certificate(
        of endpoint: HTTPSinkConfiguration.Endpoint, group: MultiThreadedEventLoopGroup
    ) async throws -> NIOSSLCertificate? {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        let context = try NIOSSLContext(configuration: tls)
        let isName = (try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port)) == nil
        let found = group.next().makePromise(of: NIOSSLCertificate?.self)
        let channel = try await ClientBootstrap(group: group)
            .connectTimeout(limit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let name = isName ? endpoint.host : nil
                    let handler = try NIOSSLClientHandler(context: context, serverHostname: name)
                    try channel.pipeline.syncOperations.addHandlers([handler, CertificateReader(found: found)])
                }
            }
            .connect(host: endpoint.host, port: endpoint.port).get()
        let deadline = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        let certificate = try await found.futureResult.get()
        try? await channel.close()
        return certificate
    }
}

/// Takes the certificate when the handshake is over; gives `nil` where it never is.
private final class CertificateReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var found: EventLoopPromise<NIOSSLCertificate?>?

    init(found: EventLoopPromise<NIOSSLCertificate?>) {
        self.found = found
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            finish(handler?.peerCertificate)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(nil)
        context.close(promise: nil)
    }

    private func finish(_ certificate: NIOSSLCertificate?) {
        found?.succeed(certificate)
        found = nil
    }
}
