import Environment
import LogFormat
import Model
import Replication
import RingLog
import Sinks

extension GatewayCore {
    /// When the next block must be cut: the earliest promise to a source, or the patience of state that changed alone.
    var cutDeadline: MonotonicInstant? { deadline.orEarlier(stateDeadline).orEarlier(countsDeadline) }

    /// When a cut is worth trying: a disk that failed is left alone for a while, and then tried whatever there is.
    var nextCut: MonotonicInstant? {
        guard let retryAt = ring.retryAt else { return cutDeadline }
        guard ring.hasWork else { return cutDeadline.map { max($0, retryAt) } }
        return retryAt
    }

    mutating func cutIfDue(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard !isWriting, ring.retryAt.map({ $0 <= now }) ?? true else { return }
        let isBlockFull = ring.waitingBytes >= Self.blockFillBytes
        guard isBlockFull || (isStopping && isUnwritten) || nextCut.map({ $0 <= now }) ?? false else { return }
        putChangedState(now: now)
        let plan = ring.cut(now: now, using: &random)
        deadline = nil
        stateDeadline = nil
        if let plan {
            isWriting = true
            uncountedBytes += plan.blockBytes
            // What did not fit goes into the next block, at once.
            if plan.readings < pending.count { deadline = now }
            directives.append(.write(plan))
        } else if ring.hasWork {
            // No place: something must be released or evicted first, or the disk must come back.
            deadline = max(ring.retryAt ?? now, now.advanced(by: Self.stallPause))
        } else {
            settleTickets(upTo: ring.durableEnd, version: .max, &directives)
        }
        handle(ring.takeEvents(), now: now, &directives)
    }

    /// Whether a stop has something to wait for. What the cut itself puts does not count, or each would bring the next.
    private var isUnwritten: Bool {
        !pending.isEmpty || !tickets.isEmpty || !dirtyProgress.isEmpty || ledger.hasChanged
    }

    /// A block is at most 64 KiB; waiting longer than for this much would only make the next one late.
    private static let blockFillBytes = 56 * 1024
    /// How soon a commit that found no place is tried again.
    private static let stallPause = Duration.seconds(1)
    /// Commits that small records may be behind; beyond, promises are kept together, later.
    private static let mostPromises = 64

    /// Puts what changed since the last cut: counters of streams, the position they were taken at, upload progress.
    private mutating func putChangedState(now: MonotonicInstant) {
        var version: UInt64 = 0
        var promise = Promise(version: 0)
        if let position = settledPosition {
            version = putState(StateKey(StateKind.ledgerPosition, ""), position.record) ?? 0
            settledPosition = nil
        }
        let isCounting = isStopping || countsDeadline.map { $0 <= now } ?? false
        let streams = ledger.takeChanged(all: isCounting)
        for device in streams {
            let record = StreamRecord(counts: ledger[device], position: counted).bytes
            version = max(version, putState(StateKey(StateKind.stream, device.rawValue), record) ?? 0)
        }
        if isCounting {
            countsDeadline = nil
            uncountedReadings = 0
            uncountedBytes = 0
            if !streams.isEmpty { promise.counted = counted }
            putState(StateKey(StateKind.wear, ""), wear(now: now).record)
        }
        for ref in dirtyProgress {
            let sink = sinks[ref.sink]
            let isCopy = ring.isCopy(ref.log)
            let put = putState(sink.progressKey(ref.log, isCopy: isCopy), sink.machine.encodedProgress(ref.log))
            version = max(version, put ?? 0)
            let known = promise.releases.firstIndex { $0.log == ref.log }
            guard known == nil, let upTo = releasable(ref.log) else { continue }
            promise.releases.append((ref.log, upTo))
        }
        dirtyProgress.removeAll(keepingCapacity: true)
        putAccounts(now: now)
        promise.version = version
        if promise.counted != nil || !promise.releases.isEmpty { remember(promise) }
        for index in tickets.indices where tickets[index].stateVersion == nil { tickets[index].stateVersion = version }
    }

    private mutating func remember(_ promise: Promise) {
        guard promises.count >= Self.mostPromises else { return promises.append(promise) }
        let last = promises.count - 1
        promises[last].version = max(promises[last].version, promise.version)
        promises[last].counted = promise.counted ?? promises[last].counted
        promises[last].releases.removeAll { old in promise.releases.contains { $0.log == old.log } }
        promises[last].releases.append(contentsOf: promise.releases)
    }

    /// Small records up to this version are durable.
    private mutating func keepPromises(_ version: UInt64) {
        let kept = promises.prefix { $0.version <= version }
        promises.removeFirst(kept.count)
        for promise in kept {
            for release in promise.releases { ring.setReleased(release.log, upTo: release.upTo) }
            settledPosition = promise.counted ?? settledPosition
        }
    }

    /// A record that the ring refuses (too large, too many) is left out: counters may then lag after a restart, readings never do.
    @discardableResult
    mutating func putState(_ key: StateKey, _ value: [UInt8]) -> UInt64? {
        try? ring.put(key, value)
    }

    mutating func written(
        _ id: WritePlan.ID, _ result: Result<Void, DiskError>, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        isWriting = false
        handle(ring.finished(id, result, now: now), now: now, &directives)
        drainBacklog(now: now)
        downsampleIfNeeded(now: now, &directives)
        weighPressure(now: now)
        if !isStopping, let plan = ring.maintenance() { directives.append(.maintain(plan)) }
        // Whose turn had come and who still waits did not fit into that block.
        if tickets.contains(where: { $0.stateVersion != nil }) { want(by: now) }
        if ring.hasWork { touchState(now: now) }
        if ring.isRetrying, ring.hasWork { deadline = now }
    }

    private mutating func weighPressure(now: MonotonicInstant) {
        guard pressureDueAt.map({ $0 <= now }) ?? true else { return }
        pressureDueAt = now.advanced(by: Self.pressureInterval)
        pressure = Int(ring.pendingPart() * 100)
    }

    /// A walk over what is pending costs a millisecond where that is a whole card.
    private static let pressureInterval = Duration.seconds(5)

    mutating func handle(_ events: [RingEvent], now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        var returned = ReturnedReadings()
        for event in events {
            switch event {
            case .copied(let log, let range): copied(log, range, now: now, &directives)
            case .restored(let log, let range, let devices): returned.note(log, range, devices)
            case .durable(let log, let upTo, let version):
                settle(log: log, upTo: upTo, version: version, now: now, &directives)
            case .failed(let error):
                deadline = now
                directives.append(
                    .report(Report(.error, "commit failed, kept in memory and written elsewhere: \(error)")))
            case .retired(let segment, let reason):
                retired.removeAll { $0.segment == segment }
                retired.append((segment, reason))
                directives.append(.report(Report(.error, "segment \(segment) is not used any more: \(reason)")))
            case .reused(let segment): retired.removeAll { $0.segment == segment }
            case .memoryOnly(let reason):
                isMemoryOnly = true
                let text = "the disk takes nothing, readings stay in memory and go to the sinks from there: \(reason)"
                directives.append(.report(Report(.error, text)))
            case .durableAgain:
                isMemoryOnly = false
                directives.append(.report(Report(.notice, "the disk takes readings again")))
            case .evicted(let log, let range, let isPending):
                let gap = Gap(log: log, range: range, reason: isPending ? .evicted : .uploaded)
                lose(gap, now: now, &directives)
                gone(log, range, isPending ? .evicted : .released, now: now, &directives)
            case .damaged(let log, let range, let reason):
                directives.append(.report(Report(.error, "readings \(range) of log \(log) are damaged: \(reason)")))
                lose(Gap(log: log, range: range, reason: .damaged), now: now, &directives)
                gone(log, range, .damaged, now: now, &directives)
            }
        }
        restore(returned, now: now, &directives)
    }

    private mutating func settle(
        log: LogID?, upTo: Offset, version: UInt64, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        if let log { stow(log, upTo: upTo, now: now, &directives) }
        durableVersion = max(durableVersion, version)
        keepPromises(version)
        keptHolds(version, now: now, &directives)
        tellCurrentLog(now: now, &directives)
        settleTickets(upTo: upTo, version: version, &directives)
    }

    /// A crash leaves the readings since the last counts to be counted again at the next start: few enough to be quick at it, and so young
    /// that the ring still has them.
    private mutating func wantCounts(now: MonotonicInstant) {
        let isDue = uncountedReadings >= settings.countsReadings || uncountedBytes >= ring.segmentBytes / 4
        let moment = isDue ? now : now.advanced(by: settings.countsWindow)
        countsDeadline = min(countsDeadline ?? moment, moment)
    }

    mutating func settleTickets(upTo: Offset, version: UInt64, _ directives: inout [GatewayDirective]) {
        var done: [Ticket] = []
        let upTo = min(upTo, acknowledgedEnd)
        var ends: [LogName: Offset] = [:]
        for case let log? in tickets.map(\.ended) where ends[log] == nil { ends[log] = acknowledgedEnd(of: log) }
        tickets.removeAll { open in
            guard open.upTo <= open.ended.flatMap({ ends[$0] }) ?? upTo,
                open.stateVersion.map({ $0 <= version }) ?? false
            else { return false }
            done.append(open.ticket)
            return true
        }
        if !done.isEmpty { directives.append(.settle(done)) }
    }

    /// Readings below `upTo` are safe: on the disk, or at every sink that must have them.
    mutating func stow(
        _ log: LogID, upTo: Offset, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        counted = LedgerPosition(log: log, offset: upTo)
        let count = pending.firstIndex { $0.offset >= upTo } ?? pending.count
        guard count > 0 else { return }
        let stored = pending[..<count].map { StoredReading(log: log, offset: $0.offset, reading: $0.reading) }
        pending.removeFirst(count)
        forEachRun(of: stored.map(\.reading)) { ledger.store($1, from: $0) }
        uncountedReadings += count
        wantCounts(now: now)
        cluster?.bulletin.note(stored, now: now)
        let fresh = downsampling == nil ? stored : stored.filter { !$0.reading.series.isDownsampled }
        for reading in fresh { latest.note(reading) }
        if !fresh.isEmpty { directives.append(.stored(fresh)) }
    }
}
