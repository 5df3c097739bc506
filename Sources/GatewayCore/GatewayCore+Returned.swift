import Environment
import Model
import Replication
import RingLog
import Sinks

/// What damage had taken of own logs and one commit has brought back, log by log.
struct ReturnedReadings {
    struct Part {
        let log: LogID
        /// Ascending, disjoint.
        var ranges: [Range<Offset>] = []
        /// Whose they are.
        var devices: [DeviceID: Int] = [:]
    }

    private(set) var parts: [Part] = []

    mutating func note(_ log: LogID, _ range: Range<Offset>, _ devices: [DeviceID: Int]) {
        let index = parts.firstIndex { $0.log == log } ?? parts.endIndex
        if index == parts.endIndex { parts.append(Part(log: log)) }
        let place = parts[index].ranges.firstIndex { $0.lowerBound > range.lowerBound } ?? parts[index].ranges.endIndex
        parts[index].ranges.insert(range, at: place)
        parts[index].devices.merge(devices) { $0 + $1 }
    }
}

// It was counted as a loss, and is none.
//
// | of what came back               | then                                                                                  |
// |---------------------------------|---------------------------------------------------------------------------------------|
// | counted damaged at a sink       | pending there once more; the watermark goes back                                      |
// | uploaded before it was lost     | held again, and nothing else                                                          |
// | counted by an earlier process   | which of the log's readings those were is not known: pending, a double beats a loss   |
extension GatewayCore {
    mutating func restore(
        _ returned: ReturnedReadings, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        for part in returned.parts {
            guard let name = name(of: part.log) else { continue }
            let count = part.ranges.reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) }
            let text = "\(count) readings of log \(part.log) that were damaged here have come back from peers"
            directives.append(.report(Report(.notice, text)))
            for range in part.ranges { stepReplication(.held(name, range), now: now, &directives) }
            holdingsChanged(name, now: now, &directives)
            for index in sinks.indices { reopen(index, part, name, now: now, &directives) }
            // What was about to be released may be needed again.
            for index in promises.indices { promises[index].releases.removeAll { $0.log == part.log } }
            if let upTo = releasable(part.log) { ring.takeBackRelease(part.log, to: upTo) }
        }
    }

    private mutating func reopen(
        _ index: Int, _ part: ReturnedReadings.Part, _ name: LogName, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        let before = sinks[index].machine.counts(part.log)
        let event = UploadEvent.restored(part.log, part.ranges, lost: ring.losses(of: part.log))
        stepUpload(index, event, now: now, &directives)
        let after = sinks[index].machine.counts(part.log)
        guard after.settled < before.settled else { return }
        for fate in before.fates where before[fate] > after[fate] {
            sinks[index].account.reopen(before[fate] - after[fate], fate, of: part.devices)
        }
        guard let sink = cluster?.setup.sinks[index] else { return }
        let pending = part.ranges.flatMap { sinks[index].machine.pending(part.log, in: $0) }
        stepDuty(.restored(sink, name, OffsetRanges(pending)), now: now, &directives)
    }
}
