import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Sinks
import Testing

@testable import GatewayCore

@Suite("Readings that are too old")
struct ExpiryTests {
    /// Of what is stamped from now on, and of all before.
    private func limit(_ bench: Bench) -> Milliseconds {
        Milliseconds((1_763_700_000_000_000 + bench.now.nanoseconds / 1000) / 1000)
    }

    private func fill(_ bench: Bench, rounds: Int) {
        for _ in 0..<rounds {
            bench.submit(bench.noise(200, of: "a"))
            bench.advance(by: .seconds(20))
        }
    }

    private func uploadAll(_ bench: Bench) {
        for _ in 0..<200 where bench.core.sinks[0].machine.counts.pending > 0 {
            bench.deliver()
            bench.advance(by: .seconds(10))
        }
    }

    @Test("What every sink has goes, both equations hold, and that it is gone outlives a crash soon after")
    func uploaded() throws {
        let bench = try Bench()
        fill(bench, rounds: 70)
        uploadAll(bench)
        let log = try #require(bench.core.ring.currentLog)
        let counts = bench.core.sinks[0].machine.counts
        #expect(counts.pending == 0 && bench.core.ring.gaps(of: log).isEmpty)
        bench.step(.expire(before: limit(bench)))
        let gaps = bench.core.ring.gaps(of: log)
        #expect(gaps.count == 1 && gaps.first?.reason == .uploaded && gaps.first?.range.lowerBound == .zero)
        #expect(bench.core.ring.statistics.expired == gaps.first.map { Int($0.range.upperBound.rawValue) })
        #expect(bench.core.sinks[0].machine.counts == counts && bench.core.isBalanced)
        // The state's patience, and its commit.
        bench.advance(by: .seconds(10))
        try bench.restart(on: bench.disk.afterPowerCut { _ in false })
        #expect(bench.core.ring.gaps(of: log) == gaps && bench.core.isBalanced)
    }

    @Test("What a sink lacks stays, however old it is, and goes once the sink has it")
    func pending() throws {
        let bench = try Bench()
        fill(bench, rounds: 70)
        let log = try #require(bench.core.ring.currentLog)
        bench.step(.expire(before: limit(bench)))
        #expect(bench.core.ring.gaps(of: log).isEmpty && bench.core.ring.statistics.expired == 0)
        uploadAll(bench)
        bench.step(.expire(before: limit(bench)))
        #expect(bench.core.ring.statistics.expired > 0 && bench.core.isBalanced)
    }
}
