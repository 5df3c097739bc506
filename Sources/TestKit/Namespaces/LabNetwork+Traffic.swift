import FoundationEssentials

extension LabNetwork {
    /// What a place's cable has carried since it is there, with Ethernet headers, as the place sees it. What a cut or a loss drops
    /// later was sent all the same.
    package struct Traffic: Hashable, Sendable {
        package let sentBytes: Int
        package let sentPackets: Int
        package let receivedBytes: Int
        package let receivedPackets: Int
    }

    private struct Link: Decodable {
        struct Counters: Decodable {
            struct Direction: Decodable {
                let bytes: Int
                let packets: Int
            }
            let rx: Direction
            let tx: Direction
        }
        let ifname: String
        let stats64: Counters
    }

    /// Of every place, in their order, all read at once.
    package func traffic() async throws -> [Traffic] {
        let hub = names.hub
        let text = try await onThread { () throws(ChildFailure) in
            try LabTool.run("ip", of: "iproute2", ["-n", hub, "-s", "-j", "link"])
        }
        let links = try JSONDecoder().decode([Link].self, from: Data(text.utf8))
        return try places.map { place in
            guard let link = links.first(where: { $0.ifname == LabNames.port(place) }) else {
                throw ChildFailure(description: "\(place) has no cable")
            }
            // What the bridge's end gets, the place has sent.
            let counters = link.stats64
            return Traffic(
                sentBytes: counters.rx.bytes, sentPackets: counters.rx.packets,
                receivedBytes: counters.tx.bytes, receivedPackets: counters.tx.packets)
        }
    }
}
