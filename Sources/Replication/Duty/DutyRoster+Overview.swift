package import Environment
package import Model

/// One log at one sink, for people to look at.
package struct DutyView: Hashable, Sendable {
    /// Why a gateway sends nothing of a log, though the sink lacks some of it.
    package enum Wait: Hashable, Sendable {
        /// A peer is at it.
        case peer
        /// It looks again then whether somebody with more right to it has begun.
        case turn(until: MonotonicInstant)
        /// Peers say that the sink has it, and nothing proves that yet.
        case proof
        /// The next in rank has not heard of the last receipts.
        case acknowledgement
    }

    package let log: LogName
    /// Readings that are here and that the sink lacks, as far as is known.
    package let pending: UInt64
    /// Whether this gateway uploads it now.
    package let isMine: Bool
    /// Living peers that upload it now, ascending.
    package let uploaders: [NodeID]
    /// `nil` where nothing is pending, or this gateway may go on.
    package let wait: Wait?
}

extension DutyRoster {
    /// All logs of which something is pending here for a sink, or that somebody uploads to it now; ascending.
    package func overview(of sink: SinkID, now: MonotonicInstant) -> [DutyView] {
        var views: [DutyView] = []
        for duty in duties where duty.key.sink == sink {
            let held = logs[duty.key.log]?.holds ?? OffsetRanges()
            let pending = held.subtracting(duty.done).readings
            let uploaders = duty.peers.filter { peer in
                isAlive(peer.node) && reaches(peer.node, sink) && peer.isActive(now, life: settings.turnLife)
            }
            guard pending > 0 || !uploaders.isEmpty else { continue }
            views.append(
                DutyView(
                    log: duty.key.log, pending: pending, isMine: duty.isStarted && pending > 0,
                    uploaders: uploaders.map(\.node).sorted(),
                    wait: pending > 0 ? wait(duty, isContested: !uploaders.isEmpty, now: now) : nil))
        }
        return views.sorted { $0.log < $1.log }
    }

    private func wait(_ duty: KeyDuty, isContested: Bool, now: MonotonicInstant) -> DutyView.Wait? {
        if duty.isStarted { return duty.toldAllowance == .chunks(0) ? .acknowledgement : nil }
        if isContested { return .peer }
        guard let due = duty.due, due > now else { return .proof }
        return .turn(until: due)
    }
}
