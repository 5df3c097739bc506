import ClusterLink
import Environment
import GatewayCore
import MDNS
import Model
import Synchronization
package import TOMLConfiguration

/// The covey's link as the supervision tree runs it: made anew whenever it is started, so that a key file that comes late, or is mended, is
/// found. What is sent while there is none is lost, as on any network.
final class PeerLink: Sendable {
    private let told: Mutex<PeerAddress>
    private let configuration: ClusterConfiguration
    private let node: NodeID
    private let link = Mutex<ClusterLink?>(nil)
    /// What the search by mDNS saw; `nil` where none is wanted.
    let watch: NeighbourWatch?
    /// `nil` where the configuration says that there need be no key.
    private let vault: KeyVault?

    init(_ configuration: ClusterConfiguration, node: NodeID, dataDirectory: String) throws(GatewayError) {
        self.configuration = configuration
        vault = configuration.keyFile.map { KeyVault(keyFile: $0, dataDirectory: dataDirectory) }
        self.node = node
        let listen = configuration.listen
        let fixed = configuration.advertise.flatMap { PeerAddress($0.description) }
        guard let address = fixed ?? PeerAddress.reachable(host: listen.host, port: listen.port) else {
            throw .part("[cluster]", "\(listen) is no address that peers can be told")
        }
        told = Mutex(address)
        watch = configuration.mdns ? NeighbourWatch() : nil
    }

    /// Where peers reach this gateway.
    var address: PeerAddress { told.withLock(\.self) }

    /// A board gets its address late, or another one in the morning. Looks where peers reach this gateway now.
    ///
    /// - Parameter peers: Some of the others.
    /// - Returns: The new address, where it is another.
    func moved(towards peers: [PeerAddress]) -> PeerAddress? {
        let listen = configuration.listen
        guard configuration.advertise == nil, PeerAddress.standsForAll(listen.host),
            let address = PeerAddress.reachable(host: listen.host, port: listen.port, towards: peers),
            address != self.address,
            // Without any network there is no better address than the one of before.
            let host = address.parts?.host, !HostPort(host: host, port: listen.port).isLoopback
        else { return nil }
        told.withLock { $0 = address }
        link.withLock(\.self)?.move(to: address)
        return address
    }

    /// Whether the covey has a key of its own, which can be changed.
    var isKeyed: Bool { vault != nil }

    func run(_ gateway: GatewayActor, ready: @escaping @Sendable (Int) -> Void) async throws {
        let keys = try vault?.load()
        let made = try ClusterLink(
            settings(), keys: keys?.ring ?? .loopback,
            receiver: ClusterLink.Receiver(
                datagram: { await gateway.handle(.datagram($0, from: $1)) },
                frame: { await gateway.handle(.frame($0, from: $1)) },
                unreachable: { peer in Task { await gateway.handle(.unreachable(peer)) } }))
        link.withLock { $0 = made }
        defer { link.withLock { $0 = nil } }
        if let keys, await gateway.read({ $0.keyRotation == nil }) { await gateway.handle(.keysLoaded(keys)) }
        try await made.run(ready: ready)
    }

    /// For one link. Each has a start id of its own, as each numbers its datagrams from 0.
    func settings() -> ClusterLink.Settings {
        var random = SystemRandomNumberGenerator()
        var settings = ClusterLink.Settings(
            host: configuration.listen.host, port: configuration.listen.port, address: address, node: node,
            start: StartID(using: &random))
        settings.certificates = configuration.certificates.map(CertificateFiles.init)
        return settings
    }

    /// Reads the key file again. Throws where it cannot be used; the keys stay as they are then.
    ///
    /// - Returns: The keys; `nil` where they are the same as before.
    func renewKeys() throws -> KeyState? {
        guard let vault else { return nil }
        let (keys, isNew) = try vault.renew()
        guard isNew, let ring = keys.ring else { return nil }
        try link.withLock(\.self)?.install(ring)
        return keys
    }

    /// Reads certificates of one's own again. Throws where they cannot be used; they stay as they are then.
    ///
    /// - Returns: Whether they are other ones.
    func renewCertificates() throws -> Bool { try link.withLock(\.self)?.renewCertificates() ?? false }

    /// That this gateway's own certificate is over, or soon will be.
    var certificateRemark: String? { link.withLock(\.self)?.certificateRemark }

    /// Puts keys on the disk, and then to use. Blocks.
    ///
    /// - Returns: Why that could not be done; `nil` where it was.
    func keep(_ keys: KeyState) -> String? {
        guard let vault, let ring = keys.ring else { return "this covey has no key of its own" }
        do {
            try vault.write(keys)
            try link.withLock(\.self)?.install(ring)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// See ``GatewayDirective/fluent(_:)``.
    func speakFirstKey(to peers: [PeerAddress]) { link.withLock(\.self)?.speakFirstKey(to: peers) }

    func send(datagram: [UInt8], to peer: PeerAddress) { link.withLock(\.self)?.send(datagram: datagram, to: peer) }

    /// - Returns: Whether there is a link: without one the peer cannot be reached.
    func send(frame: [UInt8], to peer: PeerAddress) -> Bool {
        guard let link = link.withLock(\.self) else { return false }
        link.send(frame: frame, to: peer)
        return true
    }

    /// Names of the keys as the open network may know them, the one to speak with first; `nil` while the link does not run.
    var keyNames: [String]? { link.withLock(\.self)?.keys.keys.map(\.name) }

    /// What everybody on the network may know of this gateway.
    func announcement(name: String, key: String) -> Announcement {
        let port = configuration.advertise?.port ?? configuration.listen.port
        return Announcement(
            name: name, port: UInt16(clamping: port), version: Gateway.version, key: key,
            withIPv6: configuration.listen.host.contains(":"))
    }
    /// Why the last stream to that address came to nothing; `nil` where it did not, or none was tried.
    func failure(to peer: PeerAddress) -> String? { link.withLock(\.self)?.failure(to: peer) }

    /// `nil` while it does not run.
    var counts: LinkCounts? { link.withLock(\.self)?.counts }
}

extension CertificateFiles {
    init(_ files: ClusterConfiguration.Certificates) {
        self.init(authority: files.caFile, certificate: files.certFile, key: files.keyFile)
    }
}

extension Gateway {
    /// What is wrong with a covey's certificates, or soon will be, for `covey check`.
    package static func inspect(
        _ files: ClusterConfiguration.Certificates
    ) -> [(key: String, text: String, isFault: Bool)] {
        CertificateFiles(files).findings().map { finding in
            let key =
                switch finding.file {
                case .authority: "ca_file"
                case .certificate: "cert_file"
                case .key: "cert_key_file"
                }
            return (key, finding.text, finding.isFault)
        }
    }
}
