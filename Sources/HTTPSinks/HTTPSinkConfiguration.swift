import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOSSL

/// Where and how an ``HTTPSink`` delivers.
package struct HTTPSinkConfiguration: Sendable {
    /// One header that goes with every request.
    package struct Header: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `http://` or `https://` with a host.
    package var url: String
    package var headers: [Header] = []
    /// File that holds the bearer token; read at the start and again whenever the sink answers 401 or 403.
    package var tokenFile: String?
    /// PEM file with the authorities to trust; `nil` trusts those of the system.
    package var caFile: String?
    /// PEM files of the client certificate and its key; both or none.
    package var certFile: String?
    package var keyFile: String?
    /// From the start of a request to the end of its answer.
    package var timeout: Duration = .seconds(30)
    /// Compresses the body (`Content-Encoding: gzip`); not every receiver can read it.
    package var gzip = false

    package init(url: String) {
        self.url = url
    }
}

/// A configuration that cannot work, in words for `covey check`.
package struct HTTPSinkError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String

    init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}

extension HTTPSinkConfiguration {
    /// What the URL says, checked.
    struct Endpoint: Sendable {
        let url: String
        let host: String
        let port: Int
        let isSecure: Bool
    }

    func endpoint() throws(HTTPSinkError) -> Endpoint {
        guard let parsed = URL(string: url), let scheme = parsed.scheme?.lowercased(), let host = parsed.host,
            !host.isEmpty
        else { throw HTTPSinkError("url \"\(url)\" is not of the form https://HOST/PATH") }
        guard scheme == "http" || scheme == "https" else {
            throw HTTPSinkError("url \"\(url)\" must begin with http:// or https://")
        }
        let isSecure = scheme == "https"
        return Endpoint(url: url, host: host, port: parsed.port ?? (isSecure ? 443 : 80), isSecure: isSecure)
    }

    /// The headers that are the same for every batch.
    func fixedHeaders() throws(HTTPSinkError) -> HTTPHeaders {
        var fixed: HTTPHeaders = ["Content-Type": "application/json", "User-Agent": "covey"]
        for header in headers {
            guard !header.name.isEmpty, header.name.utf8.allSatisfy(Self.isTokenByte) else {
                throw HTTPSinkError("\"\(header.name)\" is not a header name")
            }
            guard header.value.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
                throw HTTPSinkError("the value of header \(header.name) holds a control character")
            }
            fixed.replaceOrAdd(name: header.name, value: header.value)
        }
        return fixed
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// `nil` for a plain URL. Reads the certificate files, so that a wrong one is found at the start.
    func tls(_ endpoint: Endpoint) throws(HTTPSinkError) -> TLSConfiguration? {
        guard (certFile == nil) == (keyFile == nil) else {
            throw HTTPSinkError("cert_file and key_file belong together")
        }
        guard endpoint.isSecure else {
            guard caFile == nil, certFile == nil else {
                throw HTTPSinkError("ca_file and cert_file need an https:// url")
            }
            return nil
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let caFile {
            let authorities = try Self.reading(caFile) { try NIOSSLCertificate.fromPEMFile(caFile) }
            tls.trustRoots = .certificates(authorities)
        }
        if let certFile, let keyFile {
            let chain = try Self.reading(certFile) { try NIOSSLCertificate.fromPEMFile(certFile) }
            tls.certificateChain = chain.map { .certificate($0) }
            tls.privateKey = .privateKey(
                try Self.reading(keyFile) { try NIOSSLPrivateKey(file: keyFile, format: .pem) })
        }
        return tls
    }

    /// The bearer token, `nil` where none is configured.
    func token() throws(HTTPSinkError) -> String? {
        guard let tokenFile else { return nil }
        let data = try Self.reading(tokenFile) { try Data(contentsOf: URL(fileURLWithPath: tokenFile)) }
        let token = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace).first
        guard let token, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw HTTPSinkError("\(tokenFile) holds no token")
        }
        return String(token)
    }

    private static func reading<Result>(_ path: String, _ body: () throws -> Result) throws(HTTPSinkError) -> Result {
        do { return try body() } catch { throw HTTPSinkError("cannot read \(path): \(plainWords(error))") }
    }
}
