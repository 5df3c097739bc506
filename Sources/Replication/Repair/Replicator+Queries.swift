package import Model

/// What is lacking in the covey, as far as this gateway knows.
package struct UnderReplication: Hashable, Sendable {
    package var logs: Int
    package var readings: UInt64

    package init(logs: Int = 0, readings: UInt64 = 0) {
        self.logs = logs
        self.readings = readings
    }
}

/// What the rest of a gateway may ask. Nothing here changes anything.
extension Replicator {
    /// All logs of which anything is known, ascending.
    package var knownLogs: [LogName] { names }

    /// What this gateway holds of the log.
    package func held(of log: LogName) -> OffsetRanges { logs[log]?.mine ?? OffsetRanges() }

    /// One past the last offset of the log that anybody here knows of.
    package func end(of log: LogName) -> Offset { logs[log]?.end ?? .zero }

    /// Its own gateway says that it appends no more.
    package func isClosed(_ log: LogName) -> Bool { logs[log]?.isClosed ?? false }

    /// The live gateways that hold the reading, ascending.
    package func holders(of log: LogName, at offset: Offset) -> [NodeID] {
        liveHoldings(of: log).filter { $0.ranges.contains(offset) }.map(\.node)
    }

    /// The live gateways that should hold the log or say that they hold something of it, without this one; in no order that means
    /// anything, but always the same.
    package func keepers(of log: LogName) -> [NodeID] {
        var keepers = placement(of: log).filter { $0 != node }
        for claim in logs[log]?.claims ?? [] where isAlive(claim.node) && !keepers.contains(claim.node) {
            if !claim.ranges.isEmpty { keepers.append(claim.node) }
        }
        return keepers
    }

    /// How many live gateways hold all of the range.
    package func liveCopies(of log: LogName, _ range: Range<Offset>) -> Int {
        liveHoldings(of: log).reduce(0) { $0 + ($1.ranges.contains(range) ? 1 : 0) }
    }

    /// Up to which offset, from `start` on, at least `copies` live gateways hold everything; `start` where the first
    /// reading is held by fewer. Fewer copies count as enough where fewer should be or are alive. Without `start`:
    /// from where the log is settled.
    package func replicatedEnd(of log: LogName, copies: Int, from start: Offset? = nil) -> Offset {
        guard let state = logs[log] else { return start ?? .zero }
        let start = start ?? state.floor
        let needed = min(copies, state.targets.count)
        guard needed > 0 else { return max(start, state.end) }
        let ends = liveHoldings(of: log).map { $0.ranges.end(of: start) }.sorted(by: >)
        return ends.count >= needed ? ends[needed - 1] : start
    }

    /// What is neither settled nor held by as many live gateways as should hold it.
    package var underReplicated: UnderReplication { heldByFewer(than: copies) }

    /// How many gateways would hold each log were all alive that are known.
    package var wantedCopies: Int { settings.copies.count(of: known.count) }

    /// What is not settled and held by fewer live gateways than ``wantedCopies``, as fewer are alive.
    package var lackingGateways: UnderReplication {
        wantedCopies > alive.count ? heldByFewer(than: wantedCopies) : UnderReplication()
    }

    private func heldByFewer(than copies: Int) -> UnderReplication {
        var result = UnderReplication()
        for log in names {
            guard let state = logs[log] else { continue }
            let sets = liveHoldings(of: log).map(\.ranges)
            var held = sets.reduce(into: OffsetRanges()) { $0.formUnion($1) }
            held.remove(below: state.floor)
            let lacking = coverage(of: held, by: sets).reduce(into: UInt64(0)) { sum, piece in
                if piece.holders < copies { sum += piece.range.length }
            }
            if lacking > 0 { result.logs += 1 }
            result.readings += lacking
        }
        return result
    }

    /// What is here and neither settled nor held by as many other live gateways as should hold it without this one, by one
    /// at the least.
    ///
    /// - Parameter settled: What of a log needs no copy besides what is known to.
    package func heldHereAlone(besides settled: (LogName) -> OffsetRanges) -> UInt64 {
        let needed = max(min(wantedCopies, alive.count) - 1, 1)
        var readings: UInt64 = 0
        for log in names {
            guard let state = logs[log] else { continue }
            var here = state.mine.subtracting(settled(log))
            here.remove(below: state.floor)
            if here.isEmpty { continue }
            let others = state.claims.filter { isAlive($0.node) }.map(\.ranges)
            for piece in coverage(of: here, by: others) where piece.holders < needed { readings += piece.range.length }
        }
        return readings
    }

    /// What others say that they hold and this gateway has not on its disk, log by log, and who has which of it, ascending. They may
    /// be dead.
    package var elsewhere: [(log: LogName, holders: [(node: NodeID, ranges: OffsetRanges)])] {
        names.compactMap { log in
            guard let state = logs[log] else { return nil }
            let holders = state.claims.filter { isKnown($0.node) }.map { claim in
                (node: claim.node, ranges: claim.ranges.subtracting(state.mine))
            }.filter { !$0.ranges.isEmpty }
            return holders.isEmpty ? nil : (log, holders)
        }
    }

    /// What no known gateway, alive or dead, could bring: nobody claims it, and the log's own gateway has said that
    /// it is gone, has closed the log without it, or is not known any more. Data beats a gap: should it turn up, it
    /// is no gap.
    package func gaps(of log: LogName) -> OffsetRanges {
        guard let state = logs[log], state.floor < state.end else { return OffsetRanges() }
        var gone = OffsetRanges(state.floor..<state.end)
        gone.subtract(state.mine)
        gone.subtract(state.underway)
        for claim in state.claims where isKnown(claim.node) { gone.subtract(claim.holdings.ranges) }
        guard !gone.isEmpty else { return gone }
        if log.node == node { return state.origin == .open ? gone.intersection(state.lost) : gone }
        guard isKnown(log.node) else { return gone }
        guard let owner = state.claim(of: log.node)?.holdings else { return OffsetRanges() }
        return owner.isClosed && !owner.isCut ? gone : gone.intersection(owner.lost)
    }

    private func liveHoldings(of log: LogName) -> [(node: NodeID, ranges: OffsetRanges)] {
        guard let state = logs[log] else { return [] }
        var result: [(node: NodeID, ranges: OffsetRanges)] = []
        result.reserveCapacity(state.claims.count + 1)
        var isMineIn = state.mine.isEmpty
        for claim in state.claims where isAlive(claim.node) {
            if !isMineIn, node < claim.node {
                result.append((node, state.mine))
                isMineIn = true
            }
            result.append((claim.node, claim.ranges))
        }
        if !isMineIn { result.append((node, state.mine)) }
        return result
    }
}
