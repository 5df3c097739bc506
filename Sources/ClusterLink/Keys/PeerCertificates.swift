import Crypto
import FoundationEssentials
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Certificates by which gateways of one covey know each other on streams. Every gateway derives the same authority from the group key,
/// and lets it sign a key pair of its own that lives as long as the process: nothing is kept on disk, nothing expires, and clocks that are
/// wrong do not matter.
struct PeerCertificates {
    /// How long a stream that ends waits for the other's good-bye, which does not come through a cut: the link must end within the second
    /// that its supervisor gives it.
    static let farewell = TimeAmount.milliseconds(500)

    /// For the side that listens.
    let server: NIOSSLContext
    /// For the side that calls.
    let client: NIOSSLContext

    init(_ ring: KeyRing) throws {
        let authorities = try ring.keys.map { try Authority($0) }
        let own = P256.Signing.PrivateKey()
        let certificate = try authorities[0].sign(own.publicKey)
        let chain: [NIOSSLCertificateSource] = [.certificate(try certificate.forTLS)]
        let key = NIOSSLPrivateKeySource.privateKey(
            try NIOSSLPrivateKey(bytes: Array(own.derRepresentation), format: .der))
        let roots = NIOSSLTrustRoots.certificates(try authorities.map { try $0.certificate.forTLS })

        var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
        server.trustRoots = roots
        // Both sides must show a certificate of the authority; the names in it say nothing.
        server.certificateVerification = .noHostnameVerification
        server.minimumTLSVersion = .tlsv13
        server.shutdownTimeout = Self.farewell
        self.server = try NIOSSLContext(configuration: server)

        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateChain = chain
        client.privateKey = key
        client.trustRoots = roots
        client.certificateVerification = .noHostnameVerification
        client.minimumTLSVersion = .tlsv13
        client.shutdownTimeout = Self.farewell
        self.client = try NIOSSLContext(configuration: client)
    }

    private struct Authority {
        let key: P256.Signing.PrivateKey
        let name: DistinguishedName
        let certificate: Certificate

        init(_ group: GroupKey) throws {
            key = try Self.key(of: group)
            name = try DistinguishedName { CommonName("covey \(String(group.id, radix: 16))") }
            certificate = try Certificate(
                version: .v3, serialNumber: .init(1), publicKey: .init(key.publicKey), notValidBefore: .distant.past,
                notValidAfter: .distant.future, issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true))
                },
                issuerPrivateKey: .init(key))
        }

        /// Not every 32 bytes are a private key of the curve; all but one in 2^32 are.
        private static func key(of group: GroupKey) throws -> P256.Signing.PrivateKey {
            var tries: UInt8 = 0
            while true {
                let secret = group.derived(for: "covey stream authority 1", context: [tries])
                do {
                    return try secret.withUnsafeBytes { try P256.Signing.PrivateKey(rawRepresentation: Data($0)) }
                } catch {
                    guard tries < 8 else { throw error }
                    tries += 1
                }
            }
        }

        func sign(_ subject: P256.Signing.PublicKey) throws -> Certificate {
            try Certificate(
                version: .v3, serialNumber: .init(), publicKey: .init(subject), notValidBefore: .distant.past,
                notValidAfter: .distant.future, issuer: name,
                subject: try DistinguishedName { CommonName("covey gateway") }, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                },
                issuerPrivateKey: .init(key))
        }
    }
}

extension Date {
    /// A board whose clock is in 1970, or far ahead, still finds its peers.
    fileprivate static let distant = (
        past: Date(timeIntervalSince1970: 0), future: Date(timeIntervalSince1970: 253_370_764_800)
    )
}

extension Certificate {
    fileprivate var forTLS: NIOSSLCertificate {
        get throws {
            var serializer = DER.Serializer()
            try serializer.serialize(self)
            return try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der)
        }
    }
}
