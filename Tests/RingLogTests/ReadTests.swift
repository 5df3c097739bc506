import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

struct ReadTests {
    private func filled() throws -> (rig: Rig, log: LogID) {
        let rig = try Rig(segments: 12)
        for second in 0..<200 {
            rig.uptime = Int64(second + 1) * 1_000_000
            try rig.append(
                (0..<20).map { reading("d\($0)", .number(Double(second)), at: rig.uptime + Int64($0) * 1000) })
            rig.commitAll(maintain: true)
        }
        return (rig, try #require(rig.ring.currentLog))
    }

    private func wall(second: Int) -> Milliseconds { Milliseconds(wallBase / 1000 + Int64(second + 1) * 1000) }

    @Test
    func `a read ends at its limit and says where to go on`() throws {
        let (rig, log) = try filled()
        let result = rig.ring.readPlan(log: log, range: Offset(512)..<Offset(1024), limit: 100).perform(on: rig.disk)
        #expect(result.readings.map { $0.offset.rawValue } == Array(512..<612))
        #expect(result.next == Offset(612))
        let rest = rig.ring.readPlan(log: log, range: result.next..<Offset(1024), limit: 1000).perform(on: rig.disk)
        #expect(rest.readings.map { $0.offset.rawValue } == Array(612..<1024) && rest.next == Offset(1024))
    }

    @Test
    func `a query finds what lies between two times, in order, for the series asked for`() throws {
        let (rig, _) = try filled()
        let plan = rig.ring.queryPlan(from: wall(second: 50), to: wall(second: 60), newestFirst: false, limit: 1000)
        let result = plan.perform(on: rig.disk) { $0.device.rawValue == "d3" }
        #expect(result.readings.map { $0.stored.reading.value } == (50..<60).map { .number(Double($0)) })
        #expect(!result.isTruncated && result.readings.allSatisfy { $0.isTrusted })
    }

    @Test
    func `readings of one millisecond come by log and offset, and a limit cuts that order, from either end`() throws {
        let rig = try Rig()
        for _ in 0..<3 {
            for _ in 0..<3 {
                try rig.append((0..<4).map { reading("d\($0)", .number(1), at: 5_000_000) })
                rig.commitAll()
            }
            try rig.cutPower { _ in false }
        }
        func found(newestFirst: Bool, limit: Int) -> [StoredReading] {
            let plan = rig.ring.queryPlan(from: nil, to: nil, newestFirst: newestFirst, limit: limit)
            return plan.perform(on: rig.disk) { _ in true }.readings.map(\.stored)
        }
        let all = rig.appended.keys.sorted().flatMap { rig.readAll($0) }
        #expect(all.count == 36 && rig.appended.count == 3)
        for limit in 1...40 {
            #expect(found(newestFirst: false, limit: limit) == Array(all.prefix(limit)))
            #expect(found(newestFirst: true, limit: limit) == Array(all.reversed().prefix(limit)))
        }
    }

    @Test
    func `the newest of a long log are found without reading all of it`() throws {
        let (rig, _) = try filled()
        let before = rig.disk.counts.reads
        let plan = rig.ring.queryPlan(from: nil, to: nil, newestFirst: true, limit: 25)
        let result = plan.perform(on: rig.disk) { _ in true }
        #expect(result.readings.count == 25 && result.isTruncated)
        #expect(
            result.readings.first?.stored.offset == Offset(3999) && result.readings.last?.stored.offset == Offset(3975))
        #expect(rig.disk.counts.reads - before <= 6)
    }

    @Test
    func `an anchor puts the times of untrusted readings right, in queries as well, across a restart`() throws {
        let rig = try Rig()
        let stray = Stamp(boot: boot, uptime: Microseconds(5_000_000), wallOffset: Microseconds(0), isTrusted: false)
        try rig.append([
            Reading(series: Series(device: DeviceID("a"), metric: "value"), stamp: stray, value: .number(1))
        ])
        rig.commitAll()
        #expect(rig.ring.time(of: stray) == RenderedTime(time: Milliseconds(5000), isTrusted: false))
        rig.ring.anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(wallBase)))
        rig.commitAll()
        try rig.cutPower { _ in false }
        let right = Milliseconds(wallBase / 1000 + 5000)
        #expect(rig.ring.time(of: stray) == RenderedTime(time: right, isTrusted: true))
        let plan = rig.ring.queryPlan(
            from: Milliseconds(right.rawValue - 10), to: nil, newestFirst: true, limit: 10)
        #expect(plan.perform(on: rig.disk) { _ in true }.readings.map { $0.time } == [right])
    }

    @Test
    func `a plan that was overtaken by new data says so, and serves nothing wrong`() throws {
        let (rig, log) = try filled()
        let plan = rig.ring.readPlan(log: log, range: .zero..<Offset(4000), limit: 4000)
        rig.release(log, upTo: 4000)
        for second in 200..<1200 {
            rig.uptime = Int64(second + 1) * 1_000_000
            try rig.append((0..<20).map { reading("d\($0)", .number(Double(second)), at: rig.uptime) })
            rig.commitAll(maintain: true)
        }
        let late = plan.perform(on: rig.disk)
        #expect(late.overwritten && late.damage.isEmpty)
        for stored in late.readings { #expect(stored.reading == rig.appended[log]?[Int(stored.offset.rawValue)]) }
    }

    @Test
    func `merging makes what is held dense`() throws {
        let (rig, _) = try filled()
        let statistics = rig.ring.statistics
        #expect(statistics.readingsHeld == 4000 && statistics.readingsMerged > 0)
        #expect(statistics.bytesHeldPerReading < 80, "\(statistics.bytesHeldPerReading)")
    }

    @Test
    func `drift of the wall clock up to a millisecond makes no new clock context`() throws {
        let rig = try Rig()
        for index in 0..<100 {
            let stamp = Stamp(
                boot: boot, uptime: Microseconds(Int64(index) * 1000),
                wallOffset: Microseconds(wallBase + Int64(index * 7 % 1000)), isTrusted: true)
            _ = try rig.ring.append(
                Entry([Reading(series: Series(device: DeviceID("a"), metric: "m"), stamp: stamp, value: .number(1))]))
        }
        rig.commitAll()
        let log = try #require(rig.ring.currentLog)
        let found = rig.readAll(log)
        #expect(found.count == 100 && Set(found.map { $0.reading.stamp.wallOffset }).count == 1)
    }
}

struct QueryPagerTests {
    @Test
    func `pages follow a query to its end and tell the readings of one millisecond once`() throws {
        let rig = try Rig(segments: 12)
        for second in 0..<20 {
            rig.uptime = Int64(second + 1) * 1_000_000
            // Seven readings share a millisecond, so that pages end amid them.
            try rig.append(
                (0..<20).map { reading("d\($0)", .number(Double(second)), at: rig.uptime + Int64($0 / 7) * 1000) })
            rig.commitAll(maintain: true)
        }
        var pager = QueryPager(from: nil)
        let pageReadings = pager.limit
        var told: [TimedReading] = []
        for _ in 0..<1000 where !pager.isDone {
            // Pages of ten readings, and whatever more the pager asks for.
            let limit = pager.limit - pageReadings + 10
            let plan = rig.ring.queryPlan(from: pager.from, to: nil, newestFirst: false, limit: limit)
            told += pager.take(plan.perform(on: rig.disk) { _ in true })
        }
        #expect(pager.isDone)
        #expect(told.count == 400 && Set(told).count == 400)
        #expect(told.map(\.time) == told.map(\.time).sorted())
    }
}
