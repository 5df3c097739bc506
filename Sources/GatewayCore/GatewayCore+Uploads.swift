import Environment
import LogFormat
import Membership
import Model
import Replication
import RingLog
import Sinks

extension GatewayCore {
    /// Where the readings end that sinks may be told of: on the disk, or in RAM while there is no disk.
    private var uploadEnd: Offset {
        isMemoryOnly ? pending.last?.offset.advanced(by: 1) ?? ring.durableEnd : ring.durableEnd
    }

    /// Tells every sink how far the current log has come, where that is news.
    mutating func extendCurrentLog(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let log = ring.currentLog else { return }
        let end = max(uploadEnd, told?.end ?? .zero)
        let ready = max(min(end, undated.first?.from ?? end), told?.ready ?? .zero)
        guard end > .zero, told.map({ $0.log != log || $0.end < end || $0.ready < ready }) ?? true else { return }
        let event: UploadEvent =
            told?.log == log
            ? .extended(log, end: end, ready: ready) : .opened(log, end: end, ready: ready, isCurrent: true)
        told = (log, end, ready)
        for index in sinks.indices { stepUpload(index, event, now: now, &directives) }
        if sinks.allSatisfy({ !$0.isRequired }) { release(log) }
    }

    /// Lets older logs go whose time has come; all of them where `moment` is `nil`.
    mutating func letGo(until moment: MonotonicInstant?, now: MonotonicInstant, _ directives: inout [GatewayDirective])
    {
        let due = held.filter { hold in moment.map { hold.until <= $0 } ?? true }
        guard !due.isEmpty else { return }
        held.removeAll { hold in due.contains { $0.log == hold.log } }
        for hold in due {
            let event = UploadEvent.extended(hold.log, end: hold.end, ready: hold.end)
            for index in sinks.indices { stepUpload(index, event, now: now, &directives) }
        }
    }

    /// Without a disk, what every sink has that must have it (every sink, where none must) is safe, and leaves RAM.
    mutating func takeReceipts(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard isMemoryOnly, !isWriting, let log = ring.currentLog else { return }
        let required = sinks.filter(\.isRequired)
        let judges = required.isEmpty ? sinks : required
        guard let upTo = judges.map({ $0.machine.releasable(log) }).min() else { return }
        ring.releaseWaiting(upTo: max(upTo, ring.durableEnd))
        stow(log, upTo: ring.durableEnd, now: now, &directives)
        // Counters can wait for the disk, sources cannot.
        for index in tickets.indices { tickets[index].stateVersion = tickets[index].stateVersion ?? 0 }
        settleTickets(upTo: ring.durableEnd, version: .max, &directives)
        drainBacklog(now: now)
        extendCurrentLog(now: now, &directives)
    }

    /// What a send of `request` is read from.
    private func source(of request: SendRequest) -> SendSource {
        let (lower, upper) = (request.range.lowerBound, request.range.upperBound)
        let limit = lower.distance(to: upper)
        let plan = ring.readPlan(log: request.log, range: request.range, limit: limit)
        let owner = name(of: request.log).flatMap { name -> SendSource.Owner? in
            guard name.node != cluster?.node else { return nil }
            return SendSource.Owner(node: name.node, name: cluster?.membership.member(name.node)?.identity.name)
        }
        guard request.log == ring.currentLog, upper > ring.durableEnd else {
            return SendSource(plan: plan, memory: [], owner: owner)
        }
        let from = max(lower, ring.durableEnd)
        return SendSource(
            plan: plan, memory: ring.waiting(from: from, limit: from.distance(to: upper)), owner: owner)
    }

    mutating func stepUpload(
        _ index: Int, _ event: UploadEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for directive in sinks[index].machine.step(event, now: now, using: &random) {
            switch directive {
            case .send(let request):
                directives.append(.send(sink: index, request, source(of: request)))
            case .wake(let moment): uploadWakes[index] = moment
            case .settled(let settled):
                if !settled.isRelayed { book(index, settled) }
                tellDuty(index, settled, now: now, &directives)
            case .progressChanged(let log):
                let ref = ProgressRef(sink: index, log: log)
                if !dirtyProgress.contains(ref) { dirtyProgress.append(ref) }
                touchState(now: now)
            case .refused(let log, let offset, let reason):
                let text = "sink \(sinks[index].name) refuses reading \(offset) of log \(log): \(reason)"
                directives.append(.report(Report(.warning, text)))
            case .logFinished: break
            case .alarm(let text): directives.append(.report(Report(.warning, "sink \(sinks[index].name): \(text)")))
            case .recovered(let text): directives.append(.report(Report(.notice, "sink \(sinks[index].name): \(text)")))
            }
        }
    }

    /// Readings that will never come: evicted, damaged, or gone before a sink was configured.
    mutating func lose(_ gap: Gap, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard !ring.isCopy(gap.log) else { return }
        for index in sinks.indices { stepUpload(index, .lost(gap.log, gap.range, gap.loss), now: now, &directives) }
    }

    /// What of `log` may leave the ring silently: what every required sink has taken or given up.
    func releasable(_ log: LogID) -> Offset? {
        if holdsReleases { return nil }
        let required = sinks.filter(\.isRequired)
        let own = required.map { $0.machine.releasable(log) }.min() ?? durableEnd(of: log)
        // In a covey others may require sinks that this gateway does not have.
        guard let name = name(of: log), let inCovey = cluster?.duty.releasableHere(name) else { return own }
        return own.map { min($0, inCovey) } ?? inCovey
    }

    private func durableEnd(of log: LogID) -> Offset? {
        if log == ring.currentLog { return ring.durableEnd }
        return ring.logs.first { $0.log == log }?.end ?? ring.copiedLog(log)?.end
    }

    /// Tells the ring so at once: where the progress behind it is durable already, or no sink is required.
    mutating func release(_ log: LogID) {
        if let upTo = releasable(log) { ring.setReleased(log, upTo: upTo) }
    }
}

extension RingLog {
    /// What of an own log is gone, but for what no sink was to have any more.
    func losses(of log: LogID) -> [LostRange] {
        gaps(of: log).filter { $0.reason != .uploaded }.map { LostRange($0.range, $0.loss) }
    }
}

extension Gap {
    var loss: UploadLoss {
        switch reason {
        case .evicted: .evicted(reason: "ring-full")
        case .damaged: .damaged
        case .uploaded: .evicted(reason: "before-sink")
        }
    }
}
