import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// A sink did not answer in time.
struct TimedOut: Error {
    let limit: Duration
}

/// What went wrong, for people.
func plainWords(_ error: any Error) -> String {
    switch error {
    case let error as TimedOut: return "no answer within \(seconds(error.limit))"
    case let error as NIOConnectionError: return words(error)
    case let error as IOError: return words(errno: error.errnoCode)
    case let error as HTTPClientError: return words(error)
    case let error as NIOSSLExtraError where error == .failedToValidateHostname:
        return "TLS: the sink's certificate is for another name"
    case let error as NIOSSLExtraError: return "TLS: \(error)"
    case let error as NIOSSLError: return words(error)
    case BoringSSLError.sslError(let stack): return words(stack)
    case is CancellationError: return "stopped"
    case ChannelError.connectTimeout: return "no connection in time"
    default: return "\(error)"
    }
}

/// Whether the certificate of the other side was not accepted, for a reason that the TLS library does not tell.
func isCertificateFailure(_ error: any Error) -> Bool {
    guard case NIOSSLError.handshakeFailed(.sslError(let stack)) = error else { return false }
    return stack.contains { $0.description.contains("CERTIFICATE_VERIFY_FAILED") }
}

private func words(_ error: NIOConnectionError) -> String {
    let target = "\(error.host):\(error.port)"
    guard let failure = error.connectionErrors.first else {
        return error.dnsAError ?? error.dnsAAAAError == nil
            ? "cannot connect to \(target)" : "no address found for \(error.host) (DNS)"
    }
    return "\(target): \(plainWords(failure.error))"
}

private func words(errno code: CInt) -> String {
    switch code {
    case ECONNREFUSED: "connection refused"
    case ECONNRESET, EPIPE: "connection reset"
    case ENETUNREACH, EHOSTUNREACH: "no route"
    case ENOENT: "no such file"
    case EACCES: "no permission"
    default: String(cString: strerror(code))
    }
}

private func words(_ error: HTTPClientError) -> String {
    switch error {
    case .connectTimeout: "no connection in time"
    case .readTimeout, .deadlineExceeded: "no answer in time"
    case .remoteConnectionClosed: "the connection was closed before an answer came"
    case .tlsHandshakeTimeout: "TLS: no handshake in time"
    case .cancelled: "stopped"
    case .alreadyShutdown: "the gateway is stopping"
    default: "\(error)"
    }
}

private func words(_ error: NIOSSLError) -> String {
    switch error {
    case .handshakeFailed(.sslError(let stack)):
        return isCertificateFailure(error) ? "TLS: the sink's certificate is not trusted" : words(stack)
    case .handshakeFailed: return "TLS: the handshake failed"
    case .uncleanShutdown: return "the connection was cut"
    case .failedToLoadCertificate: return "not a certificate in PEM form"
    case .failedToLoadPrivateKey: return "not a private key in PEM form"
    case .noSuchFilesystemObject: return "no such file"
    default: return "TLS: \(error)"
    }
}

/// With TLS 1.3 a sink refuses our certificate only after the handshake, so that these come on their own as well.
private func words(_ stack: NIOBoringSSLErrorStack) -> String {
    let all = stack.map(\.description).joined(separator: "; ")
    if all.contains("ALERT_CERTIFICATE_EXPIRED") { return "TLS: the sink says that our certificate has expired" }
    if all.contains("WRONG_VERSION_NUMBER") || all.contains("HTTP_REQUEST") || all.contains("HTTPS_PROXY_REQUEST") {
        return "TLS: the other side does not speak TLS; is the port of url right, or should it begin with http://?"
    }
    if all.contains("ALERT") {
        return "TLS: the sink refuses us (\(lastWord(all))); does it want a client certificate?"
    }
    return "TLS: the connection failed (\(lastWord(all)))"
}

/// The library's reasons end in `…:WORDS_IN_CAPITALS at FILE:LINE`.
private func lastWord(_ text: String) -> String {
    let words = text.split { !($0.isUppercase || $0.isNumber || $0 == "_") }
    guard let last = words.last(where: { $0.contains("_") && $0.contains(where: \.isUppercase) }) else {
        return "no reason"
    }
    return last.lowercased().split(separator: "_").joined(separator: " ")
}

private func seconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return seconds > 0 ? "\(seconds) s" : "\(attoseconds / 1_000_000_000_000_000) ms"
}
