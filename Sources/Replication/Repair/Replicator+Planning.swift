import Environment
import Model

/// What this gateway lacks, log by log, and how urgent that is. Only logs of which something has changed are looked at.
extension Replicator {
    mutating func plan(_ directives: inout [ReplicationDirective]) {
        guard !dirty.isEmpty else { return }
        let touched = dirty
        dirty.removeAll(keepingCapacity: true)
        for log in touched {
            logs[log]?.isDirty = false
            plan(log, &directives)
            removeIfForgettable(log)
        }
    }

    private mutating func plan(_ log: LogName, _ directives: inout [ReplicationDirective]) {
        guard var state = logs[log] else { return }
        let want = want(state)
        if want.isEmpty {
            state.freshWant = want
            state.backfillWant = want
        } else {
            // The end of a log that still grows is what everybody waits for.
            let tail = state.end.rawValue - min(state.end.rawValue, ReplicatorLimits.freshReadings)
            let isFresh = state.isClosed ? Offset(OffsetRanges.greatest) : Offset(tail)
            state.freshWant = want.intersection(isFresh..<Offset(.max))
            state.backfillWant = want
            state.backfillWant.remove(isFresh..<Offset(.max))
        }
        queueFresh(&state, log)
        queueBackfill(&state, log)
        if state.isTarget, !state.holds.givenUp.isEmpty {
            state.holds.givenUp = OffsetRanges()
            directives.append(.retain(log))
        }
        noteSurplus(&state, log)
        logs[log] = state
    }

    /// What live peers hold and this gateway should hold, lacks, and has not asked for: of a copy all that somebody may still need, of a
    /// log that this gateway wrote what damage took of it.
    private func want(_ state: LogState) -> OffsetRanges {
        let isCopy = state.origin == .copied
        guard isCopy ? state.isTarget : !state.lost.isEmpty else { return OffsetRanges() }
        var want = OffsetRanges()
        for claim in state.claims where isAlive(claim.node) { want.formUnion(claim.ranges) }
        if isCopy {
            want.remove(below: state.floor)
            want.subtract(state.mine)
        } else {
            want = want.intersection(state.lost)
        }
        want.subtract(state.evicted)
        want.subtract(state.underway)
        return want
    }

    /// First come, first served.
    private mutating func queueFresh(_ state: inout LogState, _ log: LogName) {
        if state.freshWant.isEmpty {
            if let rank = state.freshRank { freshQueue.remove(.init(rank: rank, log: log)) }
            state.freshRank = nil
        } else if state.freshRank == nil {
            freshTurn += 1
            state.freshRank = freshTurn
            freshQueue.insert(.init(rank: freshTurn, log: log))
        }
    }

    /// Fewest live holders first; among equals what is closed, and so older, first.
    private mutating func queueBackfill(_ state: inout LogState, _ log: LogName) {
        var rank: UInt64?
        if !state.backfillWant.isEmpty {
            let sets = state.claims.filter { isAlive($0.node) }.map(\.ranges)
            let fewest = coverage(of: state.backfillWant, by: sets).reduce(Int.max) { min($0, $1.holders) }
            rank = UInt64(fewest) * 2 + (state.isClosed ? 0 : 1)
        }
        guard rank != state.backfillRank else { return }
        if let old = state.backfillRank { backfillQueue.remove(.init(rank: old, log: log)) }
        state.backfillRank = rank
        if let rank { backfillQueue.insert(.init(rank: rank, log: log)) }
    }
}
