import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// Small rings, so that tests reach every corner: 64 KiB segments with blocks of up to 16 KiB.
let smallGeometry = Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)

func smallOptions() -> RingOptions {
    var options = RingOptions()
    options.geometry = smallGeometry
    options.pendingBytes = 256 << 10
    options.backgroundBytes = 32 << 10
    options.marksKept = 512
    return options
}

let boot = BootID(high: 1, low: 2)
let wallBase: Int64 = 1_763_700_000_000_000

func reading(
    _ device: String, _ value: Value, at uptime: Int64, trusted: Bool = true,
    quality: Quality = .good, deviceTime: Milliseconds? = nil
) -> Reading {
    Reading(
        series: Series(device: DeviceID(device), metric: "value", unit: "°C"),
        stamp: Stamp(
            boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(wallBase), isTrusted: trusted),
        value: value, quality: quality, deviceTime: deviceTime)
}

/// A ring on a simulated disk beside a plain model of what was given to it and what it promised.
final class Rig {
    var disk: SimulatedDisk
    var ring: RingLog
    var report: RecoveryReport
    let options: RingOptions
    var random: SeededRandom
    var now = MonotonicInstant(nanoseconds: 0)
    var uptime: Int64 = 1_000_000

    /// Everything appended, by log; the present process' log as well, once it has an id.
    var appended: [LogID: [Reading]] = [:]
    /// Appended by this process; the offsets are the positions.
    var present: [Reading] = []
    /// One past the last offset acknowledged, by log.
    var acknowledged: [LogID: Int] = [:]
    var released: [LogID: Int] = [:]
    /// Values by key and version; up to ``durableVersion`` they are promised.
    var puts: [StateKey: [(version: UInt64, value: [UInt8])]] = [:]
    var durableVersion: UInt64 = 0
    var marks: [(mark: DeliveryMark, log: LogID?, end: Int)] = []
    var events: [RingEvent] = []
    var evicted = 0
    /// What copies were offered, by log, and what of it the ring said is durable and has not said is gone.
    var offered: [LogName: Set<UInt64>] = [:]
    var copied: [LogName: Set<UInt64>] = [:]
    private var logsSeen: Set<LogID> = []

    init(segments: Int = 8, seed: UInt64 = 1, options: RingOptions = smallOptions()) throws {
        self.options = options
        random = SeededRandom(seed: seed)
        disk = SimulatedDisk(size: segments * options.geometry.segmentBytes)
        let opened = try RingLog.open(disk: disk, options: options, using: &random)
        ring = opened.ring
        report = opened.report
    }

    /// Another one in the same state, on a disk of its own. Nothing may be pending.
    init(forking rig: Rig) {
        (disk, ring, report) = (SimulatedDisk(contents: rig.disk.contents), rig.ring, rig.report)
        (options, random, now, uptime) = (rig.options, rig.random, rig.now, rig.uptime)
        (appended, present, acknowledged, released) = (rig.appended, rig.present, rig.acknowledged, rig.released)
        (puts, durableVersion, marks, logsSeen) = (rig.puts, rig.durableVersion, rig.marks, rig.logsSeen)
        (offered, copied) = (rig.offered, rig.copied)
    }

    func append(_ readings: [Reading], mark: DeliveryMark? = nil) throws {
        let range = try ring.append(Entry(readings, mark: mark))
        #expect(range.lowerBound.rawValue == UInt64(present.count))
        #expect(range.lowerBound.distance(to: range.upperBound) == readings.count)
        present.append(contentsOf: readings)
        if let mark { marks.append((mark, nil, present.count)) }
    }

    func put(_ key: StateKey, _ value: [UInt8]) throws {
        let version = try ring.put(key, value)
        puts[key, default: []].append((version, value))
    }

    /// Cuts the next plan and notes which log this process writes.
    func cut() -> WritePlan? {
        let plan = ring.cut(now: now, using: &random)
        if let log = ring.currentLog {
            if appended[log] == nil { #expect(logsSeen.insert(log).inserted, "log id \(log) was used before") }
            appended[log] = present
        }
        return plan
    }

    func finish(_ plan: WritePlan, _ result: Result<Void, DiskError>) {
        note(ring.finished(plan.id, result, now: now))
    }

    func note(_ new: [RingEvent]) {
        events.append(contentsOf: new)
        for event in new {
            switch event {
            case .durable(let log, let upTo, let version):
                if let log { acknowledged[log] = Int(upTo.rawValue) }
                #expect(version >= durableVersion)
                durableVersion = version
            case .copied(let name, let range):
                copied[name, default: []].formUnion(range.lowerBound.rawValue..<range.upperBound.rawValue)
            case .evicted(let log, let range, _) where lose(log, range): break
            case .damaged(let log, let range, _) where lose(log, range): break
            case .evicted(let log, let range, let pending):
                evicted += range.lowerBound.distance(to: range.upperBound)
                if !pending { #expect(Int(range.upperBound.rawValue) <= released[log] ?? 0) }
            default: break
            }
        }
    }

    /// What the disk's sync answers.
    func sync() -> Result<Void, DiskError> {
        do { return .success(try disk.sync()) } catch { return .failure(error) }
    }

    /// Commits until nothing is left to do; stops after `limit` commits.
    func commitAll(limit: Int = 1000, maintain: Bool = false) {
        for _ in 0..<limit {
            if maintain, let work = ring.maintenance() { note(ring.finished(work.perform(on: disk))) }
            guard let plan = cut() else { return }
            finish(plan, plan.perform(on: disk))
        }
    }

    func release(_ log: LogID, upTo offset: Int) {
        guard ring.logs.contains(where: { $0.log == log }) else { return }
        ring.setReleased(log, upTo: Offset(UInt64(offset)))
        released[log] = max(released[log] ?? 0, offset)
    }

    /// A new process on `disk`.
    func restart(on disk: SimulatedDisk, options: RingOptions? = nil) throws {
        self.disk = disk
        let opened = try RingLog.open(disk: disk, options: options ?? self.options, using: &random)
        ring = opened.ring
        report = opened.report
        // A start may have had to give copies up.
        note(ring.takeEvents())
        present = []
        for (key, versions) in puts {
            // No value and an empty one are the same. A later process counts versions anew.
            let value = ring.state(key) ?? []
            let newest = versions.last { $0.version <= durableVersion }
            var possible = versions.filter { $0.version >= newest?.version ?? 0 }.map { $0.value }
            if newest == nil { possible.append([]) }
            #expect(possible.contains(value), "\(key): \(value) is none of \(possible)")
            puts[key] = [(version: UInt64(0), value: value)]
        }
        durableVersion = 0
        let marks = marks
        self.marks = []
        for (mark, log, end) in marks.suffix(16) {
            if let log, end <= acknowledged[log] ?? 0 {
                let isKnown = ring.isDurable(mark)
                #expect(isKnown, "\(mark) is forgotten")
                self.marks.append((mark, log, end))
            }
        }
    }

    /// Ties the marks of this process to its log.
    func settleMarks() {
        guard let log = ring.currentLog else { return }
        marks = marks.map { ($0.mark, $0.log ?? log, $0.end) }
    }

    /// Cuts the power: of the sectors not yet synced `keeping` says which arrived.
    func cutPower(keeping: (Int) -> Bool) throws {
        settleMarks()
        try restart(on: disk.afterPowerCut(keeping: keeping))
    }

    func readAll(_ log: LogID) -> [StoredReading] {
        var found: [StoredReading] = []
        var next = Offset.zero
        let end = ring.logs.first { $0.log == log }?.end ?? .zero
        while next < end {
            let result = ring.readPlan(log: log, range: next..<end, limit: 700).perform(on: disk)
            #expect(result.damage.isEmpty && !result.overwritten && result.failure == nil, "\(result.damage)")
            found.append(contentsOf: result.readings)
            guard result.next > next else { break }
            next = result.next
        }
        return found
    }

    /// Everything acknowledged is read back exactly, once, in order, or stands in a gap that may be there.
    func check(allowsDamage: Bool = false) {
        checkCopies()
        for log in appended.keys.sorted() {
            let given = appended[log] ?? []
            let acknowledged = acknowledged[log] ?? 0
            guard let summary = ring.logs.first(where: { $0.log == log }) else {
                // Forgotten: then all of it had been given up, or nothing of it acknowledged.
                continue
            }
            #expect(Int(summary.end.rawValue) >= acknowledged, "log \(log) ends at \(summary.end)")
            #expect(Int(summary.end.rawValue) <= given.count)
            var covered = [Bool](repeating: false, count: Int(summary.end.rawValue))
            for stored in readAll(log) {
                let offset = Int(stored.offset.rawValue)
                #expect(stored.reading == given[offset], "log \(log) offset \(offset)")
                #expect(!covered[offset], "log \(log) offset \(offset) comes twice")
                covered[offset] = true
            }
            for gap in ring.gaps(of: log) {
                if !allowsDamage { #expect(gap.reason != .damaged, "\(gap)") }
                if gap.reason == .uploaded { #expect(Int(gap.range.upperBound.rawValue) <= released[log] ?? 0) }
                for offset in Int(gap.range.lowerBound.rawValue)..<Int(gap.range.upperBound.rawValue) {
                    #expect(!covered[offset], "log \(log) offset \(offset) is read and in a gap")
                    covered[offset] = true
                }
            }
            #expect(
                covered.allSatisfy { $0 }, "log \(log): \(covered.count { !$0 }) offsets are neither read nor in a gap")
        }
    }
}
