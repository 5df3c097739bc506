import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// Long random lives of small rings beside a plain model.
struct HistoryTests {
    // The last three lost what a peer had brought back: the copy that had been given up was found first and hidden with its gap.
    // From 1000 on segments are named before they must go, which takes a ring that is full of merged blocks; from 2000 on readings go for
    // their age.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 106, 169, 202, 1002, 1004, 2001, 2003] as [UInt64])
    func `what was acknowledged survives any mix of commits, merges, evictions, crashes and failing syncs`(seed: UInt64)
        throws
    {
        var history = try History(seed: seed)
        try history.run(steps: seed >= 1000 ? 1500 : 400)
        #expect((history.named > 0) == (1000..<2000).contains(seed))
        #expect((history.expired > 0) == (seed >= 2000))
    }
}

/// One seeded life.
struct History {
    let rig: Rig
    var draw: SeededRandom
    let isCrowded: Bool
    /// Times that the ring named what goes next.
    private(set) var named = 0
    /// Readings that went for their age.
    private(set) var expired = 0
    private let isAging: Bool

    init(seed: UInt64) throws {
        draw = SeededRandom(seed: seed &* 7919)
        var options = smallOptions()
        let segments = 8 + Int(seed % 5)
        isAging = seed >= 2000
        if (1000..<2000).contains(seed) {
            options.retention = .downsample
        } else if seed % 3 == 0 {
            options.retention = .rejectNew
        }
        isCrowded = seed % 2 == 0
        rig = try Rig(segments: segments, seed: seed, options: options)
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            if isAging, draw.next() % 20 == 0 { expireSome() }
            switch draw.next() % 100 {
            case 0..<27: appendSome()
            case 27..<35: try storeSome()
            case 35..<45: try rig.put(StateKey(1, "key\(draw.next() % 5)"), bytes(max(0, Int(draw.next() % 40) - 8)))
            case 45..<80: commit()
            case 80..<90: try maintain()
            case 90..<93: releaseSome()
            case 93..<95: rig.disk.failSync(number: rig.disk.counts.syncs)
            case 95..<98: try crash()
            default: rig.check()
            }
        }
        rig.commitAll(limit: 200, maintain: true)
        rig.check()
        try crash()
        rig.check()
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
    }

    private mutating func appendSome() {
        let count = isCrowded ? 1 + Int(draw.next() % 200) : 1 + Int(draw.next() % 12)
        var readings: [Reading] = []
        for _ in 0..<count {
            rig.uptime += Int64(draw.next() % 20_000)
            readings.append(randomReading())
        }
        let isMarked = draw.next() % 2 == 0
        let mark = DeliveryMark(
            session: "s\(draw.next() % 2)", message: UInt16(draw.next() % 60_000), hash: draw.next())
        do {
            try rig.append(readings, mark: isMarked ? mark : nil)
        } catch {
            #expect([RingError.bufferFull, .ringFull].contains(error as? RingError), "\(error)")
        }
    }

    private mutating func randomReading() -> Reading {
        let device = "d\(draw.next() % 30)"
        let value: Value
        switch draw.next() % 8 {
        case 0: value = .flag(draw.next() % 2 == 0)
        case 1: value = .text(String(repeating: "x", count: Int(draw.next() % 20)))
        case 2: value = .number(Double.random(in: -1e6...1e6, using: &draw))
        default: value = .number(Double(Int64(draw.next() % 4000) - 2000) / 100)
        }
        let quality = draw.next() % 20 == 0 ? Quality.stale : .good
        return reading(
            device, value, at: rig.uptime, trusted: draw.next() % 30 != 0, quality: quality,
            deviceTime: draw.next() % 10 == 0 ? Milliseconds(Int64(draw.next() % 1_000_000)) : nil)
    }

    /// Pieces of two logs, out of order, with holes, and some of them again.
    private mutating func storeSome() throws {
        let first = draw.next() % 40 * 50
        let range = first..<first + 1 + draw.next() % (isCrowded ? 300 : 30)
        do {
            try rig.store(draw.next() % 2 == 0 ? peerLog : otherLog, range)
        } catch {
            #expect([RingError.bufferFull, .copiesFull].contains(error as? RingError), "\(error)")
        }
    }

    private mutating func commit() {
        rig.now = rig.now.advanced(by: .seconds(1))
        guard let plan = rig.cut() else { return }
        rig.finish(plan, plan.perform(on: rig.disk))
    }

    private mutating func maintain() throws {
        guard let work = rig.ring.maintenance() else { return }
        let result = work.perform(on: rig.disk)
        if draw.next() % 2 == 0 { commit() }
        rig.note(rig.ring.finished(result))
        try giveUpSome()
    }

    /// What is named is there, and goes as far as it still is.
    private mutating func giveUpSome() throws {
        guard let next = rig.ring.nextToGo() else { return }
        named += 1
        for (log, range) in next.parts {
            let read = rig.ring.readPlan(log: log, range: range, limit: 100_000).perform(on: rig.disk)
            #expect(read.damage.isEmpty && read.readings.count == range.lowerBound.distance(to: range.upperBound))
        }
        if draw.next() % 3 == 0 { commit() }
        if draw.next() % 3 == 0, let work = rig.ring.maintenance() {
            rig.note(rig.ring.finished(work.perform(on: rig.disk)))
        }
        rig.note(rig.ring.giveUp(next))
        for (log, range) in next.parts {
            #expect(rig.ring.readPlan(log: log, range: range, limit: 1).isEmpty, "\(range) goes, wherever it lies")
        }
    }

    private mutating func expireSome() {
        let age = Int64(draw.next() % UInt64(rig.uptime))
        let before = rig.ring.statistics.expired
        rig.note(rig.ring.expire(before: Milliseconds((wallBase + rig.uptime - age) / 1000)))
        expired += rig.ring.statistics.expired - before
    }

    private mutating func releaseSome() {
        for log in rig.acknowledged.keys.sorted() where draw.next() % 2 == 0 {
            rig.release(log, upTo: Int(draw.next() % UInt64((rig.acknowledged[log] ?? 0) + 1)))
        }
        for name in [peerLog, otherLog] where draw.next() % 3 == 0 {
            rig.ring.setReleased(name.log, upTo: Offset(draw.next() % 2000))
        }
    }

    /// The power goes in the middle of a plan, behind it, or between two.
    private mutating func crash() throws {
        if draw.next() % 3 != 0, let plan = rig.cut() {
            let count = Int(draw.next() % UInt64(plan.writes.count + 1))
            for write in plan.writes.prefix(count) { _ = try? rig.disk.write(write.bytes, at: write.position) }
            if draw.next() % 4 == 0 { rig.finish(plan, plan.perform(on: rig.disk)) }
        }
        let mode = draw.next() % 4
        var draw = draw
        try rig.cutPower { index in
            switch mode {
            case 0: true
            case 1: false
            case 2: index % 3 != 1
            default: draw.next() % 2 == 0
            }
        }
        self.draw = draw
        for finding in rig.report.findings {
            if case .readingsLost = finding { Issue.record("\(finding.sentence)") }
        }
        rig.check()
    }
}
