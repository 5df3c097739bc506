import Crypto
import FoundationEssentials
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Certificates by which gateways of one covey know each other on streams. Every gateway derives the same authority from the group key,
/// and lets it sign a key pair of its own that lives as long as the process: nothing is kept on disk, nothing expires, and clocks that are
/// wrong do not matter.
///
/// Where a gateway knows several keys, it has a certificate of each, and the caller says by the name that it asks for which one it
/// understands: whoever is back with an old key is met with that.
struct PeerCertificates {
    /// How long a stream that ends waits for the other's good-bye, which does not come through a cut: the link must end within the second
    /// that its supervisor gives it.
    static let farewell = TimeAmount.milliseconds(500)

    /// As the library has it, and as it may be handed to another thread.
    typealias Verify = @Sendable ([NIOSSLCertificate], EventLoopPromise<NIOSSLVerificationResult>) -> Void

    struct Client: Sendable {
        let context: NIOSSLContext
        /// Decides in place of the library; `nil` where the library's own check is enough.
        var verify: Verify?
        /// The name of the key by which the other side shall show that it is one of us; in the open, as in every datagram.
        let wish: String?
    }

    /// For the side that listens.
    let server: NIOSSLContext
    private let clients: [UInt32: Client]
    private let first: Client
    private let authorities: [DistinguishedName: UInt32]
    /// Those that somebody made; `nil` where they are minted.
    let own: OwnCertificates?

    /// Of certificates that somebody made for the covey's gateways.
    init(_ own: OwnCertificates) throws {
        let chain = try own.chain.map { NIOSSLCertificateSource.certificate(try $0.forTLS) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(bytes: Array(own.key.utf8), format: .pem))
        let roots = NIOSSLTrustRoots.certificates(try own.authorities.map { try $0.forTLS })
        server = try Self.server(chain, key, roots, others: [:])
        first = Client(context: try Self.client(chain, key, roots), wish: nil)
        (clients, authorities, self.own) = ([:], [:], own)
    }

    init(_ ring: KeyRing) throws {
        let authorities = try ring.keys.map { try Authority($0) }
        let own = P256.Signing.PrivateKey()
        let key = NIOSSLPrivateKeySource.privateKey(
            try NIOSSLPrivateKey(bytes: Array(own.derRepresentation), format: .der))
        let roots = NIOSSLTrustRoots.certificates(try authorities.map { try $0.certificate.forTLS })
        let chains = try authorities.map { [NIOSSLCertificateSource.certificate(try $0.sign(own.publicKey).forTLS)] }
        server = try Self.server(
            chains[0], key, roots, others: Dictionary(uniqueKeysWithValues: zip(ring.keys.map(Self.wish), chains)))

        var clients: [UInt32: Client] = [:]
        for (group, chain) in zip(ring.keys, chains) {
            clients[group.id] = Client(context: try Self.client(chain, key, roots), wish: Self.wish(group))
        }
        guard let first = clients[ring.primary.id] else { preconditionFailure("no certificate of the first key") }
        self.first = first
        self.clients = clients
        self.own = nil
        self.authorities = Dictionary(
            zip(authorities.map(\.name), ring.keys.map(\.id)), uniquingKeysWith: { first, _ in first })
    }

    private static func server(
        _ chain: [NIOSSLCertificateSource], _ key: NIOSSLPrivateKeySource, _ roots: NIOSSLTrustRoots,
        others: [String: [NIOSSLCertificateSource]]
    ) throws -> NIOSSLContext {
        var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
        server.trustRoots = roots
        // Both sides must show a certificate of the authority; the names in it say nothing.
        server.certificateVerification = .noHostnameVerification
        server.minimumTLSVersion = .tlsv13
        server.shutdownTimeout = Self.farewell
        if others.count > 1 {
            server.sslContextCallback = { values, promise in
                var choice = NIOSSLContextConfigurationOverride.noChanges
                if let name = values.serverHostname, let chain = others[name] {
                    choice.certificateChain = chain
                    choice.privateKey = key
                }
                promise.succeed(choice)
            }
        }
        return try NIOSSLContext(configuration: server)
    }

    private static func client(
        _ chain: [NIOSSLCertificateSource], _ key: NIOSSLPrivateKeySource, _ roots: NIOSSLTrustRoots
    ) throws -> NIOSSLContext {
        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateChain = chain
        client.privateKey = key
        client.trustRoots = roots
        client.certificateVerification = .noHostnameVerification
        client.minimumTLSVersion = .tlsv13
        client.shutdownTimeout = Self.farewell
        return try NIOSSLContext(configuration: client)
    }

    private static func wish(_ group: GroupKey) -> String { "k\(String(group.id, radix: 16)).covey" }

    /// For the side that calls somebody who understands that key.
    func client(_ key: UInt32) -> Client { clients[key] ?? first }

    /// Looks at what a peer shows, where it is somebody's own; `nil` where the library's check is enough.
    func verify(_ refused: @escaping @Sendable (OwnCertificates.Refusal) -> Void) -> Verify? {
        guard let own else { return nil }
        return { shown, promise in
            promise.completeWithTask {
                guard let refusal = await own.refusal(of: shown, now: Date()) else { return .certificateVerified }
                refused(refusal)
                return .failed
            }
        }
    }

    /// Which key's authority signed it, as its handshake has shown.
    func key(of certificate: NIOSSLCertificate) -> UInt32? {
        guard let bytes = try? certificate.toDERBytes(), let known = try? Certificate(derEncoded: bytes) else {
            return nil
        }
        return authorities[known.issuer]
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
