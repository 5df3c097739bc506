import CMosquitto
import Glibc

/// The TLS session of a connection that is being opened. The library lets it go in the moment in which it fails, and with it what OpenSSL
/// thought of the broker's certificate; so it is held here until the broker has answered.
///
/// OpenSSL comes with the library. Where a build of it lacks these functions, messages are only less exact.
final class TLSHandshake {
    private typealias Take = @convention(c) (UnsafeMutableRawPointer) -> Int32
    private typealias Free = @convention(c) (UnsafeMutableRawPointer) -> Void
    private typealias Verdict = @convention(c) (UnsafeMutableRawPointer) -> Int

    private let session: UnsafeMutableRawPointer
    private let free: Free
    private let askVerdict: Verdict

    /// `nil` where there is no session yet.
    init?(of client: OpaquePointer) {
        guard let session = mosquitto_ssl_get(client), let take = dlsym(nil, "SSL_up_ref"),
            let free = dlsym(nil, "SSL_free"), let verdict = dlsym(nil, "SSL_get_verify_result"),
            unsafeBitCast(take, to: Take.self)(session) == 1
        else { return nil }
        self.session = session
        self.free = unsafeBitCast(free, to: Free.self)
        askVerdict = unsafeBitCast(verdict, to: Verdict.self)
    }

    deinit { free(session) }

    /// OpenSSL's verify result (`X509_V_ERR_…`), 0 where it has nothing to say against the certificate.
    var verdict: Int { askVerdict(session) }
}
