import Environment
import Model

/// A hold that a peer asked for and that is being written down.
struct KeptFor: Sendable {
    let id: HoldID
    let peer: NodeID
    let log: LogName
    let ranges: OffsetRanges
}

/// Copies beyond those that should be: given up once all that should hold them have written down that they do.
extension Replicator {
    /// Whether the log has a place among those with surplus, after a change.
    mutating func noteSurplus(_ state: inout LogState, _ log: LogName) {
        let isSurplus =
            !state.isTarget && state.origin == .copied && state.mine.end > state.floor
            && !state.holds.givenUp.contains(state.mine)
        guard isSurplus != state.isSurplus else { return }
        state.isSurplus = isSurplus
        let (index, isThere) = surplus.place(of: log)
        if isSurplus, !isThere { surplus.insert(log, at: index) }
        if !isSurplus, isThere { surplus.remove(at: index) }
    }

    /// Asks all targets of a few logs at a time, in turn.
    mutating func lookForSurplus(
        _ now: MonotonicInstant, _ directives: inout [ReplicationDirective],
        _ generator: inout some RandomNumberGenerator
    ) {
        guard !surplus.isEmpty else {
            nextSurplus = nil
            return
        }
        let interval = Duration.seconds(ReplicatorLimits.surplusSeconds)
        guard let due = nextSurplus else {
            nextSurplus = now.advanced(by: interval)
            return
        }
        guard due <= now else { return }
        nextSurplus = now.advanced(by: interval)
        let start = surplusCursor.map { surplus.place(of: $0).index } ?? 0
        for step in 0..<min(ReplicatorLimits.holds, surplus.count) {
            askForHolds(surplus[(start + step) % surplus.count], now, &directives, &generator)
        }
        surplusCursor = surplus[(start + ReplicatorLimits.holds) % surplus.count]
    }

    private mutating func askForHolds(
        _ log: LogName, _ now: MonotonicInstant, _ directives: inout [ReplicationDirective],
        _ generator: inout some RandomNumberGenerator
    ) {
        guard let state = logs[log] else { return }
        // Only what all of them claim is worth asking about.
        var ranges = state.mine.subtracting(state.holds.givenUp)
        ranges.remove(below: state.floor)
        for target in state.targets {
            ranges = ranges.intersection(state.claim(of: target)?.ranges ?? OffsetRanges())
        }
        guard !ranges.isEmpty else { return }
        let id = HoldID(generator.next())
        ranges = ranges.bounded(to: ReplicatorLimits.ranges)
        logs[log]?.holds.round = (id, ranges, now)
        logs[log]?.holds.grants = []
        let frame = ReplicationFrame.holdRequest(id, log, ranges).encoded
        for target in state.targets { directives.append(.frame(frame, to: target)) }
    }

    /// A peer would like to let go. Silence is a refusal: it asks again.
    mutating func keep(
        _ id: HoldID, _ log: LogName, _ ranges: OffsetRanges, for peer: NodeID,
        _ directives: inout [ReplicationDirective]
    ) {
        guard let state = logs[log], state.isTarget else { return }
        let held = ranges.intersection(state.mine).subtracting(state.holds.givenUp)
        guard !held.isEmpty else { return }
        if state.holds.kept.contains(held) {
            let frame = ReplicationFrame.holdGranted(id, log, held).encoded
            return directives.append(.frame(frame, to: peer))
        }
        if keeping.contains(where: { $0.id == id && $0.peer == peer }) { return }
        // Who asks anew has no use for an answer to what was asked before.
        keeping.removeAll { $0.peer == peer && $0.log == log }
        guard keeping.count < ReplicatorLimits.holds else { return }
        keeping.append(KeptFor(id: id, peer: peer, log: log, ranges: held))
        directives.append(.keepHold(id, log, held))
    }

    /// Written down: the peer may know. What has been lost since is not spoken of.
    mutating func grant(_ id: HoldID, _ directives: inout [ReplicationDirective]) {
        guard let index = keeping.firstIndex(where: { $0.id == id }) else { return }
        let hold = keeping.remove(at: index)
        guard let state = logs[hold.log], state.isTarget else { return }
        let held = hold.ranges.intersection(state.mine).bounded(to: ReplicatorLimits.ranges)
        guard !held.isEmpty else { return }
        logs[hold.log]?.holds.kept.formUnion(held)
        let frame = ReplicationFrame.holdGranted(id, hold.log, held).encoded
        directives.append(.frame(frame, to: hold.peer))
    }

    mutating func noteGrant(
        _ id: HoldID, _ log: LogName, _ ranges: OffsetRanges, from peer: NodeID, _ now: MonotonicInstant,
        _ directives: inout [ReplicationDirective]
    ) {
        guard let state = logs[log], !state.isTarget, let round = state.holds.round, round.id == id,
            round.at.duration(to: now) <= .seconds(ReplicatorLimits.grantSeconds), state.targets.contains(peer),
            !state.holds.grants.contains(where: { $0.node == peer })
        else { return }
        logs[log]?.holds.grants.append(.init(node: peer, ranges: ranges))
        // All that should hold it now must have granted; who should may have changed since they were asked.
        var agreed = round.ranges.intersection(state.mine).subtracting(state.holds.givenUp)
        for target in state.targets {
            guard let grant = logs[log]?.holds.grants.first(where: { $0.node == target }) else { return }
            // It may have lost some of it since.
            agreed = agreed.intersection(grant.ranges)
                .intersection(state.claim(of: target)?.ranges ?? OffsetRanges())
        }
        guard !agreed.isEmpty else { return }
        update(log) { state in
            state.holds.givenUp.formUnion(agreed)
            state.holds.kept.subtract(agreed)
        }
        directives.append(.release(log, agreed))
    }
}
