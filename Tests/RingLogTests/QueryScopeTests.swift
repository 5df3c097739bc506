import Environment
import LogFormat
import Model
import RingLog
import Testing

struct QueryScopeTests {
    /// Three logs whose readings interleave in time.
    private func filled(trusted: Bool = true) throws -> Rig {
        let rig = try Rig(segments: 12)
        for life in 0..<3 {
            for second in 0..<20 {
                rig.uptime = Int64(second + 1) * 1_000_000 + Int64(life) * 10_000
                try rig.append(
                    (0..<15).map { reading("d\($0)", .number(1), at: rig.uptime + Int64($0), trusted: trusted) })
                rig.commitAll(maintain: life == 0)
            }
            try rig.cutPower { _ in false }
        }
        return rig
    }

    /// Follows a query of few blocks a page to its end.
    private func paged(
        _ rig: Rig, from: Milliseconds? = nil, to: Milliseconds? = nil, newestFirst: Bool, limit: Int, blocks: Int,
        scope: (LogID) -> LogScope = { _ in .all }
    ) throws -> (found: [TimedReading], most: Int) {
        var found: [TimedReading] = []
        var after: QueryPlace?
        var most = 0
        for _ in 0..<5000 {
            let plan = rig.ring.queryPlan(
                from: from, to: to, newestFirst: newestFirst, limit: limit, after: after, blocks: blocks, scope: scope)
            most = max(most, plan.blocks)
            let result = plan.perform(on: rig.disk) { _ in true }
            #expect(result.readings.count <= limit)
            found += result.readings
            guard let end = result.end else { return (found, most) }
            if let after { try #require(after.comes(before: end, newestFirst: newestFirst)) }
            after = end
        }
        Issue.record("the query does not end")
        return (found, most)
    }

    @Test(arguments: [false, true], [1, 3, 1000])
    func `pages of few blocks tell what one answer tells, from either end`(newestFirst: Bool, blocks: Int) throws {
        let rig = try filled()
        let all = rig.ring.queryPlan(from: nil, to: nil, newestFirst: newestFirst, limit: 10_000)
            .perform(on: rig.disk) { _ in true }
        #expect(all.readings.count == 900 && all.end == nil)
        for limit in [1, 7, 40, 10_000] {
            let (found, most) = try paged(rig, newestFirst: newestFirst, limit: limit, blocks: blocks)
            #expect(found == all.readings)
            #expect(most < 70)
        }
        let (from, to) = (all.readings[300].time, all.readings[600].time)
        let (first, last) = newestFirst ? (to, from) : (from, to)
        let (found, _) = try paged(rig, from: first, to: last, newestFirst: newestFirst, limit: 7, blocks: blocks)
        #expect(found == all.readings.filter { $0.time >= first && $0.time < last })
    }

    @Test
    func `readings of uncertain time are told in order, too`() throws {
        let rig = try filled(trusted: false)
        let all = rig.ring.queryPlan(from: nil, to: nil, newestFirst: false, limit: 10_000)
            .perform(on: rig.disk) { _ in true }
        let (found, _) = try paged(rig, newestFirst: false, limit: 50, blocks: 2)
        #expect(found == all.readings && found.count == 900)
    }

    @Test
    func `a scope takes parts of logs, or leaves them out, and both together are all`() throws {
        let rig = try filled()
        let logs = rig.appended.keys.sorted()
        let ranges = [Offset(3)..<Offset(4), Offset(10)..<Offset(95), Offset(299)..<Offset(400)]
        func isIn(_ stored: StoredReading) -> Bool {
            stored.log == logs[1] && ranges.contains { $0.contains(stored.offset) }
        }
        let all = try paged(rig, newestFirst: false, limit: 1000, blocks: 1000).found
        let only = try paged(rig, newestFirst: false, limit: 33, blocks: 2) { $0 == logs[1] ? .only(ranges) : .nothing }
        #expect(only.found == all.filter { isIn($0.stored) } && only.found.count == 87)
        let except = try paged(rig, newestFirst: false, limit: 33, blocks: 2) { $0 == logs[1] ? .except(ranges) : .all }
        #expect(except.found == all.filter { !isIn($0.stored) })
    }
}
