import Environment
import LogFormat
import Model
import Simulator
import Testing

@testable import RingLog

/// Every history of up to three operations, cut off at every point of its last one. What was reported durable is there, nothing else is,
/// and the start is never refused.
struct AllHistoriesTests {
    @Test
    func `all short histories of a new ring survive a power cut at any sector`() throws {
        let rig = try Rig(options: tinyOptions())
        rig.ring.skipZeroFill()
        var explorer = Explorer()
        try explorer.explore(rig, depth: 3)
        #expect(explorer.histories == 258)
        #expect(explorer.cuts > 1200 && explorer.rolls > 50 && explorer.merges > 0, "\(explorer)")
    }

    @Test
    func `all short histories of a full ring that a new process opened survive a power cut at any sector`() throws {
        let rig = try Rig(options: tinyOptions())
        rig.ring.skipZeroFill()
        for round in UInt64(0)..<60 {
            rig.uptime += 1_000_000
            try rig.append((0..<3).map { reading("d\($0)", .number(Double(rig.uptime) / 7), at: rig.uptime) })
            _ = try? rig.store(peerLog, round * 4..<round * 4 + 3)
            rig.commitAll()
        }
        #expect(rig.evicted > 0 && rig.ring.copiedLog(peerLog.log)?.lost.isEmpty == false)
        try rig.cutPower { _ in false }
        var explorer = Explorer()
        try explorer.explore(rig, depth: 2)
        #expect(explorer.histories == 42)
        #expect(explorer.rolls > 5 && explorer.evictions > 0, "\(explorer)")
    }
}

private struct Explorer {
    private enum Operation: CaseIterable {
        case appendSmall, appendUntilRolled, put, storeCopy, merge, release
    }

    var histories = 0
    var cuts = 0
    var rolls = 0
    var merges = 0
    var evictions = 0

    mutating func explore(_ rig: Rig, depth: Int) throws {
        guard depth > 0 else { return }
        for operation in Operation.allCases {
            let next = Rig(forking: rig)
            try perform(operation, next)
            histories += 1
            try explore(next, depth: depth - 1)
        }
    }

    private mutating func perform(_ operation: Operation, _ rig: Rig) throws {
        rig.uptime += 1_000_000
        switch operation {
        case .appendSmall: try rig.append([reading("a", .number(Double(rig.uptime)), at: rig.uptime)])
        case .appendUntilRolled:
            var segment = rig.ring.hot?.segment
            repeat {
                let text = String(repeating: "x", count: 120)
                try rig.append((0..<5).map { reading("d\($0)", .text(text), at: rig.uptime) })
                try commit(rig)
                segment = segment ?? rig.ring.hot?.segment
            } while rig.ring.hot?.segment == segment
        case .put: try rig.put(StateKey(1, "key"), [UInt8(truncatingIfNeeded: rig.uptime / 1_000_000)])
        case .storeCopy:
            // Partly what is held already, partly what has been lost.
            let first = UInt64(rig.copied[peerLog]?.count ?? 0) % 100
            _ = try? rig.store(peerLog, first..<first + 8)
            _ = try? rig.store(otherLog, first * 2 + 3..<first * 2 + 5)
        case .merge:
            guard let work = rig.ring.maintenance() else { return }
            merges += 1
            rig.note(rig.ring.finished(work.perform(on: rig.disk)))
        case .release:
            for (log, end) in rig.acknowledged.sorted(by: { $0.key < $1.key }) { rig.release(log, upTo: end) }
            rig.ring.setReleased(peerLog.log, upTo: Offset(5))
        }
        for _ in 0..<20 where rig.ring.hasWork { try commit(rig) }
    }

    /// One commit, and every way in which the power can go before its sync has returned.
    private mutating func commit(_ rig: Rig) throws {
        guard let plan = rig.cut() else { return }
        rig.settleMarks()
        let isRolling = rig.ring.inFlight?.hasRolled == true
        if isRolling { rolls += 1 }
        if rig.ring.pendingEvents.contains(where: { if case .evicted = $0 { true } else { false } }) { evictions += 1 }
        let before = rig.disk.contents
        for write in plan.writes { try rig.disk.write(write.bytes, at: write.position) }
        for lost in losses(plan, before) {
            let crashed = Rig(forking: rig)
            try crashed.restart(on: rig.disk.afterPowerCut { !lost.contains($0) })
            cuts += 1
            crashed.check()
            #expect(crashed.ring.statistics.damaged == 0, "\(crashed.report.sentences)")
        }
        rig.finish(plan, rig.sync())
    }

    /// Which sectors did not arrive: from any one on, and any of them where they are few. Sectors that change nothing do not count.
    private func losses(_ plan: WritePlan, _ before: [UInt8]) -> [Set<Int>] {
        var contents = before
        var telling: [Int] = []
        var number = 0
        for write in plan.writes {
            for start in stride(from: 0, to: write.bytes.count, by: SimulatedDisk.sectorBytes) {
                let sector = write.bytes[start..<min(start + SimulatedDisk.sectorBytes, write.bytes.count)]
                let place = write.position + start..<write.position + start + sector.count
                if contents[place] != sector {
                    telling.append(number)
                    contents.replaceSubrange(place, with: sector)
                }
                number += 1
            }
        }
        guard telling.count > 3 else {
            return (0..<1 << telling.count).map { subset in
                Set(telling.indices.filter { subset >> $0 & 1 == 1 }.map { telling[$0] })
            }
        }
        return (0...telling.count).map { Set(telling[$0...]) }
    }
}
