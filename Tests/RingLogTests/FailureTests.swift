import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// Disks that answer with errors.
struct FailureTests {
    private func rig() throws -> (rig: Rig, log: LogID) {
        let rig = try Rig()
        for index in 0..<5 { try rig.append([reading("a", .number(Double(index)), at: Int64(index) * 1_000_000)]) }
        rig.commitAll()
        return (rig, try #require(rig.ring.currentLog))
    }

    @Test
    func `after a failed sync everything is written again in another segment, and only then acknowledged`() throws {
        let (rig, log) = try rig()
        try rig.append([reading("a", .number(9), at: 9_000_000)], mark: DeliveryMark(session: "s", message: 1, hash: 1))
        rig.disk.failSync(number: rig.disk.counts.syncs)
        let first = try #require(rig.cut())
        rig.finish(first, first.perform(on: rig.disk))
        #expect(rig.acknowledged[log] == 5)
        #expect(rig.ring.waitingReadings == 1)
        #expect(rig.ring.statistics.retiredSegments == 1)
        #expect(rig.events.contains { if case .retired = $0 { true } else { false } })
        // First it is seen whether the disk answers at all.
        let probe = try #require(rig.cut())
        #expect(probe.readings == 0 && probe.writes.count == 1)
        rig.finish(probe, probe.perform(on: rig.disk))
        let second = try #require(rig.cut())
        let segment = smallGeometry.segmentBytes
        let old = Set(first.writes.map { $0.position / segment })
        #expect(second.writes.allSatisfy { !old.contains($0.position / segment) })
        rig.finish(second, second.perform(on: rig.disk))
        #expect(rig.acknowledged[log] == 6)
        #expect(rig.ring.isDurable(DeliveryMark(session: "s", message: 1, hash: 1)))
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
        #expect(rig.readAll(log).count == 6)
    }

    @Test
    func `a start believes the medium, not what a failed sync left in the cache`() throws {
        let (rig, log) = try rig()
        try rig.append([reading("a", .text(String(repeating: "x", count: 2000)), at: 9_000_000)])
        rig.disk.failSync(number: rig.disk.counts.syncs)
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        // Killed before it could write that elsewhere.
        rig.disk.reopen()
        rig.settleMarks()
        try rig.restart(on: rig.disk)
        let believed = rig.ring.ranges(of: log)
        #expect(believed == [Offset(0)..<Offset(5)])
        try rig.cutPower { _ in false }
        #expect(rig.ring.ranges(of: log) == believed)
    }

    @Test
    func `where a start's syncs are refused, what it found is settled by the first commit that goes well`() throws {
        let (rig, log) = try rig()
        rig.disk.refuse(.failed)
        rig.settleMarks()
        try rig.restart(on: rig.disk)
        #expect(rig.report.findings.contains { if case .syncFailed = $0 { true } else { false } })
        #expect(rig.ring.ranges(of: log) == [Offset(0)..<Offset(5)])
        #expect(!rig.ring.isSettled)
        try rig.append([reading("a", .number(9), at: 9_000_000)])
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        #expect(!rig.ring.isSettled)
        rig.disk.refuse(nil)
        rig.now = rig.ring.retryAt ?? rig.now
        rig.commitAll()
        #expect(rig.ring.isSettled)
        rig.check()
    }

    @Test
    func `repeated failures end in memory-only, with pauses that grow, and a commit that succeeds ends it`() throws {
        let (rig, log) = try rig()
        try rig.append([reading("a", .number(9), at: 9_000_000)])
        for _ in 0..<3 {
            rig.disk.failSync(number: rig.disk.counts.syncs)
            let plan = try #require(rig.cut())
            rig.finish(plan, plan.perform(on: rig.disk))
        }
        #expect(rig.ring.statistics.memoryOnly != nil)
        #expect(!rig.events.contains(.durableAgain))
        #expect(rig.cut() == nil)
        #expect(rig.ring.waiting(from: Offset(5), limit: 10).map { $0.reading.value } == [.number(9)])
        rig.now = try #require(rig.ring.retryAt)
        rig.commitAll()
        #expect(rig.events.filter { $0 == .durableAgain }.count == 1)
        #expect(rig.acknowledged[log] == 6)
        rig.check()
    }

    @Test
    func `an outage of the medium, however long, costs one segment and nothing that is stored`() throws {
        let (rig, log) = try rig()
        try fill(rig)
        rig.disk.refuse(.failed)
        try rig.append([reading("a", .number(9), at: 9_000_000)])
        // It made room for itself, as any commit does.
        let first = try #require(rig.cut())
        rig.finish(first, first.perform(on: rig.disk))
        let stored = rig.readAll(log).count
        let evicted = rig.evicted
        for _ in 0..<500 {
            if let plan = rig.cut() { rig.finish(plan, plan.perform(on: rig.disk)) }
            rig.now = rig.now.advanced(by: .seconds(61))
        }
        #expect(rig.ring.statistics.memoryOnly != nil)
        #expect(rig.ring.statistics.retiredSegments == 1)
        #expect(rig.evicted == evicted)
        #expect(rig.readAll(log).count == stored)
        rig.disk.refuse(nil)
        rig.commitAll()
        #expect(rig.ring.statistics.memoryOnly == nil)
        #expect(rig.acknowledged[log] == rig.present.count)
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `where commits fail and tries do not, a full ring is left with a place to write to`() throws {
        let (rig, log) = try rig()
        try fill(rig)
        try rig.append([reading("a", .number(9), at: 9_000_000)])
        for _ in 0..<20 {
            guard let plan = rig.cut() else {
                rig.now = rig.now.advanced(by: .seconds(61))
                continue
            }
            let fails = plan.blockBytes > 0
            if fails { rig.disk.failSync(number: rig.disk.counts.syncs) }
            rig.finish(plan, plan.perform(on: rig.disk))
        }
        #expect(rig.ring.statistics.memoryOnly != nil)
        rig.now = rig.now.advanced(by: .seconds(61))
        rig.commitAll()
        #expect(rig.ring.statistics.memoryOnly == nil)
        #expect(rig.events.contains { if case .reused = $0 { true } else { false } })
        #expect(rig.acknowledged[log] == rig.present.count)
        try rig.cutPower { _ in false }
        rig.check()
    }

    /// Until every further segment would have to be taken from something.
    private func fill(_ rig: Rig) throws {
        while rig.ring.statistics.freeSegments > 1 {
            let text = String(repeating: "x", count: 200)
            for _ in 0..<20 { try rig.append([reading("a", .text(text), at: rig.uptime)]) }
            rig.commitAll()
        }
    }

    @Test
    func `a disk that turns read-only retires nothing, and takes readings again when it can`() throws {
        let (rig, log) = try rig()
        rig.disk.refuse(.readOnly)
        try rig.append([reading("a", .number(9), at: 9_000_000)])
        for _ in 0..<20 {
            if let plan = rig.cut() { rig.finish(plan, plan.perform(on: rig.disk)) }
            rig.now = rig.now.advanced(by: .seconds(61))
        }
        #expect(rig.ring.statistics.memoryOnly != nil && rig.ring.statistics.retiredSegments == 0)
        rig.disk.refuse(nil)
        rig.commitAll()
        #expect(rig.acknowledged[log] == 6)
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `a block whose sync was refused is not written over, so that no write gone astray leaves it to newer names`()
        throws
    {
        let (rig, log) = try rig()
        try rig.append([reading("b", .number(9), at: 9_000_000)])
        let refused = try #require(rig.cut())
        for write in refused.writes { try rig.disk.write(write.bytes, at: write.position) }
        rig.finish(refused, .failure(DiskError(.full, "sync: refused")))
        #expect(
            rig.ring.statistics.retiredSegments == 0
                && rig.ring.readPlan(log: log, range: .zero..<Offset(5), limit: 9)
                    .perform(on: rig.disk).readings.count == 5
        )
        try rig.append([reading("c", .number(10), at: 10_000_000)])
        let next = try #require(rig.cut())
        for write in next.writes {
            let range = write.position..<write.position + write.bytes.count
            #expect(!refused.writes.contains { range.overlaps($0.position..<$0.position + $0.bytes.count) })
        }
        rig.finish(next, next.perform(on: rig.disk))
        rig.commitAll()
        #expect(rig.acknowledged[log] == 7)
        try rig.cutPower { _ in true }
        rig.check()
        #expect(rig.readAll(log).count == 7)
    }

    @Test
    func `what a sink took from memory leaves it, and is a gap that is no loss`() throws {
        let (rig, log) = try rig()
        rig.disk.refuse(.readOnly)
        for index in 5..<8 { try rig.append([reading("a", .number(Double(index)), at: Int64(index) * 1_000_000)]) }
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        rig.ring.releaseWaiting(upTo: Offset(7))
        rig.released[log] = 7
        #expect(rig.ring.waitingReadings == 1)
        rig.disk.refuse(nil)
        rig.now = rig.now.advanced(by: .seconds(120))
        rig.commitAll()
        #expect(rig.ring.gaps(of: log) == [Gap(log: log, range: Offset(5)..<Offset(7), reason: .uploaded)])
        try rig.cutPower { _ in false }
        rig.check()
        #expect(rig.readAll(log).map { $0.offset.rawValue } == [0, 1, 2, 3, 4, 7])
    }

    @Test
    func `readings beyond the limit of RAM are refused while nothing can be committed`() throws {
        let (rig, _) = try rig()
        rig.disk.refuse(.failed)
        var refused = 0
        for index in 0..<20_000 {
            do {
                try rig.append([reading("a", .number(Double(index)), at: Int64(index))])
            } catch { refused += 1 }
        }
        #expect(refused > 0 && rig.ring.waitingBytes <= rig.options.pendingBytes)
    }

    @Test
    func `a message that no block can hold is refused alone`() throws {
        let (rig, _) = try rig()
        let long = (0..<500).map { reading("device-\($0)", .text(String(repeating: "x", count: 200)), at: 1) }
        #expect(throws: RingError.self) { _ = try rig.ring.append(Entry(long)) }
        try rig.append([reading("a", .number(1), at: 10_000_000)])
        rig.commitAll()
        rig.check()
    }
}
