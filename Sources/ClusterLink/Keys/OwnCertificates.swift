import Crypto
import FoundationEssentials
import Glibc
import Model
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Where the certificates are by which streams are known, in place of minted ones. All PEM.
package struct CertificateFiles: Hashable, Sendable {
    /// Of the authorities whose certificates are accepted: whoever has one of theirs may speak on streams.
    package var authority: String
    /// This gateway's own, behind it those between it and the authority, if any.
    package var certificate: String
    package var key: String

    package init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }
}

/// What is wrong with certificates, or will be soon.
package struct CertificateFinding: Hashable, Sendable {
    package enum File: Hashable, Sendable { case authority, certificate, key }

    package let file: File
    package let text: String
    /// Whether nothing can be done with them as they are.
    package let isFault: Bool
}

/// Certificates that somebody made for the covey's gateways.
struct OwnCertificates: Sendable {
    /// A warning comes so long before the end: whoever looks once a month sees it.
    static let notice: TimeInterval = 30 * 86_400
    /// Files that are certificates are far smaller.
    private static let mostBytes = 256 << 10

    let authorities: [Certificate]
    let chain: [Certificate]
    let key: String

    init(_ files: CertificateFiles) throws(LinkError) {
        authorities = try Self.certificates(files.authority)
        chain = try Self.certificates(files.certificate)
        key = try Self.text(files.key)
    }

    private static func certificates(_ path: String) throws(LinkError) -> [Certificate] {
        let text = try text(path)
        do {
            let found = try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == "CERTIFICATE" }
            if found.isEmpty { throw LinkError("\(path) holds no certificate in PEM form") }
            return try found.map { try Certificate(pemDocument: $0) }
        } catch let error as LinkError {
            throw error
        } catch {
            throw LinkError("\(path) holds no certificate in PEM form that can be read: \(error)")
        }
    }

    private static func text(_ path: String) throws(LinkError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw LinkError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: mostBytes + 1)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw LinkError("\(path): \(String(cString: strerror(errno)))") }
        guard count <= mostBytes, let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw LinkError("\(path) is too long, or no text")
        }
        return text
    }

    // MARK: This gateway's

    /// What is wrong with this gateway's own, first what is worst.
    func findings(_ files: CertificateFiles, now: Date) -> [CertificateFinding] {
        var findings: [CertificateFinding] = []
        if let own = try? Certificate.PrivateKey(pemEncoded: key) {
            if own.publicKey != chain[0].publicKey {
                let text = "\(files.key) is not the key of the certificate in \(files.certificate)"
                findings.append(CertificateFinding(file: .key, text: text, isFault: true))
            }
        } else {
            let text = "\(files.key) holds no private key in PEM form that can be read without a password"
            findings.append(CertificateFinding(file: .key, text: text, isFault: true))
        }
        if chain.count == 1, !authorities.contains(where: { Self.hasSigned($0, chain[0]) }) {
            let text = "\(files.certificate) is not signed by an authority in \(files.authority)"
            findings.append(CertificateFinding(file: .certificate, text: text, isFault: true))
        }
        for certificate in authorities where certificate.notValidAfter < now {
            let text = "authority \(Self.name(certificate)) has expired on \(Self.day(certificate.notValidAfter))"
            findings.append(CertificateFinding(file: .authority, text: text, isFault: true))
        }
        if let text = validity(now: now) {
            findings.append(
                CertificateFinding(file: .certificate, text: text, isFault: chain[0].notValidAfter < now))
        }
        return findings
    }

    /// That this gateway's own certificate is over, or soon will be; `nil` while that is far.
    func validity(now: Date) -> String? {
        let (from, to) = (chain[0].notValidBefore, chain[0].notValidAfter)
        if to < now { return "this gateway's certificate has expired on \(Self.day(to))" }
        if from > now { return "this gateway's certificate is not valid before \(Self.day(from)): is the clock right?" }
        let days = Int(to.timeIntervalSince(now) / 86_400)
        return to < now.addingTimeInterval(Self.notice)
            ? "this gateway's certificate expires on \(Self.day(to)), in \(days) days" : nil
    }

    private static func hasSigned(_ authority: Certificate, _ certificate: Certificate) -> Bool {
        authority.subject == certificate.issuer
            && authority.publicKey.isValidSignature(certificate.signature, for: certificate)
    }

    // MARK: Others'

    /// Why a peer's certificates are refused.
    struct Refusal: Error {
        /// Counted under this.
        let kind: String
        /// Whose it says it is, and what is wrong, for a person.
        let text: String
    }

    /// `nil` where they are good.
    func refusal(of shown: [NIOSSLCertificate], now: Date) async -> Refusal? {
        let certificates = shown.compactMap { certificate in
            (try? certificate.toDERBytes()).flatMap { try? Certificate(derEncoded: $0) }
        }
        guard let leaf = certificates.first, certificates.count == shown.count else {
            return Refusal(kind: "a certificate that cannot be read", text: "a certificate that cannot be read")
        }
        var verifier = Verifier(rootCertificates: CertificateStore(authorities)) { RFC5280Policy() }
        let result = await verifier.validate(
            leaf: leaf, intermediates: CertificateStore(certificates.dropFirst()))
        if case .validCertificate = result { return nil }
        let name = Self.name(leaf)
        if leaf.notValidAfter < now {
            let text = "\(name): expired on \(Self.day(leaf.notValidAfter))"
            return Refusal(kind: "a certificate that has expired", text: text)
        }
        if leaf.notValidBefore > now {
            let text = "\(name): not valid before \(Self.day(leaf.notValidBefore)), is the clock right?"
            return Refusal(kind: "a certificate that is not valid yet", text: text)
        }
        return Refusal(kind: "a certificate of another authority", text: "\(name): of another authority")
    }

    private static func name(_ certificate: Certificate) -> String {
        String(certificate.subject.description.prefix(64))
    }

    private static func day(_ date: Date) -> String {
        let milliseconds = min(max(date.timeIntervalSince1970, -6e10), 2.5e11) * 1000
        return String(Milliseconds(Int64(milliseconds)).iso8601.prefix(10))
    }
}

extension CertificateFiles {
    /// What is wrong with them now.
    package func findings() -> [CertificateFinding] {
        do throws(LinkError) {
            return try OwnCertificates(self).findings(self, now: Date())
        } catch {
            let file: CertificateFinding.File =
                error.description.hasPrefix(authority)
                ? .authority : error.description.hasPrefix(key) ? .key : .certificate
            return [CertificateFinding(file: file, text: error.description, isFault: true)]
        }
    }
}
