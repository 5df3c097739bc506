import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator
import Testing

@testable import GatewayCore

@Suite("Many starts")
struct ForgettingTests {
    @Test(
        "Finished logs are forgotten: however many starts, the records are as many as the logs that the ring holds, and no count is lost"
    )
    func forgets() throws {
        let bench = try Bench(segments: 8)
        var stored: UInt64 = 0
        for turn in 1...140 {
            for part in 0..<2 { bench.submit(bench.noise(250), ticket: UInt64(2 * turn + part)) }
            stored += 500
            bench.deliver()
            bench.advance(by: .seconds(10))
            bench.deliver()
            bench.advance(by: .seconds(10))
            // Now and then the power fails between the blocks that carry totals and removals.
            let kept = turn % 7
            bench.holdsWrites = turn % 5 == 0
            bench.advance(by: .seconds(6))
            bench.holdsWrites = false
            try bench.restart(on: bench.disk.afterPowerCut { $0 < kept })
            for sink in bench.core.sinks where sink.machine.counts.stored != stored || !sink.machine.counts.isBalanced {
                Issue.record("turn \(turn): \(sink.name) \(sink.machine.counts) of \(stored)")
                return
            }
            #expect(bench.core.ledger.total.stored == stored)
        }
        let logs = bench.core.ring.logs.count
        #expect(logs < 200)
        #expect(bench.core.ring.states.count { $0.key.kind == StateKind.progress } <= logs + SinkTotals.mostRecent)
        #expect(bench.core.sinks[0].machine.counts.uploaded == stored)
    }

    @Test("Logs stay in the order of their age, though a power cut took the list that a new segment begins with")
    func order() throws {
        let bench = try Bench(sinks: [])
        var ages: [LogID] = []
        var ticket: UInt64 = 0
        /// Stores readings until a commit opens another segment; leaves that commit waiting.
        func fill() {
            bench.holdsWrites = true
            while true {
                ticket += 1
                bench.submit(bench.noise(250), ticket: ticket)
                if ages.last != bench.core.ring.currentLog, let log = bench.core.ring.currentLog { ages.append(log) }
                guard let plan = bench.writes.first else { return }
                let segments = Set(plan.writes.map { $0.position / bench.options.geometry.segmentBytes })
                // Footer, header and block.
                if plan.writes.count >= 3, segments.count > 1 { return }
                bench.write()
            }
        }
        for _ in 0..<3 {
            bench.holdsWrites = false
            bench.submit(bench.noise(20))
            if let log = bench.core.ring.currentLog { ages.append(log) }
            try bench.restart(on: bench.disk.afterKill())
        }
        fill()
        let plan = try #require(bench.writes.first)
        let header = try #require(
            plan.writes.firstIndex {
                $0.position % bench.options.geometry.segmentBytes == 0 && !$0.bytes.allSatisfy { $0 == 0 }
            })
        for write in plan.writes[...header] { try bench.disk.write(write.bytes, at: write.position) }
        let kept = bench.disk.pendingSectors
        for write in plan.writes[(header + 1)...] { try bench.disk.write(write.bytes, at: write.position) }
        try bench.restart(on: bench.disk.afterPowerCut { $0 < kept })
        fill()
        bench.holdsWrites = false
        while !bench.writes.isEmpty { bench.write() }
        bench.advance(by: .seconds(30))
        try bench.restart(on: bench.disk.afterKill())
        #expect(bench.core.ring.logs.map(\.log) == ages)
        #expect(ages.count == 5)
    }

    @Test("Counters of many streams survive a power cut between the blocks that carry them", arguments: 1...3)
    func manyStreams(seed: UInt64) throws {
        let bench = try Bench(segments: 16, sinks: [])
        bench.random = SeededRandom(seed: seed)
        let padding = String(repeating: "x", count: 90)
        var truth: [Key: DeviceID] = [:]
        let devices = (0..<100).map { "\($0)-\(padding)" }
        for _ in 0..<12 {
            for _ in 0..<Int.random(in: 1...6, using: &bench.random) {
                for device in devices where Int.random(in: 0..<3, using: &bench.random) > 0 {
                    bench.submit(bench.readings(1, of: device))
                }
                bench.advance(by: .milliseconds(Int.random(in: 0...7000, using: &bench.random)))
            }
            bench.holdsWrites = true
            bench.submit(bench.readings(3, of: devices[0]))
            bench.advance(by: .seconds(6))
            for _ in 0..<Int.random(in: 0..<3, using: &bench.random) { bench.write() }
            bench.holdsWrites = false
            try bench.restart(on: bench.disk.afterPowerCut { _ in false })
            for stored in bench.stored + bench.held() { truth[Key(stored)] = stored.reading.series.device }
            bench.stored = []
            let counts = truth.values.reduce(into: [DeviceID: UInt64]()) { $0[$1, default: 0] += 1 }
            for device in counts.keys.sorted() where bench.core.ledger[device].stored != counts[device] {
                Issue.record("\(device): \(bench.core.ledger[device].stored) of \(counts[device] ?? 0)")
                return
            }
        }
    }
}
