import Environment
import LogFormat
import Model
import RingLog
import Sinks

extension GatewayCore {
    /// When the next block must be cut: the earliest promise to a source, or the patience of state that changed alone.
    var cutDeadline: MonotonicInstant? {
        switch (deadline, stateDeadline) {
        case (let first?, let second?): min(first, second)
        case (let first, let second): first ?? second
        }
    }

    mutating func cutIfDue(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard !isWriting, ring.retryAt.map({ $0 <= now }) ?? true else { return }
        let isBlockFull = ring.waitingBytes >= Self.blockFillBytes
        guard isBlockFull || isStopping || cutDeadline.map({ $0 <= now }) ?? false else { return }
        putChangedState(now: now)
        guard let plan = ring.cut(now: now, using: &random) else {
            deadline = ring.waitingReadings > 0 || !tickets.isEmpty ? deadline : nil
            stateDeadline = nil
            return
        }
        isWriting = true
        // What did not fit goes into the next block, at once.
        deadline = plan.readings < pending.count ? now : nil
        stateDeadline = nil
        directives.append(.write(plan))
    }

    /// A block is at most 64 KiB; waiting longer than for this much would only make the next one late.
    private static let blockFillBytes = 56 * 1024

    /// Puts what changed since the last cut: counters of streams, the position they were taken at, upload progress.
    private mutating func putChangedState(now: MonotonicInstant) {
        var version: UInt64 = 0
        for device in ledger.takeChanged() {
            version = putState(StateKey(StateKind.stream, device.rawValue), ledger[device].record)
        }
        if let log = ring.currentLog {
            let position = LedgerPosition(log: log, offset: ring.durableEnd)
            version = putState(StateKey(StateKind.ledgerPosition, ""), position.record)
        }
        for ref in dirtyProgress {
            let sink = sinks[ref.sink]
            version = putState(sink.progressKey(ref.log), sink.machine.encodedProgress(ref.log))
        }
        dirtyProgress.removeAll()
        for index in tickets.indices where tickets[index].stateVersion == nil { tickets[index].stateVersion = version }
    }

    /// A record that the ring refuses (too large, too many) is left out: counters may then lag after a restart, readings never do.
    @discardableResult
    mutating func putState(_ key: StateKey, _ value: [UInt8]) -> UInt64 {
        (try? ring.put(key, value)) ?? 0
    }

    mutating func written(
        _ id: WritePlan.ID, _ result: Result<Void, DiskError>, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        isWriting = false
        handle(ring.finished(id, result, now: now), now: now, &directives)
        drainBacklog(now: now)
        if let plan = ring.maintenance() { directives.append(.maintain(plan)) }
        if ring.hasWork { touchState(now: now) }
    }

    mutating func handle(_ events: [RingEvent], now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for event in events {
            switch event {
            case .durable(let log, let upTo, let version):
                settle(log: log, upTo: upTo, version: version, now: now, &directives)
            case .failed(let error):
                deadline = now
                directives.append(
                    .report(Report(.error, "commit failed, kept in memory and written elsewhere: \(error)")))
            case .retired(let segment, let reason):
                directives.append(.report(Report(.error, "segment \(segment) is not used any more: \(reason)")))
            case .memoryOnly(let reason):
                directives.append(.report(Report(.error, "the disk takes nothing, readings stay in memory: \(reason)")))
            case .durableAgain:
                directives.append(.report(Report(.notice, "the disk takes readings again")))
            case .evicted(let log, let range, let isPending):
                let gap = Gap(log: log, range: range, reason: isPending ? .evicted : .uploaded)
                lose(gap, now: now, &directives)
            case .damaged(let log, let range, let reason):
                directives.append(.report(Report(.error, "readings \(range) of log \(log) are damaged: \(reason)")))
                lose(Gap(log: log, range: range, reason: .damaged), now: now, &directives)
            }
        }
    }

    private mutating func settle(
        log: LogID?, upTo: Offset, version: UInt64, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        if let log {
            let count = pending.firstIndex { $0.offset >= upTo } ?? pending.count
            let stored = pending[..<count].map { StoredReading(log: log, offset: $0.offset, reading: $0.reading) }
            pending.removeFirst(count)
            if !stored.isEmpty { stow(stored, log: log, now: now, &directives) }
        }
        let done = tickets.filter { $0.upTo <= upTo && ($0.stateVersion.map { $0 <= version } ?? false) }
        if !done.isEmpty {
            tickets.removeAll { open in done.contains { $0.ticket == open.ticket } }
            directives.append(.settle(done.map(\.ticket)))
        }
    }

    private mutating func stow(
        _ stored: [StoredReading], log: LogID, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        forEachRun(of: stored.map(\.reading)) { ledger.store($1, from: $0) }
        touchState(now: now)
        if let first = stored.first(where: { !$0.reading.stamp.isTrusted }) {
            undated.append((first.offset, now.advanced(by: settings.clockWait)))
        }
        for reading in stored { latest.note(reading) }
        directives.append(.stored(stored))
        extendCurrentLog(now: now, &directives)
    }
}
