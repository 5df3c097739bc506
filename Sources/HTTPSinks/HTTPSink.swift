import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1
import NIOSSL
package import Sinks
import Synchronization

/// Delivers batches by HTTP POST. Redirects are not followed: the next host may be a captive portal's.
package final class HTTPSink: Sink {
    private let configuration: HTTPSinkConfiguration
    private let endpoint: HTTPSinkConfiguration.Endpoint
    private let fixedHeaders: HTTPHeaders
    private let tls: TLSConfiguration?
    private let transport: HTTPTransport
    private let token: Mutex<String?>

    /// Reads all files that the configuration names; throws where one of them, or the url, cannot work.
    package init(_ configuration: HTTPSinkConfiguration, transport: HTTPTransport) throws(HTTPSinkError) {
        self.configuration = configuration
        self.transport = transport
        endpoint = try configuration.endpoint()
        fixedHeaders = try configuration.fixedHeaders()
        tls = try configuration.tls(endpoint)
        token = Mutex(try configuration.token())
    }

    package func send(_ batch: NativeBatch) async -> SendOutcome {
        let request = request(for: batch)
        let answer: HTTPAnswer
        do {
            answer = try await withTimeout(configuration.timeout) { try await self.answer(to: request) }
        } catch {
            let reason =
                isCertificateFailure(error)
                ? await CertificateDiagnosis.words(for: endpoint, group: transport.group) : plainWords(error)
            return .unavailable(reason: reason, retryAfter: nil)
        }
        if answer.status == 401 || answer.status == 403 { reloadToken() }
        return answer.outcome(for: batch, now: wallNow())
    }

    private func request(for batch: NativeBatch) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: endpoint.url)
        request.method = .POST
        request.tlsConfiguration = tls
        request.headers = fixedHeaders
        request.headers.replaceOrAdd(name: "Idempotency-Key", value: batch.idempotencyKey)
        if let token = token.withLock({ $0 }) {
            request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
        }
        var body = batch.json
        if configuration.gzip, let packed = gzip(body) {
            body = packed
            request.headers.replaceOrAdd(name: "Content-Encoding", value: "gzip")
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    private func answer(to request: HTTPClientRequest) async throws -> HTTPAnswer {
        let response = try await transport.execute(request)
        var body: [UInt8] = []
        var isCut = false
        for try await part in response.body {
            body.append(contentsOf: part.readableBytesView.prefix(HTTPAnswer.bodyBytes - body.count))
            if body.count == HTTPAnswer.bodyBytes {
                // Leaving the loop closes the connection, so that an endless answer costs no more than this.
                isCut = true
                break
            }
        }
        return HTTPAnswer(
            status: Int(response.status.code), reasonPhrase: response.status.reasonPhrase, headers: response.headers,
            body: body, isCut: isCut)
    }

    /// Someone may have put a new token in place. A file that cannot be read leaves the old one.
    private func reloadToken() {
        guard let fresh = try? configuration.token() else { return }
        token.withLock { $0 = fresh }
    }
}

/// Runs `body` and cancels it after `limit`.
private func withTimeout<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimedOut(limit: limit)
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw TimedOut(limit: limit) }
        return first
    }
}
