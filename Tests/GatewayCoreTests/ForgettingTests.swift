import Environment
import LogFormat
import Model
import RingLog
import Sinks
import TestKit
import Testing

@testable import GatewayCore

@Suite("Many starts")
struct ForgettingTests {
    @Test("Finished logs are forgotten: however many starts, the records are as many as the logs that the ring holds, and no count is lost")
    func forgets() throws {
        let bench = try Bench(segments: 9)
        var stored: UInt64 = 0
        for turn in 1...260 {
            bench.submit(bench.noise(500), ticket: UInt64(turn))
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

    @Test("Counters of many streams survive a power cut between the blocks that carry them", arguments: 1...6)
    func manyStreams(seed: UInt64) throws {
        let bench = try Bench(segments: 16, sinks: [])
        bench.random = SeededRandom(seed: seed)
        let padding = String(repeating: "x", count: 90)
        let devices = (0..<100).map { "\($0)-\(padding)" }
        for _ in 0..<40 {
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
            var truth: [DeviceID: UInt64] = [:]
            for stored in bench.held() { truth[stored.reading.series.device, default: 0] += 1 }
            for device in truth.keys.sorted() where bench.core.ledger[device].stored != truth[device] {
                Issue.record("\(device): \(bench.core.ledger[device].stored) of \(truth[device] ?? 0)")
                return
            }
        }
    }
}
