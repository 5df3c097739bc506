import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

struct SpaceTests {
    private func fill(_ rig: Rig, rounds: Int, maintain: Bool = true) throws {
        for _ in 0..<rounds {
            rig.uptime += 1_000_000
            try rig.append((0..<60).map { reading("d\($0)", .number(Double(rig.uptime % 977) / 7), at: rig.uptime) })
            rig.commitAll(maintain: maintain)
        }
    }

    @Test
    func `a full ring drops the oldest, counts them, and records the gap before it writes over them`() throws {
        let rig = try Rig()
        try fill(rig, rounds: 600)
        let log = try #require(rig.ring.currentLog)
        let gaps = rig.ring.gaps(of: log)
        #expect(gaps.count == 1 && gaps.first?.reason == .evicted && gaps.first?.range.lowerBound == .zero)
        #expect(rig.evicted == rig.ring.statistics.evictedPending && rig.evicted > 0)
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
        #expect(rig.ring.gaps(of: log) == gaps)
    }

    @Test
    func `what has been uploaded goes first, and silently`() throws {
        let rig = try Rig()
        for _ in 0..<60 {
            try fill(rig, rounds: 10)
            let log = try #require(rig.ring.currentLog)
            rig.release(log, upTo: rig.acknowledged[log] ?? 0)
        }
        #expect(rig.ring.statistics.evictedPending == 0 && rig.ring.statistics.evictedUploaded > 0)
        rig.check()
    }

    @Test
    func `a ring that may not drop refuses new readings, keeps its small records, and goes on after a release`() throws
    {
        var options = smallOptions()
        options.retention = .rejectNew
        let rig = try Rig(options: options)
        #expect(throws: RingError.ringFull) { try fill(rig, rounds: 2000) }
        let log = try #require(rig.ring.currentLog)
        #expect(rig.ring.statistics.evictedPending == 0)
        for index in 0..<400 {
            try rig.put(StateKey(1, "cursor"), [UInt8(index % 256)])
            rig.commitAll(maintain: true)
            #expect(rig.ring.statistics.memoryOnly == nil)
        }
        rig.check()
        rig.release(log, upTo: rig.acknowledged[log] ?? 0)
        // Taken at once: what waits for room must not wait for a commit that nobody has a reason for.
        try rig.append([reading("d0", .number(1), at: rig.uptime)])
        rig.commitAll(maintain: true)
        try rig.put(StateKey(1, "cursor"), [1])
        rig.commitAll(maintain: true)
        try fill(rig, rounds: 50)
        #expect(rig.ring.statistics.evictedPending == 0)
        rig.check()
    }

    @Test
    func `without any merging a ring still goes round`() throws {
        let rig = try Rig()
        try fill(rig, rounds: 300, maintain: false)
        #expect(rig.evicted > 0)
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `small records outlive every segment that first held them`() throws {
        let rig = try Rig()
        for index in 0..<40 { try rig.put(StateKey(2, "key-\(index)"), [UInt8](repeating: UInt8(index), count: 60)) }
        rig.ring.anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(77)))
        try fill(rig, rounds: 300)
        try rig.cutPower { _ in false }
        for index in 0..<40 { #expect(rig.ring.state(StateKey(2, "key-\(index)"))?.first == UInt8(index)) }
        #expect(rig.ring.clock.anchors == [ClockAnchor(boot: boot, wallOffset: Microseconds(77))])
    }

    @Test
    func `a commit carries no more merged blocks beside its own than it may`() throws {
        let rig = try Rig(segments: 16)
        var merges = 0
        for round in 0..<100 {
            rig.uptime += 1_000_000
            // Texts that nothing shortens: what a segment held takes as much again when it is merged.
            try rig.append(
                (0..<100).map {
                    let text = (0..<3).map { _ in String(rig.random.next(), radix: 36) }.joined()
                    return reading("d\($0)", .text("\(round)-" + text), at: rig.uptime)
                })
            rig.commitAll()
            guard let work = rig.ring.maintenance() else { continue }
            rig.note(rig.ring.finished(work.perform(on: rig.disk)))
            var merged = 0
            while let plan = rig.cut() {
                #expect(plan.blockBytes == 0 && plan.bytes <= rig.options.backgroundBytes)
                merged += plan.bytes
                rig.finish(plan, plan.perform(on: rig.disk))
            }
            if merged > rig.options.backgroundBytes { merges += 1 }
        }
        #expect(merges >= 3)
        rig.check()
    }

    @Test
    func `many series with long names never leave a segment without room for its footer`() throws {
        let rig = try Rig(segments: 16)
        for round in 0..<120 {
            rig.uptime += 1_000_000
            let name = String(repeating: "n", count: 60)
            try rig.append(
                (0..<20).map { reading("\(name)-\(round)-\($0)", .number(1), at: rig.uptime) })
            rig.commitAll(maintain: true)
        }
        rig.check()
        try rig.cutPower { _ in false }
        rig.check()
    }

    @Test
    func `hours of outage follow from size and rate`() {
        let hours = RingCapacity.hours(ringBytes: 1 << 30, readingsPerSecond: 100)
        #expect(hours > 600 && hours < 800)
        #expect(RingCapacity.hours(ringBytes: 16 << 20, readingsPerSecond: 100) == 0)
    }

    /// Wall time of the readings that ``fill(_:rounds:maintain:)`` adds next.
    private func wall(_ rig: Rig) -> Milliseconds { Milliseconds((wallBase + rig.uptime + 1_000_000) / 1000) }

    @Test
    func `what every sink has goes when it is too old, and what one lacks does not`() throws {
        let rig = try Rig(segments: 12)
        try fill(rig, rounds: 150)
        let log = try #require(rig.ring.currentLog)
        let limit = wall(rig)
        try fill(rig, rounds: 150)
        let released = 40 * 60 + 7
        rig.release(log, upTo: released)
        rig.note(rig.ring.expire(before: limit))
        #expect(rig.ring.gaps(of: log) == [Gap(log: log, range: offsets(0..<UInt64(released)), reason: .uploaded)])
        #expect(rig.ring.statistics.expired == released && rig.evicted == released)

        rig.release(log, upTo: 280 * 60)
        let free = rig.ring.statistics.freeSegments
        rig.note(rig.ring.expire(before: limit))
        rig.commitAll(maintain: true)
        let gone = try #require(rig.ring.gaps(of: log).first)
        // Blocks go whole: the one that the limit cuts in two stays, and so does what no block older than the limit holds.
        #expect(rig.ring.gaps(of: log).count == 1 && gone.reason == .uploaded && gone.range.lowerBound == .zero)
        #expect((130 * 60...150 * 60).contains(Int(gone.range.upperBound.rawValue)), "\(gone)")
        #expect(rig.ring.statistics.freeSegments > free)
        #expect(rig.ring.statistics.oldest.map { $0 < limit } ?? false)
        rig.check()
        try rig.cutPower { _ in false }
        #expect(rig.ring.gaps(of: log) == [gone])
        rig.check()
    }

    @Test
    func `readings that nobody can date, and those that commits still need, are of no age`() throws {
        let rig = try Rig(segments: 12)
        for _ in 0..<150 {
            rig.uptime += 1_000_000
            try rig.append((0..<60).map { reading("d\($0)", .number(1), at: rig.uptime, trusted: false) })
            rig.commitAll(maintain: true)
        }
        let log = try #require(rig.ring.currentLog)
        rig.release(log, upTo: rig.acknowledged[log] ?? 0)
        rig.note(rig.ring.expire(before: wall(rig)))
        #expect(rig.ring.statistics.expired == 0)
        try rig.cutPower { _ in false }

        let fresh = try Rig(segments: 12)
        try fill(fresh, rounds: 20)
        let young = try #require(fresh.ring.currentLog)
        fresh.release(young, upTo: fresh.acknowledged[young] ?? 0)
        fresh.note(fresh.ring.expire(before: wall(fresh)))
        #expect(fresh.ring.statistics.expired == 0 && fresh.ring.statistics.readingsHeld == 1200)
    }
}
