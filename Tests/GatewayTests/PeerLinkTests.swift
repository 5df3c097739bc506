import ClusterLink
import Model
import Testing

@testable import Gateway
@testable import TOMLConfiguration

@Suite("The covey's link under its supervisor")
struct PeerLinkTests {
    @Test("Every start of the link has an id of its own: its datagrams are numbered from 0 again")
    func starts() throws {
        let loop = HostPort(host: "127.0.0.1", port: 8472)
        let configuration = ClusterConfiguration(
            listen: loop, seeds: [], keyFile: nil, certificates: nil, replicas: .all)
        let link = try PeerLink(configuration, node: NodeID(high: 1, low: 2), dataDirectory: "/tmp")
        let starts = (0..<16).map { _ in link.settings().start }
        #expect(Set(starts).count == 16)
        #expect(link.settings().address == PeerAddress("127.0.0.1:8472"))
    }
}
