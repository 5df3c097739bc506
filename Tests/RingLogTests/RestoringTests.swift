import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// What damage took of a log that this ring minted, and a peer brings back.
struct RestoringTests {
    private let own = NodeID(high: 1, low: 1)

    /// A ring with one log of 3000 readings, a part of them merged, of which some blocks were found damaged.
    private func spoiled() throws -> (rig: Rig, name: LogName, lost: [Range<Offset>]) {
        let rig = try Rig(segments: 12)
        for index in 0..<60 {
            rig.uptime += 1_000_000
            try rig.append((0..<50).map { reading("d\($0)", .number(Double(index)), at: rig.uptime + Int64($0)) })
            rig.commitAll(maintain: true)
        }
        let name = LogName(node: own, log: try #require(rig.ring.currentLog))
        for position in stride(from: 3 * Geometry.unit + 99, to: rig.disk.size, by: 24 * Geometry.unit) {
            rig.disk.flip(at: position, mask: 0x10)
        }
        for plan in rig.ring.scrubPlans { rig.note(rig.ring.noteDamage(plan.perform(on: rig.disk).damage)) }
        rig.commitAll(maintain: false)
        let lost = rig.ring.gaps(of: name.log).filter { $0.reason == .damaged }.map(\.range)
        #expect(lost.count >= 2)
        return (rig, name, lost)
    }

    private func count(_ ranges: [Range<Offset>]) -> Int {
        ranges.reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) }
    }

    /// What a peer has of the log.
    private func bring(_ rig: Rig, _ name: LogName, _ range: Range<Offset>) throws -> [Range<Offset>] {
        let all = try #require(rig.appended[name.log])
        let readings = Array(all[Int(range.lowerBound.rawValue)..<Int(range.upperBound.rawValue)])
        return try rig.ring.store(name, first: range.lowerBound, readings: readings, anchors: [])
    }

    @Test
    func `it is taken in, is a loss no more, and is told with whose it is`() throws {
        let (rig, name, lost) = try spoiled()
        #expect(rig.ring.statistics.lost == count(lost))
        let all = Offset.zero..<Offset(3000)
        #expect(try bring(rig, name, all) == lost, "nothing but what is lost")
        #expect(try bring(rig, name, all).isEmpty, "and that once")
        rig.commitAll(maintain: false)
        #expect(rig.ring.gaps(of: name.log).isEmpty && rig.ring.ranges(of: name.log) == [all])
        let statistics = rig.ring.statistics
        #expect(statistics.restored == count(lost) && statistics.lost == 0 && statistics.copiesStored == 0)
        var told: [(range: Range<Offset>, devices: [DeviceID: Int])] = []
        for case .restored(name.log, let range, let devices) in rig.events { told.append((range, devices)) }
        #expect(count(told.map(\.range)) == count(lost))
        for (range, devices) in told {
            var expected: [DeviceID: Int] = [:]
            for offset in range.lowerBound.rawValue..<range.upperBound.rawValue {
                expected[try #require(rig.appended[name.log])[Int(offset)].series.device, default: 0] += 1
            }
            #expect(devices == expected)
        }
        #expect(rig.readAll(name.log).map(\.reading) == rig.appended[name.log])
    }

    @Test
    func `it stays so over a power cut, a start and merging, as part of the ring's own log`() throws {
        let (rig, name, lost) = try spoiled()
        _ = try bring(rig, name, .zero..<Offset(3000))
        rig.commitAll(maintain: false)
        for _ in 0..<2 {
            try rig.cutPower { _ in false }
            #expect(rig.ring.isOwn(name.log) && rig.ring.copies.isEmpty)
            #expect(rig.ring.gaps(of: name.log).isEmpty)
            #expect(rig.readAll(name.log).map(\.reading) == rig.appended[name.log])
            for index in 0..<40 {
                rig.uptime += 1_000_000
                try rig.append([reading("e", .number(Double(index)), at: rig.uptime)])
                rig.commitAll(maintain: true)
            }
        }
        // A later start knows that sinks may have been told otherwise.
        #expect(count(rig.ring.returned(of: name.log)) <= count(lost))
    }

    @Test
    func `what a failed commit carried of it is written elsewhere, and only then told`() throws {
        let (rig, name, lost) = try spoiled()
        _ = try bring(rig, name, lost[0])
        rig.disk.failSync(number: rig.disk.counts.syncs)
        let plan = try #require(rig.cut())
        rig.finish(plan, plan.perform(on: rig.disk))
        #expect(rig.ring.statistics.restored == 0 && rig.ring.gaps(of: name.log).contains { $0.range == lost[0] })
        rig.commitAll(maintain: false)
        #expect(rig.ring.statistics.restored == count([lost[0]]))
        #expect(!rig.ring.gaps(of: name.log).contains { $0.range == lost[0] })
    }

    @Test
    func `what was given up for want of room is not taken back`() throws {
        let rig = try Rig(segments: 8)
        for index in 0..<3000 {
            rig.uptime += 1_000_000
            let text = String(repeating: "\(index)", count: 60)
            try rig.append([reading("d", .text(text), at: rig.uptime)])
            rig.commitAll(maintain: true)
            if rig.evicted > 0 { break }
        }
        let name = LogName(node: own, log: try #require(rig.ring.currentLog))
        let gone = try #require(rig.ring.gaps(of: name.log).first)
        #expect(gone.reason == .evicted)
        #expect(try bring(rig, name, gone.range).isEmpty)
    }
}
