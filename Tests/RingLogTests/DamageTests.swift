import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// Everything that can be found wrong at a start: named, set aside, and the rest served.
struct DamageTests {
    /// A ring of some segments, all merged but the newest, and one log of 6000 readings.
    private func filled(segments: Int = 12, maintain: Bool = true) throws -> (rig: Rig, log: LogID) {
        let rig = try Rig(segments: segments)
        for index in 0..<60 {
            rig.uptime += 1_000_000
            try rig.append((0..<100).map { reading("d\($0)", .number(Double(index)), at: rig.uptime + Int64($0)) })
            rig.commitAll(maintain: maintain)
        }
        rig.check()
        return (rig, try #require(rig.ring.currentLog))
    }

    /// Restarts on contents that `change` has spoiled, and checks that whatever is missing is a named gap.
    private func restart(
        _ rig: Rig, _ log: LogID, change: (inout [UInt8]) -> Void
    ) throws -> (lost: Int, findings: [RecoveryReport.Finding]) {
        rig.settleMarks()
        var contents = rig.disk.contents
        change(&contents)
        rig.puts = [:]
        rig.marks = []
        try rig.restart(on: SimulatedDisk(contents: contents))
        rig.acknowledged = [:]
        rig.check(allowsDamage: true)
        let lost = rig.ring.gaps(of: log).filter { $0.reason == .damaged }.reduce(0) {
            $0 + $1.range.lowerBound.distance(to: $1.range.upperBound)
        }
        #expect(rig.report.damagedReadings == lost)
        #expect(rig.report.sentences.count == rig.report.findings.count)
        return (lost, rig.report.findings)
    }

    private func start(_ segment: Int) -> Int { segment * smallGeometry.segmentBytes }

    @Test
    func `one spoiled header copy costs nothing, two are replaced by the blocks`() throws {
        for copies in [1, 2] {
            let (rig, log) = try filled()
            let (lost, findings) = try restart(rig, log) { contents in
                for copy in 0..<copies { contents[start(0) + copy * Geometry.unit + 20] ^= 0x40 }
            }
            #expect(lost == 0)
            #expect(findings.contains(copies == 1 ? .headerCopySpoiled(segment: 0) : .headerLost(segment: 0)))
        }
    }

    @Test
    func `all headers of a ring may go, and its readings are still served`() throws {
        let (rig, log) = try filled()
        let (lost, _) = try restart(rig, log) { contents in
            for segment in 0..<12 {
                for index in 0..<Geometry.headerBytes { contents[start(segment) + index] = 0 }
            }
        }
        #expect(lost == 0)
        #expect(rig.readAll(log).count == 6000)
    }

    @Test(arguments: UInt64(1)...12)
    func `flipped bits cost the blocks they hit, and never the start`(seed: UInt64) throws {
        let (rig, log) = try filled()
        var random = SeededRandom(seed: seed)
        let (lost, _) = try restart(rig, log) { contents in
            for _ in 0..<4 { contents[Int(random.next() % UInt64(contents.count))] ^= 1 << (random.next() % 8) }
        }
        #expect(lost <= 4000)
        try rig.append([reading("after", .number(1), at: rig.uptime)])
        rig.commitAll(maintain: true)
        rig.check(allowsDamage: true)
    }

    @Test
    func `a zeroed segment is a gap, and the rest is served`() throws {
        for segment in [0, 2, 3] {
            let (rig, log) = try filled()
            let (lost, _) = try restart(rig, log) { contents in
                for index in 0..<smallGeometry.segmentBytes { contents[start(segment) + index] = 0 }
            }
            #expect(rig.readAll(log).count >= 6000 - lost - 1300)
        }
    }

    @Test
    func `swapped segments serve from where they are`() throws {
        let (rig, log) = try filled()
        let (lost, findings) = try restart(rig, log) { contents in
            let size = smallGeometry.segmentBytes
            let first = Array(contents[0..<size])
            contents.replaceSubrange(0..<size, with: contents[size..<2 * size])
            contents.replaceSubrange(size..<2 * size, with: first)
        }
        #expect(lost == 0)
        #expect(findings.contains(.segmentMoved(segment: 0, from: 1)))
    }

    @Test
    func `a copy of a segment is left out`() throws {
        let (rig, log) = try filled()
        let (lost, findings) = try restart(rig, log) { contents in
            let size = smallGeometry.segmentBytes
            let free = (0..<12).last { contents[start($0)] == 0 } ?? 11
            contents.replaceSubrange(start(free)..<start(free) + size, with: contents[0..<size])
        }
        #expect(lost == 0)
        #expect(findings.contains { if case .segmentCopied(_, of: 0) = $0 { true } else { false } })
    }

    @Test
    func `a segment of another ring is left alone`() throws {
        let (rig, log) = try filled()
        let (_, other) = (try Rig(seed: 5), try Rig(seed: 6))
        try other.append([reading("x", .number(1), at: 1)])
        other.commitAll()
        let foreign = Array(other.disk.contents[0..<smallGeometry.segmentBytes])
        var place = 0
        let (lost, findings) = try restart(rig, log) { contents in
            place = (0..<12).last { contents[start($0)] == 0 } ?? 11
            contents.replaceSubrange(start(place)..<start(place) + foreign.count, with: foreign)
        }
        #expect(lost == 0 && findings.contains(.foreignSegment(segment: place)))
        #expect(rig.ring.statistics.setAsideSegments == 1)
        for index in 0..<300 { try? rig.append([reading("y", .number(Double(index)), at: Int64(index))]) }
        rig.commitAll(maintain: true)
        #expect(Array(rig.disk.contents[start(place)..<start(place) + foreign.count]) == foreign)
    }

    @Test
    func `a truncated ring serves what is left`() throws {
        let (rig, log) = try filled(segments: 12, maintain: false)
        let contents = Array(rig.disk.contents[0..<9 * smallGeometry.segmentBytes])
        rig.puts = [:]
        try rig.restart(on: SimulatedDisk(contents: contents))
        #expect(rig.report.findings.contains(.truncated(segments: 9, expected: 12)))
        rig.acknowledged = [:]
        rig.check(allowsDamage: true)
        #expect(rig.ring.logs.contains { $0.log == log })
    }

    @Test
    func `damage found while reading becomes a gap, and is never served`() throws {
        let (rig, log) = try filled()
        let whole = rig.ring.readPlan(log: log, range: .zero..<Offset(6000), limit: 6000).perform(on: rig.disk)
        #expect(whole.readings.count == 6000)
        for position in stride(from: 3 * Geometry.unit + 99, to: rig.disk.size, by: 40 * Geometry.unit) {
            rig.disk.flip(at: position, mask: 0x10)
        }
        let spoiled = rig.ring.readPlan(log: log, range: .zero..<Offset(6000), limit: 6000).perform(on: rig.disk)
        #expect(!spoiled.damage.isEmpty)
        #expect(Set(spoiled.readings).isSubset(of: whole.readings))
        let events = rig.ring.noteDamage(spoiled.damage)
        let lost = rig.ring.gaps(of: log).reduce(0) { $0 + $1.range.lowerBound.distance(to: $1.range.upperBound) }
        #expect(lost == 6000 - spoiled.readings.count && rig.ring.statistics.damaged == lost && !events.isEmpty)
        rig.disk.healBits()
        rig.commitAll(maintain: true)
        rig.acknowledged = [:]
        rig.check(allowsDamage: true)
    }

    @Test
    func `readings whose series nothing defines any more are damage, and the rest of their block is served`() throws {
        let rig = try Rig()
        var blocks: [Int] = []
        // A series is defined in its first block, in the next, and in the footer of the segment.
        for devices in [["a"], ["b"], ["a", "b"]] {
            rig.uptime += 1_000_000
            try rig.append(devices.map { reading($0, .number(1), at: rig.uptime) })
            while let plan = rig.cut() {
                if plan.readings > 0 {
                    blocks.append(try #require(plan.writes.first { $0.bytes.count == plan.blockBytes }).position)
                }
                rig.finish(plan, plan.perform(on: rig.disk))
            }
        }
        let log = try #require(rig.ring.currentLog)
        // Until a start does not read that segment in full.
        for _ in 0..<100 where rig.ring.statistics.hotSegments < 4 {
            rig.uptime += 1_000_000
            try rig.append((0..<100).map { reading("d\($0)", .number(2), at: rig.uptime) })
            rig.commitAll()
        }
        try rig.cutPower { _ in false }
        let footer = blocks[0] / smallGeometry.segmentBytes * smallGeometry.segmentBytes + smallGeometry.segmentBytes
        for position in [blocks[0], blocks[1], footer - Geometry.unit] {
            rig.disk.overwrite([0xFF, 0xEE, 0xFF, 0xEE], at: position + 12)
        }
        let result = rig.ring.readPlan(log: log, range: .zero..<Offset(4), limit: 10).perform(on: rig.disk)
        #expect(result.readings.map(\.reading.series.device.rawValue) == ["b"])
        #expect(result.damage.map(\.range) == (0..<3).map { Offset($0)..<Offset($0 + 1) })
        rig.note(rig.ring.noteDamage(result.damage))
        let lost = rig.ring.gaps(of: log).flatMap { $0.range.lowerBound.rawValue..<$0.range.upperBound.rawValue }
        #expect(lost == [0, 1, 2])
    }

    @Test
    func `a start keeps what can be read of a block that needs lost names, and names the rest`() throws {
        let rig = try Rig()
        var blocks: [Int] = []
        func mark(_ place: Int) -> DeliveryMark { DeliveryMark(session: "s", message: UInt16(place), hash: 7) }
        for (place, devices) in [["a"], ["b"], ["c"], ["a", "c"], ["a"]].enumerated() {
            rig.uptime += 1_000_000
            try rig.append(
                devices.map { reading($0, .number(1), at: rig.uptime) }, mark: mark(place))
            while let plan = rig.cut() {
                if plan.readings > 0 {
                    blocks.append(try #require(plan.writes.first { $0.bytes.count == plan.blockBytes }).position)
                }
                rig.finish(plan, plan.perform(on: rig.disk))
            }
        }
        let log = try #require(rig.ring.currentLog)
        // Both blocks that define a: its own first one and the one behind.
        let (lost, findings) = try restart(rig, log) { contents in
            for position in blocks[0..<2] { contents[position + BlockHeader.bytes + 1] ^= 0xFF }
        }
        let readable = rig.readAll(log).map { ($0.offset.rawValue, $0.reading.series.device.rawValue) }
        #expect(readable.map(\.0) == [2, 4] && readable.map(\.1) == ["c", "c"])
        #expect(lost == 4)
        // What its source may have kept is asked for again.
        #expect((0..<5).filter { rig.ring.knows(mark($0)) } == [2])
        let named = findings.compactMap { if case .readingsLost(log, let range) = $0 { range } else { nil } }
        #expect(named == [.zero..<Offset(2), Offset(3)..<Offset(4), Offset(5)..<Offset(6)])
    }

    @Test
    func `blocks that a disk cannot read are a fault to retry, not damage`() throws {
        let (rig, log) = try filled()
        rig.disk.makeUnreadable(0..<rig.disk.size)
        let result = rig.ring.readPlan(log: log, range: .zero..<Offset(6000), limit: 6000).perform(on: rig.disk)
        #expect(result.failure != nil && result.damage.isEmpty && result.next == .zero)
    }

    @Test
    func `one place that a disk does not give, though it gives others, is damage once a minute has passed`() throws {
        let (rig, log) = try filled()
        let all = Offset.zero..<Offset(6000)
        // The first block that is still in use.
        _ = try #require(
            blockStarts(rig.disk).first { start in
                rig.disk.makeAllReadable()
                rig.disk.makeUnreadable(start..<start + 512)
                return rig.ring.readPlan(log: log, range: all, limit: 6000).perform(on: rig.disk).failure != nil
            })
        func unread() -> [DamagedRange] {
            let result = rig.ring.readPlan(log: log, range: all, limit: 6000).perform(on: rig.disk)
            #expect(result.failure != nil && result.damage.isEmpty)
            return result.unread
        }
        #expect(unread().count == 1)
        for seconds in [0, 30, 59] {
            let now = MonotonicInstant(nanoseconds: Int64(seconds) * 1_000_000_000)
            #expect(rig.ring.noteUnread(unread(), now: now).isEmpty)
        }
        let now = MonotonicInstant(nanoseconds: 61_000_000_000)
        let events = rig.ring.noteUnread(unread(), now: now)
        guard case .damaged(log, let range, let reason)? = events.first else { throw DamageNotTold() }
        #expect(reason.contains("does not give"))
        let rest = rig.ring.readPlan(log: log, range: all, limit: 6000).perform(on: rig.disk)
        #expect(rest.failure == nil && rest.readings.count == 6000 - range.lowerBound.distance(to: range.upperBound))
        // Scrubbing meets it in the same way, and goes on behind it.
        rig.disk.makeAllReadable()
        let other = try #require(blockStarts(rig.disk).last)
        rig.disk.makeUnreadable(other..<other + 512)
        let scrubbed = rig.ring.scrubPlans.map { $0.perform(on: rig.disk) }
        #expect(scrubbed.allSatisfy { $0.damage.isEmpty } && scrubbed.contains { !$0.unread.isEmpty })
    }

    private struct DamageNotTold: Error {}

    /// Where blocks lie, those that are in use no more among them.
    private func blockStarts(_ disk: SimulatedDisk) -> [Int] {
        let contents = disk.contents
        return stride(from: 0, to: contents.count, by: Geometry.unit).filter { start in
            !start.isMultiple(of: smallGeometry.segmentBytes)
                && contents[start..<start + 4] == [0x43, 0x76, 0x42, 0x31]
        }
    }

    @Test
    func `a bad place in the newest segment costs a start no more than what lay there`() throws {
        let (rig, log) = try filled(maintain: false)
        let all = Offset.zero..<Offset(6000)
        let start = try #require(
            // The last block of all looks like a write that the power cut short.
            blockStarts(rig.disk).dropLast().last { start in
                rig.disk.makeAllReadable()
                rig.disk.makeUnreadable(start..<start + 512)
                return rig.ring.readPlan(log: log, range: all, limit: 6000).perform(on: rig.disk).failure != nil
            })
        rig.settleMarks()
        rig.puts = [:]
        rig.marks = []
        let disk = rig.disk.afterKill()
        disk.makeUnreadable(start..<start + 512)
        try rig.restart(on: disk)
        rig.acknowledged = [:]
        let held = rig.ring.ranges(of: log).reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) }
        #expect(held >= 5800 && held < 6000)
        let lost = rig.ring.gaps(of: log).reduce(0) { $0 + $1.range.lowerBound.distance(to: $1.range.upperBound) }
        #expect(held + lost == 6000)
        try rig.append([reading("after", .number(1), at: rig.uptime)])
        rig.commitAll(maintain: false)
        #expect(rig.readAll(try #require(rig.ring.currentLog)).count == 1)
    }

    @Test
    func `what a passing fault hid comes back at a start, and is named`() throws {
        let (rig, log) = try filled()
        for position in stride(from: 3 * Geometry.unit + 99, to: rig.disk.size, by: 40 * Geometry.unit) {
            rig.disk.flip(at: position, mask: 0x10)
        }
        let spoiled = rig.ring.readPlan(log: log, range: .zero..<Offset(6000), limit: 6000).perform(on: rig.disk)
        _ = rig.ring.noteDamage(spoiled.damage)
        let lost = rig.ring.gaps(of: log).map(\.range)
        #expect(!lost.isEmpty && rig.ring.returned(of: log).isEmpty)
        rig.commitAll(maintain: false)
        try rig.restart(on: rig.disk.afterKill())
        #expect(rig.ring.gaps(of: log).isEmpty)
        #expect(rig.ring.returned(of: log) == lost)
    }
}
