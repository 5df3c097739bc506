import Environment
import LogFormat
import Model
import RingLog
import Sinks

extension GatewayCore {
    /// Tells every sink how far the current log has come, and how much of it may leave.
    mutating func extendCurrentLog(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let log = ring.currentLog, ring.durableEnd > .zero else { return }
        let end = ring.durableEnd
        let ready = undated.first?.from ?? end
        let event: UploadEvent =
            opened == log
            ? .extended(log, end: end, ready: ready) : .opened(log, end: end, ready: ready, isCurrent: true)
        opened = log
        for index in sinks.indices { stepUpload(index, event, now: now, &directives) }
        if sinks.allSatisfy({ !$0.isRequired }) { release(log) }
    }

    mutating func stepUpload(
        _ index: Int, _ event: UploadEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for directive in sinks[index].machine.step(event, now: now, using: &random) {
            switch directive {
            case .send(let request):
                let plan = ring.readPlan(
                    log: request.log, range: request.range,
                    limit: request.range.lowerBound.distance(to: request.range.upperBound))
                directives.append(.send(sink: index, request, plan))
            case .wake(let moment): uploadWakes[index] = moment
            case .progressChanged(let log):
                let ref = ProgressRef(sink: index, log: log)
                if !dirtyProgress.contains(ref) { dirtyProgress.append(ref) }
                touchState(now: now)
                release(log)
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
        for index in sinks.indices { stepUpload(index, .lost(gap.log, gap.range, gap.loss), now: now, &directives) }
    }

    /// Tells the ring what may leave it silently: what every required sink has taken or given up.
    mutating func release(_ log: LogID) {
        let required = sinks.filter(\.isRequired)
        let end = log == ring.currentLog ? ring.durableEnd : ring.logs.first { $0.log == log }?.end
        if let upTo = required.map({ $0.machine.releasable(log) }).min() ?? end { ring.setReleased(log, upTo: upTo) }
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
