import ClusterLink
import Environment
import GatewayCore
import MDNS
import Model
import Synchronization
import TOMLConfiguration

/// The covey's link as the supervision tree runs it: made anew whenever it is started, so that a key file that comes late, or is mended, is
/// found. What is sent while there is none is lost, as on any network.
final class PeerLink: Sendable {
    private let told: Mutex<PeerAddress>
    private let configuration: ClusterConfiguration
    private let node: NodeID
    private let link = Mutex<ClusterLink?>(nil)
    /// What the search by mDNS saw; `nil` where none is wanted.
    let watch: NeighbourWatch?

    init(_ configuration: ClusterConfiguration, node: NodeID) throws(GatewayError) {
        self.configuration = configuration
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

    func run(_ gateway: GatewayActor, ready: @escaping @Sendable (Int) -> Void) async throws {
        let made = try ClusterLink(
            settings(), keys: try keys(),
            receiver: ClusterLink.Receiver(
                datagram: { await gateway.handle(.datagram($0, from: $1)) },
                frame: { await gateway.handle(.frame($0, from: $1)) },
                unreachable: { peer in Task { await gateway.handle(.unreachable(peer)) } }))
        link.withLock { $0 = made }
        defer { link.withLock { $0 = nil } }
        try await made.run(ready: ready)
    }

    /// For one link. Each has a start id of its own, as each numbers its datagrams from 0.
    func settings() -> ClusterLink.Settings {
        var random = SystemRandomNumberGenerator()
        return ClusterLink.Settings(
            host: configuration.listen.host, port: configuration.listen.port, address: address, node: node,
            start: StartID(using: &random))
    }

    private func keys() throws(KeyFileError) -> KeyRing {
        // The configuration says when there need be none.
        guard let path = configuration.keyFile else { return KeyRing.loopback }
        return try KeyFile.load(path)
    }

    /// Reads the key file again. Throws where it cannot be used; the keys stay as they are then.
    ///
    /// - Returns: How many keys there are now; `nil` where they are the same as before, or no link runs.
    func renewKeys() throws -> Int? {
        let keys = try keys()
        guard let link = link.withLock(\.self), link.keys != keys else { return nil }
        try link.install(keys)
        return keys.keys.count
    }

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

    /// `nil` while it does not run.
    var counts: LinkCounts? { link.withLock(\.self)?.counts }
}
