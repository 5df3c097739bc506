package import Environment
package import Model

/// A reading that a sink will not have.
package struct RefusedReading: Hashable, Sendable {
    package let log: LogID
    package let offset: Offset
    /// The sink's words, at most ``UploadMachine/reasonBytes`` bytes.
    package let reason: String
}

/// How much waits in one lane.
package struct LaneDepth: Hashable, Sendable {
    /// Readings that are committed and not settled, those under way included.
    package let pending: Int
    /// Readings of the chunks that are under way.
    package let inFlight: Int
    /// Chunks under way.
    package let chunks: Int
}

/// One log as the status shows it.
package struct LogUploadSnapshot: Hashable, Sendable {
    package let log: LogID
    package let isCurrent: Bool
    package let isClosed: Bool
    /// Committed end.
    package let end: Offset
    /// What may be sent; the rest waits for a trusted clock.
    package let ready: Offset
    /// Everything below is settled.
    package let watermark: Offset
    package let counts: UploadCounts

    init(_ log: LogID, _ state: LogUpload) {
        self.log = log
        isCurrent = state.isCurrent
        isClosed = state.isClosed
        end = state.end
        ready = state.ready
        watermark = state.settlements.watermark
        counts = state.counts
    }
}

/// One sink as the status shows it.
package struct UploadSnapshot: Sendable {
    package let breaker: BreakerState
    /// Failures in a row.
    package let failures: Int
    package let lastError: String?
    /// Time until the next attempt; `nil` where nothing holds it back.
    package let retryIn: Duration?
    package let fresh: LaneDepth
    package let backFill: LaneDepth
    /// How long the oldest pending reading of the fresh lane has been ready to go; `nil` where none is.
    package let freshLag: Duration?
    /// The first pending reading of the oldest log that has one.
    package let oldestPending: (log: LogID, offset: Offset)?
    /// All logs of this gateway, those forgotten included.
    package let counts: UploadCounts
    /// Of this gateway, oldest first.
    package let logs: [LogUploadSnapshot]
    /// Of peers, in the order in which they were taken on. Lanes and counts know nothing of them.
    package let relayed: [LogUploadSnapshot]
    /// The newest last; bounded, unlike their count.
    package let refused: [RefusedReading]
}

extension UploadMachine {
    /// Progress of one log in stored form: some ten bytes in steady state, empty for a log that is not known.
    package func encodedProgress(_ log: LogID) -> [UInt8] {
        guard let state = logs[log] else { return [] }
        let names = refusedNames.filter { $0.log == log }.map(\.offset)
        return ProgressCodec.encode(ProgressCodec.Progress(settlements: state.settlements, refused: names))
    }

    /// Takes up stored progress, before the log is opened or relayed. Changes nothing where it throws: what it stood for is then sent
    /// again.
    package mutating func restore(_ log: LogID, _ bytes: [UInt8], isRelayed: Bool = false) throws(ProgressError) {
        precondition(logs[log] == nil, "progress of log \(log) restored after the log was opened")
        let progress = try ProgressCodec.decode(bytes)
        var state = LogUpload()
        state.isRelayed = isRelayed
        state.restore(progress.settlements)
        logs[log] = state
        for offset in progress.refused {
            remember(RefusedReading(log: log, offset: offset, reason: "refused before the last start"))
        }
    }

    /// What of an own log was counted as damaged and can be read again is pending once more. Between ``restore(_:_:isRelayed:)`` and the
    /// opening of the log; later ``UploadEvent/restored(_:_:lost:)`` does it.
    ///
    /// - Parameter ranges: Ascending, disjoint.
    /// - Parameter lost: What of the log is gone.
    /// - Returns: Whether anything is pending that was not.
    package mutating func reopen(_ log: LogID, _ ranges: [Range<Offset>], lost: [LostRange]) -> Bool {
        precondition(logs[log]?.isOpen != true, "readings of log \(log) have come back after the log was opened")
        guard !ranges.isEmpty else { return false }
        let known = knownFates(log, lost)
        return logs[log]?.settlements.reopen(ranges, known: known) ?? false
    }

    /// What is known of the ends that readings of a log met, however far below its watermark.
    func knownFates(_ log: LogID, _ lost: [LostRange]) -> [Settlements.Run] {
        let refused = refusedOffsets(log).sorted().map { $0..<$0.advanced(by: 1) }
        return lost.map { Settlements.Run(range: $0.range, kind: UploadFate($0.loss)) }
            + refused.map { Settlements.Run(range: $0, kind: .refused) }
    }

    /// Counts of the logs that were forgotten, in stored form.
    package func encodedTotals() -> [UInt8] { TotalsCodec.encode(forgotten) }

    /// Takes up stored counts of forgotten logs, once, at the start.
    package mutating func restoreTotals(_ bytes: [UInt8]) throws(ProgressError) {
        forgotten = try TotalsCodec.decode(bytes)
    }

    /// Counts readings that this sink was never told of, as they were gone before it was there.
    package mutating func addMissed(_ count: UInt64, reason: String) {
        forgotten.addEvicted(count, reason: reason)
        forgotten.stored += count
    }

    /// What of `log` has come to an end: ascending, disjoint. No fate where it is known by its counts alone.
    package func settledRanges(_ log: LogID) -> [(range: Range<Offset>, fate: UploadFate?)] {
        guard let settlements = logs[log]?.settlements else { return [] }
        let below: [(range: Range<Offset>, fate: UploadFate?)] =
            settlements.watermark > .zero ? [(.zero..<settlements.watermark, nil)] : []
        return below + settlements.runs.map { ($0.range, $0.kind) }
    }

    /// Refused readings of `log` whose names are known.
    package func refusedOffsets(_ log: LogID) -> Set<Offset> {
        Set(refusedNames.filter { $0.log == log }.map(\.offset))
    }

    /// Whether a chunk that covers all of `range` is under way, in parts or whole.
    package func isUnderWay(_ log: LogID, _ range: Range<Offset>) -> Bool {
        jobs.contains { $0.log == log && $0.range.clamped(to: range) == range }
    }

    /// Everything below is uploaded, refused, evicted or damaged: this sink needs it no more. Zero for a log that is not known.
    package func releasable(_ log: LogID) -> Offset { logs[log]?.settlements.watermark ?? .zero }

    /// What of the range has not come to an end here, ascending; none of a log that is not known.
    package func pending(_ log: LogID, in range: Range<Offset>) -> [Range<Offset>] {
        guard let state = logs[log] else { return [] }
        return state.settlements.pending(in: range.clamped(to: .zero..<state.end))
    }

    /// Whether somebody has said if the log may be sent.
    package func isJudged(_ log: LogID) -> Bool { gates[log]?.isPaused != nil }

    /// The ledger's second equation over all logs of this gateway, those forgotten included.
    package var counts: UploadCounts {
        logs.keys.sorted().reduce(into: forgotten) { sum, log in
            if let state = logs[log], !state.isRelayed { sum.add(state.counts) }
        }
    }

    /// The ledger's second equation for one log.
    package func counts(_ log: LogID) -> UploadCounts { logs[log]?.counts ?? UploadCounts() }

    /// The state for people to look at.
    package func snapshot(now: MonotonicInstant) -> UploadSnapshot {
        var pending: [UploadLane: Int] = [:]
        var oldest: (log: LogID, offset: Offset)?
        var shown: [LogUploadSnapshot] = []
        var freshLag: Duration?
        for log in order {
            guard let state = logs[log], !state.isRelayed else { continue }
            if state.isCurrent { freshLag = state.freshSince.map { $0.duration(to: now) } }
            let fresh = state.isCurrent ? waiting(state, from: state.laneCut) : 0
            pending[.fresh, default: 0] += fresh
            pending[.backFill, default: 0] += waiting(state, from: .zero) - fresh
            let first = state.settlements.firstPending(from: .zero)
            if oldest == nil, first < state.end { oldest = (log, first) }
            shown.append(LogUploadSnapshot(log, state))
        }
        let relayed = order.compactMap { log in
            logs[log].flatMap { $0.isRelayed ? LogUploadSnapshot(log, $0) : nil }
        }
        return UploadSnapshot(
            breaker: breaker.state, failures: breaker.failures, lastError: breaker.lastError,
            retryIn: breaker.retryAt.flatMap { $0 > now ? now.duration(to: $0) : nil },
            fresh: depth(.fresh, pending[.fresh] ?? 0), backFill: depth(.backFill, pending[.backFill] ?? 0),
            freshLag: freshLag,
            oldestPending: oldest, counts: counts, logs: shown, relayed: relayed, refused: refusedNames)
    }

    private func waiting(_ state: LogUpload, from start: Offset) -> Int {
        guard start < state.end else { return 0 }
        return state.settlements.pending(in: start..<state.end).reduce(0) { $0 + $1.count }
    }

    private func depth(_ lane: UploadLane, _ pending: Int) -> LaneDepth {
        let own = jobs.filter { $0.lane == lane && logs[$0.log]?.isRelayed == false }
        return LaneDepth(
            pending: pending, inFlight: own.reduce(0) { $0 + $1.range.count }, chunks: own.count)
    }
}
