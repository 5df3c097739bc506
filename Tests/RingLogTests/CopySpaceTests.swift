import Environment
import LogFormat
import Model
import Simulator
import Testing

@testable import RingLog

/// Copies in a ring that gets full, and in one that was damaged.
struct CopySpaceTests {
    /// One commit a round, with so many own readings and as many of a peer as the ring takes. Returns how often it refused.
    @discardableResult
    private func fill(_ rig: Rig, rounds: Int, own: Int, copies: UInt64, maintain: Bool = false) throws -> Int {
        var refused = 0
        for _ in 0..<rounds {
            rig.uptime += 1_000_000
            if own > 0 {
                let value = Double(rig.uptime % 977) / 7
                try rig.append((0..<own).map { reading("d\($0)", .number(value), at: rig.uptime) })
            }
            let next = UInt64(rig.offered[peerLog]?.count ?? 0)
            do {
                if copies > 0 { try rig.store(peerLog, next..<next + copies) }
            } catch {
                #expect(error as? RingError == .copiesFull)
                refused += 1
            }
            rig.commitAll(maintain: maintain)
        }
        return refused
    }

    @Test
    func `copies are refused where there is no room and they have their share, and own readings keep theirs`() throws {
        let rig = try Rig(segments: 12)
        #expect(try fill(rig, rounds: 400, own: 4, copies: 20) > 50)
        let statistics = rig.ring.statistics
        let part = Double(statistics.copiesHeld) / Double(statistics.readingsHeld)
        // Without a share they would have 20 of 24.
        #expect(part > 0.3 && part < 0.65, "\(part)")
        #expect(statistics.evictedCopies > 0)
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `copies beyond their share go before older readings of our own`() throws {
        var options = smallOptions()
        options.copiesShare = 1
        let rig = try Rig(segments: 16, options: options)
        try fill(rig, rounds: 30, own: 60, copies: 0)
        // With room for all they may have more than the share that they get when it is needed.
        try fill(rig, rounds: 120, own: 0, copies: 60)
        let held = rig.ring.statistics.copiesHeld
        #expect(rig.ring.pendingCensus().copiesPart > 0.7 && rig.ring.statistics.evictedCopies == 0)
        options.copiesShare = 0.3
        rig.settleMarks()
        try rig.restart(on: rig.disk.afterPowerCut { _ in false }, options: options)
        try fill(rig, rounds: 60, own: 60, copies: 0)
        #expect(rig.ring.statistics.evictedPending == 0 && rig.ring.statistics.evictedCopies > held / 3)
        // Then it is the turn of the oldest.
        try fill(rig, rounds: 60, own: 60, copies: 0)
        #expect(rig.ring.statistics.evictedPending > 0 && rig.ring.statistics.copiesHeld > 0)
        rig.check()
    }

    @Test
    func `copies below their share are as old as they are: the oldest goes`() throws {
        let rig = try Rig(segments: 16)
        try fill(rig, rounds: 20, own: 0, copies: 60)
        try fill(rig, rounds: 300, own: 5, copies: 0)
        #expect(rig.ring.statistics.copiesHeld == 0 && rig.ring.statistics.evictedPending > 0)
        let copy = try #require(rig.ring.copiedLog(peerLog.log))
        #expect(copy.lost == [Gap(log: peerLog.log, range: offsets(0..<1200), reason: .evicted)])
        rig.check()
    }

    @Test
    func `a ring that drops nothing keeps the room that copies may not have for own readings`() throws {
        var options = smallOptions()
        options.retention = .rejectNew
        let rig = try Rig(segments: 9, options: options)
        #expect(try fill(rig, rounds: 300, own: 0, copies: 90, maintain: true) > 0)
        #expect(rig.ring.statistics.evictedCopies == 0)
        try fill(rig, rounds: 30, own: 60, copies: 0, maintain: true)
        #expect(throws: RingError.ringFull) { try fill(rig, rounds: 900, own: 60, copies: 0, maintain: true) }
        #expect(rig.ring.statistics.evictedCopies == 0 && rig.ring.statistics.readingsStored > 1800)
        rig.check()
    }

    @Test
    func `copies that are released go first, silently`() throws {
        let rig = try Rig(segments: 16)
        for _ in 0..<40 {
            try fill(rig, rounds: 10, own: 2, copies: 10)
            rig.ring.setReleased(peerLog.log, upTo: Offset(UInt64(rig.offered[peerLog]?.count ?? 0)))
            if let log = rig.ring.currentLog { rig.release(log, upTo: rig.acknowledged[log] ?? 0) }
        }
        let lost = rig.ring.copiedLog(peerLog.log)?.lost ?? []
        #expect(!lost.isEmpty && lost.allSatisfy { $0.reason == .uploaded })
        #expect(rig.ring.statistics.evictedPending == 0)
        rig.check()
    }

    @Test
    func `a release of copies is taken back as far as asked, and never extended by that`() throws {
        let rig = try Rig()
        try fill(rig, rounds: 2, own: 1, copies: 60)
        rig.ring.setReleased(peerLog.log, upTo: Offset(100))
        for (offset, released) in [(UInt64(110), UInt64(100)), (40, 40), (70, 40), (0, 0)] {
            rig.ring.takeBackRelease(peerLog.log, to: Offset(offset))
            #expect(rig.ring.copiedLog(peerLog.log)?.released == Offset(released))
        }
    }

    @Test
    func `events tell of what was given up and of nothing else, where a log has holes`() throws {
        let rig = try Rig()
        for part in UInt64(0)..<40 {
            try rig.store(peerLog, part * 30..<part * 30 + 20)
            rig.commitAll()
        }
        try fill(rig, rounds: 300, own: 5, copies: 0)
        let told = rig.events.flatMap { event -> [UInt64] in
            guard case .evicted(peerLog.log, let range, pending: true) = event else { return [] }
            return Array(range.lowerBound.rawValue..<range.upperBound.rawValue)
        }
        #expect(rig.ring.statistics.evictedCopies == 800 && told.sorted() == (rig.offered[peerLog] ?? []).sorted())
    }

    @Test
    func `copies that went stay gone after a start, though their segment still lies there`() throws {
        // With this retention so much is free that the start need not make room, which would take them anyway.
        var options = smallOptions()
        options.retention = .rejectNew
        let rig = try Rig(options: options)
        for _ in 0..<100 where rig.ring.segments.count(where: { $0.held > 0 }) < 2 {
            try fill(rig, rounds: 1, own: 0, copies: 60)
        }
        rig.ring.setReleased(peerLog.log, upTo: Offset(UInt64(rig.offered[peerLog]?.count ?? 0)))
        for _ in 0..<900 where rig.ring.statistics.evictedCopies == 0 { try fill(rig, rounds: 1, own: 5, copies: 0) }
        let (lost, held) = (rig.ring.copiedLog(peerLog.log)?.lost, rig.ring.ranges(of: peerLog.log))
        #expect(lost?.map(\.reason) == [.uploaded] && !held.isEmpty)
        try rig.cutPower { _ in false }
        #expect(rig.ring.ranges(of: peerLog.log) == held)
        #expect(rig.ring.copiedLog(peerLog.log)?.lost == lost)
        #expect(rig.ring.statistics.evictedCopies == 0)
        rig.check()
    }

    @Test
    func `what was lost and came back is lost no more, whatever older records say, through restarts and merges`() throws
    {
        let rig = try Rig(segments: 12)
        try fill(rig, rounds: 10, own: 0, copies: 60)
        try fill(rig, rounds: 250, own: 5, copies: 0)
        let lost = offsets(0..<600)
        #expect(rig.ring.copiedLog(peerLog.log)?.lost.map(\.range) == [lost])
        rig.release(try #require(rig.ring.currentLog), upTo: rig.acknowledged.values.reduce(0, max))
        try rig.cutPower { _ in false }
        #expect(rig.ring.copiedLog(peerLog.log)?.lost.map(\.range) == [lost])
        for log in rig.ring.logs { rig.release(log.log, upTo: rig.acknowledged[log.log] ?? 0) }
        #expect(try rig.store(peerLog, 100..<400) == [offsets(100..<400)])
        // As long as it is not durable it is lost.
        #expect(rig.ring.copiedLog(peerLog.log)?.lost.map(\.range) == [lost])
        rig.commitAll()
        for _ in 0..<6 {
            #expect(rig.ring.copiedLog(peerLog.log)?.lost.map(\.range) == [offsets(0..<100), offsets(400..<600)])
            #expect(rig.ring.ranges(of: peerLog.log) == [offsets(100..<400)])
            rig.check()
            for log in rig.ring.logs { rig.release(log.log, upTo: rig.acknowledged[log.log] ?? 0) }
            try fill(rig, rounds: 12, own: 60, copies: 0, maintain: true)
            try rig.cutPower { _ in false }
        }
    }

    @Test
    func `a gap record that waits until after its range has come back does not hide it`() throws {
        let rig = try Rig(segments: 12)
        try rig.store(peerLog, 0..<1)
        rig.commitAll()
        let segment = rig.ring.hot?.segment
        while (rig.ring.hot?.unit ?? 0) < 10 { try fill(rig, rounds: 1, own: 1, copies: 0) }
        // More than fits a block, as after the eviction of a log in many pieces; the last come into the next segment.
        for place in UInt64(1)..<3500 { rig.ring.addGap(peerLog.log, place * 2, place * 2 + 1, .evicted) }
        rig.offered[peerLog] = Set(0..<7000)
        try rig.store(peerLog, 2900..<2910)
        try rig.append([reading("d", .number(1), at: rig.uptime)])
        rig.commitAll(limit: 1)
        #expect(rig.copied[peerLog]?.contains(2906) == true)
        #expect(rig.ring.hot?.segment == segment)
        #expect(!rig.ring.records.dirty.isEmpty)
        rig.commitAll()
        #expect(rig.ring.hot?.segment != segment)
        try rig.cutPower { _ in false }
        #expect(rig.ring.ranges(of: peerLog.log) == [offsets(0..<1), offsets(2900..<2910)])
        rig.check()
    }

    @Test
    func `logs of others that hold nothing are forgotten but for the newest, beside our own`() throws {
        let rig = try Rig()
        for number in UInt64(0)..<90 {
            try rig.store(LogName(node: peer, log: LogID(number + 1)), 0..<1)
        }
        rig.commitAll()
        #expect(rig.ring.copies.count == 90)
        for number in UInt64(0)..<90 { rig.ring.setReleased(LogID(number + 1), upTo: Offset(1)) }
        try fill(rig, rounds: 250, own: 5, copies: 0)
        let kept = rig.ring.copies.map(\.log)
        #expect(kept.count == RingLog.finishedCopiesKept && kept == (27...90).map { LogID($0) })
        #expect(rig.ring.logs.count == 1)
    }

    @Test
    func `a log whose every record is damaged is nobody's, is kept and read, and is named by the next peer`() throws {
        let rig = try Rig(segments: 12)
        try fill(rig, rounds: 60, own: 3, copies: 40, maintain: true)
        let own = try #require(rig.ring.currentLog)
        #expect(rig.ring.segments.contains { $0.kind == .cold && $0.held > 0 })
        let bytes = rig.options.geometry.segmentBytes
        for (index, segment) in rig.ring.segments.enumerated() where segment.kind == .hot && segment.isOurs {
            let blocks = [UInt8](repeating: 0xEE, count: bytes - Geometry.headerBytes)
            rig.disk.overwrite(blocks, at: index * bytes + Geometry.headerBytes)
        }
        let held = rig.copied[peerLog] ?? []
        rig.copied = [:]
        try rig.cutPower { _ in false }
        let copy = try #require(rig.ring.copiedLog(peerLog.log))
        #expect(copy.node == nil && copy.name == nil && copy.stored > 0 && copy.stored < held.count)
        #expect(copy.lost.isEmpty)
        // The headers still say which logs were minted here.
        #expect(rig.ring.logs.map(\.log) == [own])
        let first = try #require(copy.ranges.first)
        let again = [peerReading(peerLog, first.lowerBound.rawValue)]
        #expect(try rig.ring.store(peerLog, first: first.lowerBound, readings: again, anchors: []) == [])
        #expect(rig.ring.copiedLog(peerLog.log)?.name == peerLog)
        rig.commitAll()
        try rig.cutPower { _ in false }
        #expect(rig.ring.copiedLog(peerLog.log)?.ranges == copy.ranges)
        rig.checkCopies()
    }

    @Test
    func `a ring that never held copies takes logs without a record for its own`() throws {
        let rig = try Rig(segments: 12)
        try fill(rig, rounds: 60, own: 30, copies: 0, maintain: true)
        let own = try #require(rig.ring.currentLog)
        try rig.cutPower { _ in false }
        try fill(rig, rounds: 40, own: 30, copies: 0, maintain: true)
        let bytes = rig.options.geometry.segmentBytes
        for (index, segment) in rig.ring.segments.enumerated() where segment.kind == .hot && segment.isOurs {
            rig.disk.overwrite([UInt8](repeating: 0xEE, count: bytes), at: index * bytes)
        }
        try rig.cutPower { _ in false }
        #expect(rig.ring.copies.isEmpty && rig.ring.logs.contains { $0.log == own && $0.stored > 0 })
    }

    @Test
    func `a segment says whether it was opened for copies, and one before them does not`() throws {
        let rig = try Rig()
        func mayHoldCopies() throws -> Set<Bool> {
            let bytes = rig.options.geometry.segmentBytes
            let headers = try rig.ring.segments.indices.map {
                SegmentHeaderState.read(try rig.disk.read(at: $0 * bytes, count: Geometry.headerBytes))
            }
            return Set(headers.compactMap { if case .found(let header, _) = $0 { header.mayHoldCopies } else { nil } })
        }
        try fill(rig, rounds: 40, own: 30, copies: 0)
        #expect(try mayHoldCopies() == [false])
        try fill(rig, rounds: 40, own: 30, copies: 1)
        #expect(try mayHoldCopies() == [false, true])
    }

    @Test
    func `damage to a copy is absence at the next start, and told of where a reader meets it`() throws {
        let rig = try Rig()
        try fill(rig, rounds: 3, own: 2, copies: 40)
        let entry = try #require(rig.ring.indexes[peerLog.log]?.entries[1])
        let place = rig.ring.place(of: entry)
        let position = place.segment * rig.options.geometry.segmentBytes + place.unit * Geometry.unit
        rig.disk.flip(at: position + 200, mask: 1)
        let result = rig.ring.readPlan(log: peerLog.log, range: offsets(0..<120), limit: 500).perform(on: rig.disk)
        rig.note(rig.ring.noteDamage(result.damage))
        #expect(rig.ring.copiedLog(peerLog.log)?.lost.map(\.reason) == [.damaged])
        #expect(rig.copied[peerLog]?.count == 80)
        rig.commitAll()
        rig.disk.healBits()
        try rig.cutPower { _ in false }
        // It can be read again: data beats a record of damage.
        #expect(rig.ring.ranges(of: peerLog.log) == [offsets(0..<120)])
        rig.disk.overwrite([0xFF], at: position + 200)
        try rig.cutPower { _ in false }
        #expect(rig.ring.ranges(of: peerLog.log).count == 2)
        #expect(!rig.report.findings.contains { if case .readingsLost(peerLog.log, _) = $0 { true } else { false } })
    }
}
