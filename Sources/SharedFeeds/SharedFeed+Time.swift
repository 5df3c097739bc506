// Pure.
package import Environment

extension SharedFeed {
    /// When this machine wants its next tick; `nil` where only something that happens can change anything.
    package var wake: MonotonicInstant? {
        var next: MonotonicInstant?
        /// What was due at the last step was done then.
        func want(_ moment: MonotonicInstant?) {
            guard let moment, steppedAt.map({ $0 < moment }) ?? true else { return }
            next = next.orEarlier(moment)
        }
        if !isSettled {
            want(bornAt?.advanced(by: settings.solitude))
            want(metAt?.advanced(by: settings.acquaintance))
        }
        want(lostAt?.advanced(by: settings.linger))
        switch phase {
        case .away: break
        case .joining(let since): want(since.advanced(by: settings.grace))
        case .serving(let since):
            if !isConfirmed {
                want(since.advanced(by: settings.hush))
                want(since.advanced(by: settings.patience))
            }
        }
        if peers.contains(where: { isCompanion($0) && $0.next < reportsEnd }) {
            want(lastReportAt?.advanced(by: settings.reportEvery))
        }
        for peer in peers { want(peer.pausedUntil) }
        if let oldest = memory.oldest {
            want(nextExpiry)
            want(oldest.arrival.advanced(by: settings.age))
        }
        return next
    }

    package var status: SharedFeedStatus {
        SharedFeedStatus(stage: stage, companions: companions, waiting: memory.count, counts: counts)
    }

    private var stage: SharedFeedStatus.Stage {
        switch phase {
        case .away: .away
        case .joining: isSettled ? .listens : .waits
        case .serving: isConfirmed ? .reads : .waits
        }
    }
}
