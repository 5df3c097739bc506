package import Model

/// Why the link cannot run, in words that say what to do.
package struct LinkError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension ClusterLink {
    package struct Settings: Sendable {
        package var host: String
        /// 0 lets the system pick one for datagrams; streams then have the same.
        package var port: Int
        /// Where peers reach this gateway.
        package var address: PeerAddress
        package var node: NodeID
        /// Never the same for two links: datagrams are numbered from 0, and a number sealed twice under one key gives both away.
        package var start: StartID
        /// By which streams are known; minted ones where there are none.
        package var certificates: CertificateFiles?

        package init(host: String, port: Int, address: PeerAddress, node: NodeID, start: StartID) {
            self.host = host
            self.port = port
            self.address = address
            self.node = node
            self.start = start
        }
    }

    /// Who takes what comes in.
    package struct Receiver: Sendable {
        let datagram: @Sendable ([UInt8], PeerAddress) async -> Void
        let frame: @Sendable ([UInt8], PeerAddress) async -> Void
        let unreachable: @Sendable (PeerAddress) -> Void

        package init(
            datagram: @escaping @Sendable ([UInt8], PeerAddress) async -> Void,
            frame: @escaping @Sendable ([UInt8], PeerAddress) async -> Void,
            unreachable: @escaping @Sendable (PeerAddress) -> Void
        ) {
            self.datagram = datagram
            self.frame = frame
            self.unreachable = unreachable
        }
    }
}
