import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// What `covey ring repair` does to the ring of a gateway that does not run.
struct RepairTests {
    /// A ring of some finished segments and one log of 3000 readings, nothing of which any sink has.
    private func filled(segments: Int = 12) throws -> (rig: Rig, log: LogID) {
        let rig = try Rig(segments: segments)
        for index in 0..<30 {
            rig.uptime += 1_000_000
            try rig.append((0..<100).map { reading("d\($0)", .number(Double(index)), at: rig.uptime + Int64($0)) })
            rig.commitAll()
        }
        return (rig, try #require(rig.ring.currentLog))
    }

    /// Repairs as the command does.
    @discardableResult
    private func repair(_ disk: SimulatedDisk, seconds: Int64 = 0) throws -> (
        repair: RingRepair, checks: [SegmentCheck]
    ) {
        var random = SeededRandom(seed: 3)
        var repair = try RingRepair(disk: disk, options: smallOptions(), using: &random)
        var checks: [SegmentCheck] = []
        for plan in repair.ring.segmentChecks { checks.append(try repair.look(at: plan, now: at(0))) }
        if seconds > 0 { _ = repair.lookAgain(now: at(seconds)) }
        try repair.record(now: at(seconds), using: &random)
        return (repair, checks)
    }

    private func at(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }

    private func start(_ disk: SimulatedDisk) throws -> (ring: RingLog, report: RecoveryReport) {
        var random = SeededRandom(seed: 4)
        return try RingLog.open(disk: disk, options: smallOptions(), using: &random)
    }

    private func lost(_ ring: RingLog, _ log: LogID) -> Int {
        ring.gaps(of: log).filter { $0.reason == .damaged }.reduce(0) {
            $0 + $1.range.lowerBound.distance(to: $1.range.upperBound)
        }
    }

    /// Where the second block of the oldest finished segment begins, in bytes: a start goes by the footer there, and sees nothing.
    private func hiddenBlock(_ rig: Rig) throws -> Int {
        let plan = try #require(rig.ring.scrubPlans.first)
        let start = plan.segment * smallGeometry.segmentBytes
        let bytes = Array(rig.disk.contents[start..<start + smallGeometry.segmentBytes])
        guard case .found(let header, _) = SegmentHeaderState.read(Array(bytes[..<Geometry.headerBytes])) else {
            throw RingError.notARing("no header")
        }
        let scan = SegmentScan(bytes, store: header.store, generation: header.generation, geometry: smallGeometry)
        return start + scan.blocks.filter { !$0.runs.isEmpty }[1].unit * Geometry.unit
    }

    @Test func `a ring where nothing is wrong is not written to`() throws {
        let (rig, log) = try filled()
        let before = rig.disk.contents
        let writes = rig.disk.counts.writes
        let (repair, checks) = try repair(rig.disk)
        #expect(rig.disk.counts.writes == writes && rig.disk.contents == before)
        #expect(repair.bytesWritten == 0 && repair.newlyLost == 0)
        #expect(checks.allSatisfy { !$0.isDamaged } && checks.reduce(0) { $0 + $1.readings } == 3000)
        #expect(repair.ring.gaps(of: log).isEmpty)
    }

    @Test func `what a start by footers does not see is a gap after it, and the next start knows it`() throws {
        let (rig, log) = try filled()
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.overwrite([0xEE, 0xEE], at: place + 200)
        let blind = try start(SimulatedDisk(contents: disk.contents))
        #expect(blind.report.damagedReadings == 0 && lost(blind.ring, log) == 0)

        let (made, checks) = try repair(disk)
        let gone = checks.flatMap(\.losses)
        #expect(gone.count == 1 && gone[0].log == log && made.newlyLost > 0)
        #expect(made.ring.logs.map(\.log) == blind.ring.logs.map(\.log), "no log has got an id")
        #expect(made.ring.currentLog == nil)

        let next = try start(disk.afterKill())
        #expect(next.report.damagedReadings == 0, "it was written down")
        #expect(lost(next.ring, log) == made.newlyLost)
        #expect(next.ring.logs.map(\.log) == [log])
        let verified = try RingLog.openReadOnly(disk: disk, options: smallOptions()).ring
        let seen = verified.segmentChecks.map { $0.perform(on: disk) }
        #expect(seen.flatMap(\.losses).isEmpty && seen.contains { !$0.faults.isEmpty })

        let writes = disk.counts.writes
        let again = try repair(disk).repair
        #expect(disk.counts.writes == writes && again.newlyLost == 0, "it was known already")
        #expect(lost(again.ring, log) == made.newlyLost)
    }

    @Test func `damaged copies are not held again by the next start, and their log is no loss`() throws {
        let rig = try Rig(segments: 12)
        for index in 0..<UInt64(40) {
            _ = try rig.store(peerLog, index * 100..<(index + 1) * 100)
            rig.commitAll()
        }
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.overwrite([0xEE, 0xEE], at: place + 200)
        let blind = try start(SimulatedDisk(contents: disk.contents)).ring
        #expect(blind.copiedLog(peerLog.log)?.stored == 4000)
        let made = try repair(disk).repair
        #expect(made.newlyLost > 0 && made.ring.lostReadings == 0)
        let next = try start(disk.afterKill()).ring
        let copy = try #require(next.copiedLog(peerLog.log))
        #expect(copy.stored == 4000 - made.newlyLost && copy.lost.map(\.reason) == [.damaged])
        // A start that is followed by another without a repair between is no wiser, and no worse.
        #expect(try start(disk.afterKill()).ring.copiedLog(peerLog.log) == copy)
    }

    @Test func `what a start sees and has had no commit to write down in is written down`() throws {
        let (rig, log) = try filled()
        let bytes = rig.disk.contents
        // A block in the middle of the newest segment.
        let newest = try #require(rig.ring.scrubPlans.max { $0.segment < $1.segment })
        let start = newest.segment * smallGeometry.segmentBytes
        let unit = try #require((2..<16).first { bytes[start + $0 * Geometry.unit] != 0 })
        let disk = SimulatedDisk(contents: bytes)
        disk.overwrite([0xEE, 0xEE], at: start + unit * Geometry.unit + 200)
        let found = try self.start(SimulatedDisk(contents: disk.contents)).report.damagedReadings
        let (made, _) = try repair(disk)
        #expect(found > 0 && made.newlyLost == found)
        let next = try self.start(disk.afterKill())
        #expect(next.report.damagedReadings == 0 && lost(next.ring, log) == found)
    }

    @Test func `a spoiled copy of a header is written anew from the other, and all is as it was`() throws {
        for copy in 0...1 {
            let (rig, _) = try filled()
            let before = rig.disk.contents
            let disk = SimulatedDisk(contents: before)
            disk.overwrite([0xEE, 0xEE], at: copy * Geometry.unit + 20)
            let (made, _) = try repair(disk)
            #expect(made.mendedHeaders == [0] && made.bytesWritten == Geometry.unit)
            #expect(disk.afterKill().contents == before)
        }
    }

    @Test func `a place that the disk does not give is lost a minute later, and not before`() throws {
        let (rig, log) = try filled()
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.makeUnreadable(place..<place + 1)
        let early = try repair(disk).repair
        #expect(early.notGiven.count == 1 && early.newlyLost == 0 && early.bytesWritten == 0)
        let late = try repair(disk, seconds: 61).repair
        #expect(late.notGiven.isEmpty && late.newlyLost > 0)
        disk.makeAllReadable()
        let next = try start(disk.afterKill())
        // The next start can read it, and says so.
        #expect(lost(next.ring, log) == 0)
        let back = next.ring.returned(of: log)
        #expect(back.reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) } == late.newlyLost)
    }

    @Test func `a full ring of what no sink has loses nothing to a repair but what was damaged`() throws {
        let rig = try Rig(segments: 8)
        for index in 0..<200 {
            rig.uptime += 1_000_000
            let texts = (0..<60).map { _ in "\(index)/\(rig.random.next())" }
            try rig.append(texts.enumerated().map { reading("d\($0)", .text($1), at: rig.uptime) })
            rig.commitAll()
        }
        let log = try #require(rig.ring.currentLog)
        #expect(rig.evicted > 0)
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.overwrite([0xEE, 0xEE], at: place + 200)
        let before = try start(SimulatedDisk(contents: disk.contents)).ring
        let (made, _) = try repair(disk)
        let after = try start(disk.afterKill()).ring
        #expect(made.newlyLost > 0)
        #expect(after.logs[0].log == log && after.logs[0].stored == before.logs[0].stored - made.newlyLost)
    }

    @Test func `a disk that takes nothing is told, and the next start finds the same damage`() throws {
        let (rig, log) = try filled()
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.overwrite([0xEE, 0xEE], at: place + 200)
        disk.refuse(.readOnly)
        #expect(throws: RingError.self) { try repair(disk) }
        disk.refuse(nil)
        let made = try repair(disk).repair
        #expect(made.newlyLost > 0)
        #expect(lost(try start(disk.afterKill()).ring, log) == made.newlyLost)
    }

    @Test(arguments: 0..<12) func `a power cut in the middle of it costs no more than the damage did`(cut: Int) throws {
        let (rig, log) = try filled()
        let place = try hiddenBlock(rig)
        let disk = SimulatedDisk(contents: rig.disk.contents)
        disk.overwrite([0xEE, 0xEE], at: place + 200)
        let held = try start(SimulatedDisk(contents: disk.contents)).ring.logs[0].stored
        disk.failSync(number: disk.counts.syncs + 1)
        _ = try? repair(disk)
        let after = disk.afterPowerCut { ($0 &* 7 &+ cut) % 3 == 0 }
        let made = try repair(after).repair
        #expect(made.ring.logs.map(\.log) == [log])
        #expect(held - made.ring.logs[0].stored == lost(made.ring, log) && lost(made.ring, log) <= 200)
        #expect(try start(after.afterKill()).report.damagedReadings == 0)
    }
}
