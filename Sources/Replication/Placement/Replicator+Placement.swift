package import Model

/// Who should hold a log: the first K live gateways in the log's order, its own node before all.
extension Replicator {
    mutating func setMembers(alive: [NodeID], known: [NodeID]) {
        let alive = alive.ascending(with: node)
        var known = known.ascending(with: node)
        for node in alive.missing(in: known) { known.enter(node) }
        guard alive != self.alive || known != self.known else { return }
        let (left, come) = (self.alive.missing(in: alive), alive.missing(in: self.alive))
        let copiesBefore = self.alive.count == copies ? nil : copies
        self.alive = alive
        self.known = known
        let gone = fetches.filter { !isAlive($0.peer) }
        for fetch in gone { drop(fetch) }
        for log in names {
            if copiesBefore == copies, copies < alive.count {
                replace(log, left: left, come: come)
            } else {
                let targets = targets(of: log)
                logs[log]?.place(on: targets, self: node)
            }
            touch(log)
        }
    }

    /// Nobody's place in the order of a log changes by others that go and come, so all need not be weighed again unless
    /// one of its first went.
    private mutating func replace(_ log: LogName, left: [NodeID], come: [NodeID]) {
        guard var targets = logs[log]?.targets else { return }
        if left.contains(where: { targets.contains($0) }) {
            targets = self.targets(of: log)
        } else if !come.isEmpty {
            targets = Placement.holders(of: log, among: targets + come, copies)
        }
        logs[log]?.place(on: targets, self: node)
    }

    func isAlive(_ node: NodeID) -> Bool { alive.position(of: node).isThere }

    func isKnown(_ node: NodeID) -> Bool { known.position(of: node).isThere }

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
