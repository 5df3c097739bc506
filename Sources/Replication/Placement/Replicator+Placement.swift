package import Model

/// Who should hold a log: the first K live gateways in the log's order, its own node before all.
extension Replicator {
    mutating func setMembers(alive: [NodeID], known: [NodeID]) {
        let alive = Self.ascending(alive, with: node)
        let known = Self.ascending(known + alive, with: node)
        guard alive != self.alive || known != self.known else { return }
        self.alive = alive
        self.known = known
        let gone = fetches.filter { !isAlive($0.peer) }
        for fetch in gone { drop(fetch) }
        for log in names {
            let targets = targets(of: log)
            logs[log]?.place(on: targets, self: node)
            touch(log)
        }
    }

    private static func ascending(_ nodes: [NodeID], with node: NodeID) -> [NodeID] {
        var result: [NodeID] = []
        result.reserveCapacity(nodes.count + 1)
        for node in (nodes + [node]).sorted() where node != result.last { result.append(node) }
        return result
    }

    func isAlive(_ node: NodeID) -> Bool { alive.place(of: node).isThere }

    func isKnown(_ node: NodeID) -> Bool { known.place(of: node).isThere }

    /// How many live gateways should hold each log now.
    package var copies: Int { min(settings.copies.count(of: known.count), alive.count) }

    /// The live gateways that should hold the log, in no order that means anything: one array for all logs where all should.
    func targets(of log: LogName) -> [NodeID] {
        let copies = copies
        return copies == alive.count ? alive : Placement.holders(of: log, among: alive, copies)
    }

    /// The live gateways that should hold the log, in order of rank.
    package func placement(of log: LogName) -> [NodeID] { Placement.holders(of: log, among: alive, copies) }
}
