package import Model

/// Rendezvous hashing: every gateway draws the same weight for a node and a subject, so all agree on an order without a word.
/// The weights are part of the protocol: gateways of different versions must agree on them.
package func rendezvous(_ seeds: UInt64..., node: NodeID) -> UInt64 {
    weight(of: node, under: folded(seeds))
}

/// An order of nodes for one subject. A node that joins or leaves moves no other node's place relative to the rest.
package enum Placement {
    /// `nodes` by falling weight under `seeds`, ties by node.
    package static func rank(_ nodes: [NodeID], _ seeds: UInt64...) -> [NodeID] { rank(nodes, under: seeds) }

    /// The order in which `nodes` hold a log: its own node first where it is among them.
    package static func rank(_ nodes: [NodeID], of log: LogName) -> [NodeID] {
        holders(of: log, among: nodes, nodes.count)
    }

    /// The first `count` of the order in which `nodes` hold a log.
    static func holders(of log: LogName, among nodes: [NodeID], _ count: Int) -> [NodeID] {
        let seed = folded([log.node.high, log.node.low, log.log.rawValue])
        var best: [(node: NodeID, weight: UInt64)] = []
        best.reserveCapacity(count + 1)
        for node in nodes {
            let entry = (node: node, weight: weight(of: node, under: seed))
            // The last comes out first: most nodes weigh less than all that are kept.
            if best.count == count, let last = best.last, !precedes(entry, last, of: log) { continue }
            let place = best.firstIndex { precedes(entry, $0, of: log) } ?? best.count
            best.insert(entry, at: place)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.node)
    }

    private static func precedes(
        _ left: (node: NodeID, weight: UInt64), _ right: (node: NodeID, weight: UInt64), of log: LogName
    ) -> Bool {
        if left.node == log.node { return right.node != log.node }
        if right.node == log.node { return false }
        return left.weight == right.weight ? left.node < right.node : left.weight > right.weight
    }

    private static func rank(_ nodes: [NodeID], under seeds: [UInt64]) -> [NodeID] {
        let seed = folded(seeds)
        return nodes.map { (node: $0, weight: weight(of: $0, under: seed)) }
            .sorted { $0.weight == $1.weight ? $0.node < $1.node : $0.weight > $1.weight }
            .map(\.node)
    }
}

private func folded(_ seeds: [UInt64]) -> UInt64 { seeds.reduce(0) { mixed($0 ^ $1) } }

private func weight(of node: NodeID, under seed: UInt64) -> UInt64 { mixed(mixed(seed ^ node.high) ^ node.low) }

/// SplitMix64's finaliser behind its increment: every bit of the input moves half of those of the output.
private func mixed(_ value: UInt64) -> UInt64 {
    var mixed = value &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
}
