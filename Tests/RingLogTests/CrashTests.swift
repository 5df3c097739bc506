import Environment
import LogFormat
import Model
import Simulator
import Testing

@testable import RingLog

/// Every point at which a short life can be cut off.
struct CrashTests {
    /// Appends, commits and small records, the same each time; `stop` is called before each plan's sync, with the plan's number.
    private func live(_ rig: Rig, isFirst: Bool = false, until stop: (Int) throws -> Bool) throws {
        if !isFirst {
            try rig.put(StateKey(1, "count"), [99])
            rig.commitAll()
        }
        for step in 0..<6 {
            rig.uptime += 1_000_000
            let mark = DeliveryMark(session: "local", message: UInt16(step), hash: UInt64(step))
            try rig.append(
                [
                    reading("a", .number(Double(step)), at: rig.uptime),
                    reading("b", .text("step \(step)"), at: rig.uptime),
                ], mark: mark)
            try rig.put(StateKey(1, "count"), [UInt8(step)])
            let plan = try #require(rig.cut())
            for write in plan.writes { try rig.disk.write(write.bytes, at: write.position) }
            if try stop(step) { return }
            rig.finish(plan, rig.sync())
        }
    }

    @Test(arguments: [2])
    func `a power cut at any commit, with any subset of its sectors on the medium, loses nothing acknowledged`(
        at stop: Int
    ) throws {
        // A block of one unit is eight sectors: all 256 subsets, of every commit behind the first.
        for subset in 0..<256 {
            let rig = try Rig(options: tinyOptions())
            rig.ring.skipZeroFill()
            try live(rig) { $0 == stop }
            #expect(rig.disk.pendingSectors == 8)
            try rig.cutPower { subset >> $0 & 1 == 1 }
            rig.check()
            let log = try #require(rig.acknowledged.keys.first)
            // Padding may be missing where it was zeros before; the first sector never.
            let found = rig.readAll(log).count / 2
            #expect(found == stop + 1 || (found == stop && subset != 255))
            if subset & 1 == 0 { #expect(found == stop) }
        }
    }

    @Test
    func `a power cut in the very first commit leaves a ring that starts`() throws {
        var random = SeededRandom(seed: 11)
        for round in 0..<100 {
            let rig = try Rig(options: tinyOptions())
            rig.ring.skipZeroFill()
            try live(rig, isFirst: true) { $0 == round % 2 }
            let subset = random.next()
            try rig.cutPower { subset >> UInt64($0) & 1 == 1 }
            rig.check()
            try rig.append([reading("a", .number(1), at: 5)])
            rig.commitAll()
            rig.check()
            try rig.cutPower { _ in false }
            rig.check()
        }
    }

    @Test
    func `cutting the power again and again costs one block at most each time, not a segment`() throws {
        let rig = try Rig()
        for _ in 0..<60 {
            try rig.append([reading("a", .number(1), at: rig.uptime)])
            rig.commitAll(maintain: true)
            try rig.cutPower { _ in false }
            rig.check()
        }
        #expect(rig.evicted == 0)
        #expect(Set(rig.ring.logs.map { $0.log }).count == 60)
    }

    @Test
    func `a process that is killed between write and sync finds its readings, and syncs them before it serves them`()
        throws
    {
        let rig = try Rig()
        try live(rig) { $0 == 3 }
        rig.settleMarks()
        let disk = rig.disk.afterKill()
        try rig.restart(on: disk)
        #expect(disk.counts.syncs == 1)
        rig.check()
        let log = try #require(rig.acknowledged.keys.first)
        #expect(rig.readAll(log).count == 8)
    }

    /// Once the footer of a merged segment could arrive where the last merged blocks had not, and hid the readings that were still whole where
    /// they had come from.
    @Test
    func `of the writes of one commit any alone may arrive, merged blocks and footers among them`() throws {
        let rig = try Rig(segments: 12, options: tinyOptions())
        rig.ring.skipZeroFill()
        var footers = 0
        for _ in 0..<150 {
            rig.uptime += 1_000_000
            try rig.append((0..<3).map { reading("d\($0)", .number(Double(rig.uptime) / 7), at: rig.uptime) })
            if let work = rig.ring.maintenance() { rig.note(rig.ring.finished(work.perform(on: rig.disk))) }
            while let plan = rig.cut() {
                rig.settleMarks()
                for write in plan.writes { try rig.disk.write(write.bytes, at: write.position) }
                var first = 0
                for write in plan.writes {
                    let sectors = first..<first + write.bytes.count / SimulatedDisk.sectorBytes
                    first = sectors.upperBound
                    let crashed = Rig(forking: rig)
                    try crashed.restart(on: rig.disk.afterPowerCut { sectors.contains($0) })
                    crashed.check()
                    let segment = tinyOptions().geometry.segmentBytes
                    if (write.position + write.bytes.count) % segment == 0, plan.writes.count > 1 { footers += 1 }
                }
                rig.finish(plan, rig.sync())
            }
        }
        #expect(footers > 10)
    }

    @Test
    func `a disk whose syncs lie loses the end of a log and nothing else`() throws {
        let rig = try Rig()
        try live(rig) { step in
            if step == 2 { rig.disk.lie(true) }
            return false
        }
        let log = try #require(rig.acknowledged.keys.first)
        rig.acknowledged[log] = 4
        rig.puts = [:]
        rig.marks = []
        try rig.cutPower { _ in false }
        rig.check()
        #expect(rig.readAll(log).count == 4)
        try rig.append([reading("a", .number(1), at: 1)])
        rig.commitAll()
        #expect(rig.ring.currentLog != log)
    }
}

/// The smallest ring there can be, for tests that make hundreds of them.
func tinyOptions() -> RingOptions {
    var options = smallOptions()
    options.geometry = Geometry(segmentBytes: 40 << 10, blockBytes: 8 << 10)
    return options
}

extension RingLog {
    /// Takes zero-filling out of the way where a test counts sectors: every segment counts as used once, as on a file system where a first
    /// write costs nothing more than others.
    mutating func skipZeroFill() {
        for index in segments.indices {
            if case .blank = segments[index].state { segments[index].state = .free }
        }
    }
}
