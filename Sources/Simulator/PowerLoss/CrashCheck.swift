import Environment
import GatewayCore
import LogFormat
import Model
import Replication
import RingLog

// What a start on an image must find. `promised`: the promise that stood when the power went.
//
// | rule | must hold                                                                                                      |
// |------|----------------------------------------------------------------------------------------------------------------|
// | P1   | the ring opens                                                                                                 |
// | P2   | every reading that is promised is held; what was given up by then is promised no more, and to make room the    |
// |      | start itself may give copies up, and says so                                                                   |
// | P3   | whatever is held can be read, and is bit by bit what was once stored there                                     |
// | P4   | of an own log every offset below its end is held or in a named gap, none of them for damage                    |
// | P5   | no log and no offset that was never given out                                                                  |
// | P6   | each small record has its durable value or one put since                                                       |
// | P7   | messages that were answered are known again                                                                    |
// | P8   | (every 16th image) one more reading can be committed, and after one more start it and the old ones are there    |
// | P9   | (every 64th image) the core starts on it, and its counts balance                                               |

/// Something that a start after a power cut did not find as it was promised.
package struct CrashFailure: Error, Hashable, CustomStringConvertible {
    package let rule: String
    package let text: String

    package var description: String { "\(rule): \(text)" }
}

/// Opens one image and compares it with what was promised.
struct CrashCheck {
    let options: RingOptions
    let truth: DiskTruth
    let open: PowerLoss.Opener
    /// Places whose contents have been compared already.
    private var known: Set<Known> = []
    private var random = SeededRandom(seed: 7)

    private struct Known: Hashable {
        let contents: UInt64
        let check: ScrubPlan
    }

    /// Bounds the memory that remembering takes; what is forgotten is only compared again.
    private static let mostKnown = 100_000

    init(options: RingOptions, truth: DiskTruth, open: @escaping PowerLoss.Opener) {
        self.options = options
        self.truth = truth
        self.open = open
    }

    mutating func perform(
        _ image: DiskReplay.Image, _ promised: DiskPromise, goesOn: Bool, resumes: Bool
    ) -> CrashFailure? {
        let disk = SimulatedDisk(image.contents)
        do {
            var (ring, report) = try opened(disk)
            try checkHeld(ring, promised, givenUp: ring.takeEvents())
            try checkContents(ring, disk, image)
            try checkLogs(ring, promised, report)
            if promised.isAboutRecords { try checkRecords(ring, promised) }
            if goesOn { try goOn(ring, disk, promised) }
            if resumes { try resume(ring, disk) }
            return nil
        } catch {
            return error
        }
    }

    private mutating func opened(_ disk: SimulatedDisk) throws(CrashFailure) -> (RingLog, RecoveryReport) {
        do { return try open(disk, options, &random) } catch {
            throw CrashFailure(rule: "P1", text: "the start is refused: \(error)")
        }
    }

    private func checkHeld(
        _ ring: RingLog, _ promised: DiskPromise, givenUp: [RingEvent]
    ) throws(CrashFailure) {
        for log in promised.logs {
            var held = OffsetRanges(ring.ranges(of: log.log))
            for case .evicted(log.log, let range, _) in givenUp where !log.isOwn { held.insert(range) }
            for range in log.held where !held.contains(range) {
                throw CrashFailure(
                    rule: "P2",
                    text: "of log \(log.log) \(range) is promised, \(held.ranges) is held, "
                        + "gaps are \(ring.gaps(of: log.log))")
            }
        }
    }

    private mutating func checkContents(
        _ ring: RingLog, _ disk: SimulatedDisk, _ image: DiskReplay.Image
    ) throws(CrashFailure) {
        if known.count > Self.mostKnown { known = [] }
        for check in ring.scrubPlans {
            let item = Known(contents: image.sum(of: check.segment), check: check)
            guard !known.contains(item) else { continue }
            var wrong: StoredReading?
            let result = check.perform(on: disk) { stored in
                if truth.reading(stored.log, stored.offset) != stored.reading { wrong = wrong ?? stored }
            }
            if let wrong {
                let right = truth.reading(wrong.log, wrong.offset)
                throw CrashFailure(
                    rule: right == nil ? "P5" : "P3",
                    text: "log \(wrong.log) offset \(wrong.offset): \(wrong.reading), not \(String(describing: right))")
            }
            guard result.damage.isEmpty, result.failure == nil else {
                let first = result.damage.first
                throw CrashFailure(
                    rule: "P3",
                    text: "what is held in segment \(check.segment) cannot be read: "
                        + "\(result.damage.count) ranges, the first \(first?.range as Any) of log \(first?.log as Any) "
                        + "(\(first.map { ring.isCopy($0.log) } ?? false ? "a copy" : "own")), \(first?.reason as Any)")
            }
            known.insert(item)
        }
    }

    private func checkLogs(
        _ ring: RingLog, _ promised: DiskPromise, _ report: RecoveryReport
    ) throws(CrashFailure) {
        guard report.damagedReadings == 0 else {
            throw CrashFailure(rule: "P4", text: "damage without a fault: \(report.sentences)")
        }
        for log in ring.logs {
            guard let known = promised.logs.first(where: { $0.log == log.log && $0.isOwn }) else {
                throw CrashFailure(rule: "P5", text: "log \(log.log), which nobody minted")
            }
            guard log.end <= known.end else {
                throw CrashFailure(rule: "P5", text: "log \(log.log) ends at \(log.end), given out is \(known.end)")
            }
            var covered = ring.ranges(of: log.log)
            covered += ring.gaps(of: log.log).map(\.range)
            var next = Offset.zero
            for range in covered.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                guard range.lowerBound == next else { break }
                next = range.upperBound
            }
            guard next == log.end else {
                throw CrashFailure(
                    rule: "P4",
                    text: "log \(log.log) up to \(log.end): \(next) is neither held nor in a gap, or in both")
            }
        }
        for copy in ring.copies where !promised.logs.contains(where: { $0.log == copy.log && !$0.isOwn }) {
            throw CrashFailure(rule: "P5", text: "a copy of log \(copy.log), which was never taken in")
        }
    }

    private func checkRecords(_ ring: RingLog, _ promised: DiskPromise) throws(CrashFailure) {
        for (key, value) in ring.states where !(promised.states[key] ?? []).contains(value) {
            throw CrashFailure(rule: "P6", text: "\(key) is \(value), not of \(promised.states[key] ?? [])")
        }
        for key in promised.kept where ring.state(key) == nil {
            throw CrashFailure(rule: "P6", text: "\(key) is gone")
        }
        for mark in promised.marks where !ring.isDurable(mark) {
            throw CrashFailure(rule: "P7", text: "\(mark) is forgotten")
        }
    }

    /// One commit more, and one start more behind it.
    private mutating func goOn(
        _ opened: RingLog, _ disk: SimulatedDisk, _ promised: DiskPromise
    ) throws(CrashFailure) {
        var ring = opened
        var now = MonotonicInstant(nanoseconds: 0)
        do { _ = try ring.append(Entry([Self.extra])) } catch {
            throw CrashFailure(rule: "P8", text: "nothing can be appended: \(error)")
        }
        // A ring without room makes some first; what that evicts is named, and so not missed here.
        for _ in 0..<64 where ring.durableEnd == .zero {
            now = now.advanced(by: .seconds(1))
            guard let plan = ring.cut(now: now, using: &random) else { continue }
            _ = ring.finished(plan.id, plan.perform(on: disk), now: now)
        }
        guard let log = ring.currentLog, ring.durableEnd == Offset(1) else {
            throw CrashFailure(rule: "P8", text: "one more reading cannot be committed: \(ring.statistics)")
        }
        let (again, _) = try self.opened(disk)
        guard again.ranges(of: log) == [.zero..<Offset(1)] else {
            throw CrashFailure(rule: "P8", text: "what was committed after the start is gone at the next")
        }
        for known in promised.logs where known.isOwn && ring.ranges(of: known.log) != again.ranges(of: known.log) {
            throw CrashFailure(
                rule: "P8",
                text: "log \(known.log) has \(again.ranges(of: known.log)) after one more start, not "
                    + "\(ring.ranges(of: known.log))")
        }
    }

    private static let extra = Reading(
        series: Series(device: DeviceID("after"), metric: "value"),
        stamp: Stamp(
            boot: BootID(high: 9, low: 9), uptime: Microseconds(1), wallOffset: Microseconds(0), isTrusted: true),
        value: .number(-1))

    private func resume(_ ring: RingLog, _ disk: SimulatedDisk) throws(CrashFailure) {
        let (core, _) = GatewayCore.resume(
            ring: ring, disk: disk, sinks: [], settings: GatewayCore.Settings(), random: SeededRandom(seed: 1),
            now: MonotonicInstant(nanoseconds: 0))
        guard core.isBalanced else { throw CrashFailure(rule: "P9", text: "the counts do not balance: \(core.ledger)") }
    }
}
