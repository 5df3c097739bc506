import Environment
import Model

/// What this gateway and others hold.
extension Replicator {
    mutating func setOrigin(_ origin: LogOrigin, of log: LogName) {
        update(log) { state in
            state.origin = origin
            if origin == .open { state.isClosed = false }
        }
        touchClaim(log)
    }

    mutating func close(_ log: LogName, _ end: Offset) {
        update(log) { state in
            state.isClosed = true
            state.end = max(state.end, end)
        }
        touchClaim(log)
    }

    mutating func hold(_ range: Range<Offset>, of log: LogName) {
        guard !range.isEmpty else { return }
        update(log) { state in
            state.mine.insert(range)
            state.lost.remove(range)
            state.evicted.remove(range)
            state.underway.remove(range)
            state.end = max(state.end, range.upperBound)
        }
        noteDurable(range, of: log)
        touchClaim(log)
    }

    private mutating func noteDurable(_ range: Range<Offset>, of log: LogName) {
        for index in storing.indices where storing[index].log == log {
            storing[index].ranges.remove(range)
            refusals = 0
            // Only now is it known that what the peer sent was good.
            if storing[index].ranges.isEmpty { peers[storing[index].peer]?.failures = 0 }
        }
        storing.removeAll { $0.ranges.isEmpty }
    }

    mutating func lose(_ range: Range<Offset>, of log: LogName, _ reason: LossReason) {
        guard !range.isEmpty else { return }
        update(log) { state in
            state.mine.remove(range)
            state.holds.givenUp.remove(range)
            state.holds.kept.remove(range)
            switch reason {
            case .evicted:
                state.lost.insert(range)
                state.evicted.insert(range)
                state.end = max(state.end, range.upperBound)
            case .damaged:
                state.lost.insert(range)
                state.end = max(state.end, range.upperBound)
            case .released: break
            }
        }
        touchClaim(log)
    }

    mutating func release(_ log: LogName, _ offset: Offset) {
        update(log) { $0.released = max($0.released, offset) }
        touchClaim(log)
    }

    mutating func settle(_ log: LogName, _ offset: Offset) {
        guard offset > logs[log]?.settled ?? .zero else { return }
        update(log) { $0.settled = offset }
    }

    mutating func setClaim(_ holdings: Holdings?, of peer: NodeID, _ log: LogName) {
        guard peer != node else { return setOwnClaim(holdings, log) }
        guard let holdings else { return removeClaim(of: peer, log) }
        guard prepare(log) else {
            counts.ignoredClaims += 1
            return
        }
        let isOwn = log.node == node
        update(log) { state in
            let claim = PeerClaim(node: peer, holdings: holdings, ranges: holdings.ranges)
            let (index, isThere) = state.claimIndex(of: peer)
            if isThere { state.claims[index] = claim } else { state.claims.insert(claim, at: index) }
            // What this process writes ends where it says.
            if state.origin != .open { state.end = max(state.end, holdings.end) }
            // This gateway's own log that it has from others: of a life that is over.
            if isOwn, state.origin == .copied { state.isClosed = true }
            if peer == log.node {
                state.isClosed = state.isClosed || holdings.isClosed
                state.released = max(state.released, holdings.released)
            }
        }
        if isOwn { touchClaim(log) }
    }

    /// What others believe of this gateway, from before its start: it is put right where it is not so any more.
    private mutating func setOwnClaim(_ holdings: Holdings?, _ log: LogName) {
        guard holdings != logs[log]?.published, prepare(log) else { return }
        logs[log]?.published = holdings
        touchClaim(log)
    }

    private mutating func removeClaim(of peer: NodeID, _ log: LogName) {
        guard let (index, isThere) = logs[log]?.claimIndex(of: peer), isThere else { return }
        update(log) { $0.claims.remove(at: index) }
        touchClaim(log)
    }

    mutating func forget(_ peer: NodeID) {
        for log in names { removeClaim(of: peer, log) }
        peers[peer] = nil
        quiet.removeAll { $0 == peer }
    }

    /// The peer could not give these when asked; its claim has not caught up yet.
    mutating func discount(_ missing: OffsetRanges, of peer: NodeID, _ log: LogName) {
        guard let (index, isThere) = logs[log]?.claimIndex(of: peer), isThere else { return }
        update(log) { $0.claims[index].ranges.subtract(missing) }
    }
}
