import Environment
import LogFormat
import Model
import Simulator
import Testing

@testable import RingLog

/// Logs of other gateways beside the ring's own.
struct CopyTests {
    @Test
    func `readings of a peer come in any order, with holes, and are read back bit for bit, after a restart too`() throws
    {
        let rig = try Rig()
        try rig.append([reading("own", .number(1), at: 5)])
        for range: Range<UInt64> in [500..<900, 0..<10, 1000..<1001, 10..<70] { try rig.store(peerLog, range) }
        try rig.store(otherLog, 7..<9)
        #expect(rig.ring.waitingCopiedReadings == 473 && rig.ring.copies.allSatisfy { $0.stored == 0 })
        rig.commitAll()
        for _ in 0..<2 {
            rig.check()
            #expect(rig.ring.ranges(of: peerLog.log) == [offsets(0..<70), offsets(500..<900), offsets(1000..<1001)])
            let copy = try #require(rig.ring.copiedLog(peerLog.log))
            #expect(copy.name == peerLog && copy.stored == 471 && copy.end == Offset(1001) && copy.lost.isEmpty)
            #expect(rig.ring.copies.compactMap(\.name) == [peerLog, otherLog])
            #expect(rig.ring.logs.map(\.stored) == [1])
            try rig.cutPower { _ in false }
            #expect(rig.report.damagedReadings == 0 && rig.report.findings.isEmpty)
        }
    }

    @Test
    func `what is held, waiting or on its way is passed over, and only what is new is told of`() throws {
        let rig = try Rig()
        try rig.store(peerLog, 10..<20)
        rig.commitAll()
        try rig.store(peerLog, 25..<30)
        #expect(try rig.store(peerLog, 5..<35) == [offsets(5..<10), offsets(20..<25), offsets(30..<35)])
        let plan = try #require(rig.cut())
        #expect(try rig.store(peerLog, 5..<35) == [])
        rig.finish(plan, plan.perform(on: rig.disk))
        #expect(try rig.store(peerLog, 5..<35) == [])
        // Whatever a peer says of them later, the first stay.
        let others = peerReadings(otherLog, 0..<40)
        #expect(try rig.ring.store(peerLog, first: .zero, readings: others, anchors: []).count == 2)
        #expect(rig.ring.waitingCopiedReadings == 10)
        rig.offered[peerLog] = nil
        rig.commitAll()
        let found = rig.readCopy(peerLog.log)
        #expect(found.count == 40)
        for stored in found where (5..<35).contains(stored.offset.rawValue) {
            #expect(stored.reading == peerReading(peerLog, stored.offset.rawValue))
        }
        let told = rig.events.compactMap { if case .copied(_, let range) = $0 { range } else { nil } }
        #expect(told.reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) } == 40)
    }

    @Test
    func `own readings go first, and copies take what is left of the block or one of their own`() throws {
        let rig = try Rig()
        try rig.store(peerLog, 0..<600)
        try rig.append((0..<20).map { reading("d\($0)", .number(1), at: rig.uptime) })
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        if rig.ring.durableEnd == .zero { rig.commitAll(limit: 1) }
        #expect(rig.ring.durableEnd == Offset(20))
        // A burst that fills blocks: as long as any of it waits, no copy goes.
        for _ in 0..<30 { try rig.append((0..<60).map { reading("d\($0)", .number(2), at: rig.uptime) }) }
        try rig.store(otherLog, 0..<10)
        while rig.ring.durableEnd < rig.ring.nextOffset {
            #expect(rig.ring.ranges(of: otherLog.log).isEmpty)
            rig.commitAll(limit: 1)
        }
        rig.commitAll()
        rig.check()
        #expect(rig.copied[otherLog]?.count == 10 && rig.copied[peerLog]?.count == 600)
    }

    @Test
    func `copies that wait take half of the memory at most, and never that of own readings`() throws {
        let rig = try Rig()
        #expect(throws: RingError.bufferFull) {
            for part in UInt64(0)..<900 { try rig.store(peerLog, part * 50..<part * 50 + 50) }
        }
        let taken = rig.ring.copyQueue.bytes
        #expect(taken > rig.options.pendingBytes / 3 && taken <= rig.options.pendingBytes / 2)
        try rig.append((0..<60).map { reading("d\($0)", .number(2), at: rig.uptime) })
        #expect(throws: RingError.bufferFull) {
            while true { try rig.append((0..<60).map { reading("d\($0)", .number(2), at: rig.uptime) }) }
        }
        #expect(rig.ring.waiting.bytes > rig.options.pendingBytes - 20_000)
        rig.commitAll()
        rig.check()
    }

    @Test
    func `a failed commit keeps copies in memory, and they are written elsewhere`() throws {
        let rig = try Rig()
        try rig.store(peerLog, 0..<40)
        rig.commitAll()
        rig.disk.failSync(number: rig.disk.counts.syncs)
        try rig.store(peerLog, 50..<300)
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        #expect(rig.copied[peerLog]?.count == 40 && rig.ring.waitingCopiedReadings == 250)
        #expect(try rig.store(peerLog, 40..<60) == [offsets(40..<50)])
        rig.commitAll()
        #expect(rig.copied[peerLog]?.count == 300)
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `merging keeps copies what they are, and whose`() throws {
        let rig = try Rig(segments: 16)
        for round in UInt64(0)..<120 {
            rig.uptime += 1_000_000
            try rig.append([reading("a", .number(Double(round)), at: rig.uptime)])
            try rig.store(round % 3 == 0 ? otherLog : peerLog, round * 20..<round * 20 + 15)
            rig.commitAll(maintain: true)
        }
        #expect(rig.ring.statistics.readingsMerged > 500 && rig.ring.statistics.copiesHeld == 1800)
        #expect(rig.ring.statistics.readingsStored == 120 && rig.ring.statistics.copiesStored == 1800)
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
        #expect(rig.ring.copies.compactMap(\.name) == [otherLog, peerLog])
        #expect(rig.ring.ranges(of: peerLog.log).count == 80)
    }

    @Test
    func `another node's log is not for storing, and of a log that this ring minted nothing but what damage took`()
        throws
    {
        let rig = try Rig()
        try rig.append([reading("a", .number(1), at: 5)])
        try rig.store(peerLog, 0..<5)
        rig.commitAll()
        let own = LogName(node: peer, log: try #require(rig.ring.currentLog))
        let stolen = LogName(node: otherPeer, log: peerLog.log)
        try rig.cutPower { _ in false }
        #expect(throws: RingError.notACopy(stolen.log)) {
            try rig.ring.store(stolen, first: .zero, readings: peerReadings(stolen, 0..<3), anchors: [])
        }
        #expect(try rig.ring.store(own, first: .zero, readings: peerReadings(own, 0..<3), anchors: []).isEmpty)
        #expect(rig.readAll(own.log).map(\.reading) == rig.appended[own.log])
        let long = Reading(
            series: Series(device: DeviceID("a"), metric: "b"), stamp: peerReading(peerLog, 0).stamp,
            value: .text(String(repeating: "x", count: 70_000)))
        #expect(throws: RingError.entryTooLarge(bytes: .max)) {
            try rig.ring.store(peerLog, first: Offset(9), readings: [peerReading(peerLog, 9), long], anchors: [])
        }
        #expect(throws: RingError.entryTooLarge(bytes: .max)) {
            try rig.ring.store(
                peerLog, first: Offset(.max), readings: [peerReading(peerLog, 0)], anchors: [])
        }
        #expect(rig.ring.waitingCopiedReadings == 0)
    }

    @Test
    func `a peer's anchor dates its readings, and none that this gateway has fixed itself is moved by one`() throws {
        let rig = try Rig()
        let boots = [BootID(high: peer.high, low: 5), boot]
        rig.ring.anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(77)))
        let anchors = boots.map { ClockAnchor(boot: $0, wallOffset: Microseconds(5)) }
        try rig.store(peerLog, 0..<12, anchors: anchors)
        rig.commitAll()
        try rig.cutPower { _ in false }
        func offset(_ boot: BootID) -> Microseconds? { rig.ring.clock.anchors.first { $0.boot == boot }?.wallOffset }
        #expect(offset(boots[0]) == Microseconds(5) && offset(boot) == Microseconds(77))
    }

    @Test
    func `queries are of own readings, unless copies are asked for`() throws {
        let rig = try Rig()
        try rig.append([reading("a", .number(1), at: 5)])
        try rig.store(peerLog, 0..<12)
        rig.commitAll()
        for (copies, count) in [(false, 1), (true, 13)] {
            let plan = rig.ring.queryPlan(from: nil, to: nil, newestFirst: false, limit: 100, copies: copies)
            #expect(plan.perform(on: rig.disk) { _ in true }.readings.count == count)
        }
    }
}
