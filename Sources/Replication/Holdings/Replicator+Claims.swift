import Environment
import Model

/// What this gateway says that it holds.
extension Replicator {
    mutating func publish(_ now: MonotonicInstant, _ directives: inout [ReplicationDirective]) {
        guard !unpublished.isEmpty else { return }
        let due = lastClaims.map { $0.advanced(by: settings.claimInterval) } ?? now
        if due <= now {
            let all = unpublished.sorted()
            unpublished.removeAll(keepingCapacity: true)
            for log in all { publish(log, &directives) }
            lastClaims = now
            nextClaims = nil
            return
        }
        // Fresh readings do not wait: their other holders learn of them from this.
        let open = unpublished.filter { logs[$0]?.origin == .open }
        if !open.isEmpty {
            unpublished.removeAll { logs[$0]?.origin == .open }
            for log in open { publish(log, &directives) }
        }
        nextClaims = unpublished.isEmpty ? nil : due
    }

    private mutating func publish(_ log: LogName, _ directives: inout [ReplicationDirective]) {
        guard let state = logs[log] else { return }
        logs[log]?.isUnpublished = false
        let claim = claim(state, log)
        if claim != state.published {
            logs[log]?.published = claim
            directives.append(claim.map { .publish(log, $0) } ?? .withdraw(log))
        }
        removeIfForgettable(log)
    }

    /// `nil` where there is nothing that others should know.
    private func claim(_ state: LogState, _ log: LogName) -> Holdings? {
        let isOwn = log.node == node
        guard !state.mine.isEmpty || state.origin == .open || isOwn && isOfInterest(state) else { return nil }
        return Holdings(
            ranges: state.mine, end: state.end, isClosed: isOwn && (state.isClosed || state.origin != .open),
            lost: state.lost, released: isOwn ? state.released : .zero)
    }

    /// Of an own log that is not here: others hold some of it, or a sink may have to learn of a gap.
    private func isOfInterest(_ state: LogState) -> Bool {
        state.claims.contains { !$0.holdings.ranges.isEmpty } || !state.lost.isEmpty && state.floor < state.end
    }

    mutating func removeIfForgettable(_ log: LogName) {
        guard logs[log]?.isForgettable == true, logs[log]?.isDirty == false else { return }
        logs[log] = nil
        let (index, isThere) = names.place(of: log)
        if isThere { names.remove(at: index) }
    }
}
