package import Environment
import LogFormat
import Model

extension RingLog {
    /// Takes the result of a plan in. An `id` that is not outstanding is a fault of the caller.
    package mutating func finished(
        _ id: WritePlan.ID, _ result: Result<Void, DiskError>, now: MonotonicInstant
    ) -> [RingEvent] {
        guard let plan = inFlight, plan.id == id else {
            preconditionFailure("plan \(id) is finished, outstanding is \(inFlight.map { "\($0.id)" } ?? "none")")
        }
        inFlight = nil
        switch result {
        case .success where plan.isProbe: return answered(plan)
        case .failure(let error) where plan.isProbe: return unanswered(error, now: now)
        case .success: return succeeded(plan)
        case .failure(let error): return failed(plan, error, now: now)
        }
    }

    private mutating func succeeded(_ plan: InFlight) -> [RingEvent] {
        // What was given up while the plan was put together comes first: the plan may have brought it back.
        var events = takeEvents()
        if health.memoryOnly != nil { events.append(.durableAgain) }
        health = Health()
        isSettled = true
        if plan.hasRolled { isBlank = false }
        counters.commits += 1
        census = nil
        counters.bytesWritten += plan.bytes
        if let (unit, block) = plan.block, let segment = hot?.segment {
            for run in block.runs {
                insert(run, segment: segment, unit: unit, units: block.units)
                if run.log == currentLog { durableEnd = max(durableEnd, run.range.upperBound) }
                noteCopied(run, &events)
            }
            if !block.runs.isEmpty {
                hot?.blocks.append(BlockEntry(unit: unit, units: block.units, runs: block.runs))
            }
            counters.readingsStored += plan.items.reduce(0) { $0 + $1.readings.count }
            if plan.endsSnapshot { segments[segment].hasSnapshot = true }
        }
        for item in plan.copies {
            copyQueue.forget(item)
            noteRestored(item, &events)
        }
        for item in plan.items {
            guard let mark = item.mark else { continue }
            waiting.forget(mark)
            records.remember(mark)
        }
        for segment in plan.frees where segments[segment].state == .leaving { segments[segment].state = .free }
        for write in plan.background { settle(write) }
        settleCold()
        freeEmpty()
        events.append(.durable(log: currentLog, upTo: durableEnd, stateVersion: plan.version))
        return events + takeEvents()
    }

    /// The medium works again: the next cut is a commit, at once. Until one is durable the disk stays what it was held to be.
    private mutating func answered(_ plan: InFlight) -> [RingEvent] {
        counters.bytesWritten += plan.bytes
        health.isInDoubt = false
        health.probes = 0
        health.retryAt = nil
        return takeEvents()
    }

    private mutating func unanswered(_ error: DiskError, now: MonotonicInstant) -> [RingEvent] {
        var events: [RingEvent] = [.failed(error)]
        counters.failedCommits += 1
        health.probes += 1
        noteFailure(error, now: now, &events)
        return events + takeEvents()
    }

    private mutating func noteFailure(_ error: DiskError, now: MonotonicInstant, _ events: inout [RingEvent]) {
        health.failuresInRow += 1
        health.retryAt = now.advanced(by: health.pause)
        guard health.memoryOnly == nil else { return }
        guard error.code == .readOnly || health.failuresInRow >= Health.mostFailures else {
            // The first failures are answered at once, elsewhere.
            health.retryAt = nil
            return
        }
        health.memoryOnly = error.message
        events.append(.memoryOnly(reason: error.message))
    }

    /// A run of a copy is durable, and no longer lost should it have been.
    private mutating func noteCopied(_ run: Run, _ events: inout [RingEvent]) {
        guard let node = indexes[run.log]?.origin.node else { return }
        if indexes[run.log]?.fillGap(run.range) == true { records.forgetGap(of: run.log, run.range) }
        counters.copiesStored += run.count
        events.append(.copied(LogName(node: node, log: run.log), run.range))
    }

    /// What damage had taken of an own log is durable again.
    private mutating func noteRestored(_ item: WaitingCopies.Item, _ events: inout [RingEvent]) {
        guard indexes[item.log]?.origin == .own, indexes[item.log]?.fillGap(item.range) == true else { return }
        records.forgetGap(of: item.log, item.range)
        counters.restored += item.readings.count
        var devices: [DeviceID: Int] = [:]
        for reading in item.readings { devices[reading.series.device, default: 0] += 1 }
        events.append(.restored(item.log, item.range, devices: devices))
    }

    /// Adds a run to the index and to its segment's count.
    mutating func insert(_ run: Run, segment: Int, unit: Int, units: Int) {
        insert(IndexEntry(run, segment: segment, unit: unit, units: units), of: run.log)
    }

    /// Returns how many readings of the entry were not in the index.
    @discardableResult
    mutating func insert(_ entry: IndexEntry, of log: LogID) -> Int {
        let added = indexes[log, default: LogIndex()].insert(entry)
        segments[Int(entry.segment)].held += added
        return added
    }

    /// All merged blocks are durable: the cold segment goes on from behind them.
    private mutating func settleCold() {
        guard background.queue.isEmpty, !background.isMerging, let head = background.headAfter else { return }
        if background.sealsCold {
            segments[head.segment].state = .sealed
            leaveCold(head)
        } else {
            cold = head
        }
        background = Background()
    }

    private mutating func failed(_ plan: InFlight, _ error: DiskError, now: MonotonicInstant) -> [RingEvent] {
        var events: [RingEvent] = [.failed(error)]
        counters.failedCommits += 1
        waiting.putBack(plan.items)
        copyQueue.putBack(plan.copies)
        records.putBack(plan.taken, snapshotToo: true)
        if plan.endsSnapshot { records.snapshotIsOpen = true }
        dropBackground()
        if error.isOfTheMedium {
            health.isInDoubt = true
            for segment in plan.touches {
                segments[segment].state = .retired
                events.append(.retired(segment: segment, reason: error.message))
            }
            // Half-written or not, no block follows there; the next commit opens another segment and repeats everything.
            if let hot, plan.touches.contains(hot.segment) { leaveHot() }
            if let cold, plan.touches.contains(cold.segment) { leaveCold(cold) }
        } else {
            // The medium is sound, only closed to us.
            if plan.hasRolled, let next = hot?.segment {
                segments[next] = plan.segmentsBefore[next]
                if let old = plan.hotBefore?.segment { segments[old].state = plan.segmentsBefore[old].state }
                // The next roll starts a new one; until then the segment just does not count as having a snapshot.
                records.snapshot = []
                records.snapshotIsOpen = false
            }
            if plan.hasRolled || plan.block == nil || !leavesRefused {
                // The same places are written again from the start later: a segment opened anew has another generation then.
                hot = plan.hotBefore
            } else if let hot {
                segments[hot.segment].state = .sealed
                leaveHot()
            }
        }
        noteFailure(error, now: now, &events)
        return events + takeEvents()
    }

    /// A refused block may lie where it belongs all the same. Were another one written over it, and that write went astray, the old one would
    /// be whole, of the right generation, and be read with names that came later. So the segment gets no more, unless the ring is so full
    /// that something would have to go for it.
    private var leavesRefused: Bool { usable > 2 }

    /// Merged blocks that were on their way are given up: their sources still stand.
    private mutating func dropBackground() {
        guard !background.isMerging, let head = background.headAfter else { return }
        let wasWritten = background.hasWritten
        background = Background()
        guard wasWritten else { return }
        // Blocks of it may have become durable before: the segment keeps them, and gets no more.
        segments[head.segment].state = .sealed
        leaveCold(head)
    }

    private mutating func leaveHot() {
        if let hot { keepTable(hot.segment, hot.generation, hot.dictionary.table) }
        hot = nil
    }

    private mutating func leaveCold(_ head: Head) {
        keepTable(head.segment, head.generation, head.dictionary.table)
        cold = nil
    }

    /// Events that no step has returned yet, such as what ``cut(now:using:)`` found.
    package mutating func takeEvents() -> [RingEvent] {
        defer { pendingEvents = [] }
        return pendingEvents
    }
}

extension DiskError {
    /// Whether the place that was written to is in doubt, rather than the disk closed to us.
    fileprivate var isOfTheMedium: Bool { code == .failed || code == .outOfRange }
}
