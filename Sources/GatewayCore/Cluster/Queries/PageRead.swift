import Environment
import LogFormat
import Model
import Replication
import RingLog

/// Reads one page for a peer from this gateway's disk.
struct PageRead: Sendable {
    let asked: AskedQuestion
    /// What this gateway has of each part.
    let held: [OffsetRanges]
    let plan: QueryPlan
    let anchors: [ClockAnchor]

    /// Blocks. Work and memory are bounded by the plan's blocks and its limit.
    func perform(on disk: any Disk) -> (outcome: PageOutcome, damage: [DamagedRange]) {
        let wish = asked.question.wish
        let read = plan.perform(on: disk) { wish.matches($0) }
        guard read.failure == nil, !read.overwritten else { return (.failed, read.damage) }
        var names: [LogID: LogName] = [:]
        for part in asked.question.parts { names[part.name.log] = part.name }
        // In the order of the answer, so that what does not fit is what comes last.
        let items = read.readings.compactMap { timed in
            names[timed.stored.log].map {
                ReadingPage.Item(name: $0, offset: timed.stored.offset, reading: timed.stored.reading)
            }
        }
        var held = held
        for damage in read.damage {
            for index in held.indices where asked.question.parts[index].name.log == damage.log {
                held[index].remove(damage.range)
            }
            // A hole may make more ranges than an answer has room for.
            if held.contains(where: { $0.ranges.count > QueryLimits.ranges }) { return (.failed, read.damage) }
        }
        guard !items.isEmpty else { return (.page(held: held, end: read.end, bytes: []), read.damage) }
        var count = items.count
        while count > 0 {
            if let bytes = ReadingPage.encode(Array(items[..<count]), anchors: anchors) {
                let end = count < items.count ? read.readings[count - 1].place : read.end
                return (.page(held: held, end: end, bytes: bytes), read.damage)
            }
            count = count * 3 / 4
        }
        return (.failed, read.damage)
    }
}

enum PageOutcome: Sendable {
    case page(held: [OffsetRanges], end: QueryPlace?, bytes: [UInt8])
    /// Could not be read now.
    case failed
}
