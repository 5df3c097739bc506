package import Model

/// Rendezvous hashing: every gateway draws the same weight for a node and a subject, so all agree on an order without a word.
/// The weights are part of the protocol: gateways of different versions must agree on them.
package func rendezvous(_ seeds: UInt64..., node: NodeID) -> UInt64 {
    weight(of: node, under: seeds)
}

/// An order of nodes for one subject. A node that joins or leaves moves no other node's place relative to the rest.
package enum Placement {
    /// `nodes` by falling weight under `seeds`, ties by node.
    package static func rank(_ nodes: [NodeID], _ seeds: UInt64...) -> [NodeID] { rank(nodes, under: seeds) }

    /// The order in which `nodes` hold a log: its own node first where it is among them.
    package static func rank(_ nodes: [NodeID], of log: LogName) -> [NodeID] {
        let seeds = [log.node.high, log.node.low, log.log.rawValue]
        return nodes.filter { $0 == log.node } + rank(nodes.filter { $0 != log.node }, under: seeds)
    }

    private static func rank(_ nodes: [NodeID], under seeds: [UInt64]) -> [NodeID] {
        nodes.map { (node: $0, weight: weight(of: $0, under: seeds)) }
            .sorted { $0.weight == $1.weight ? $0.node < $1.node : $0.weight > $1.weight }
            .map(\.node)
    }
}

private func weight(of node: NodeID, under seeds: [UInt64]) -> UInt64 {
    var state: UInt64 = 0
    for seed in seeds { state = mixed(state ^ seed) }
    return mixed(mixed(state ^ node.high) ^ node.low)
}

/// SplitMix64's finaliser behind its increment: every bit of the input moves half of those of the output.
private func mixed(_ value: UInt64) -> UInt64 {
    var mixed = value &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
}
