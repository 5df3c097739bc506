import Environment
import Model
import RingLog
import Simulator
import Sinks
import Testing

@testable import GatewayCore

@Suite("Downsampling what must go")
struct DownsamplingTests {
    private static func bench() throws -> Bench {
        var settings = GatewayCore.Settings()
        settings.downsampleWindow = .seconds(60)
        return try Bench(segments: 12, settings: settings)
    }

    /// Values and times as sensors give them: `count` readings a second apart.
    private func fill(_ bench: Bench, seconds: Int) {
        for _ in 0..<seconds / 20 {
            bench.submit(bench.noise(40, of: "a") + bench.noise(40, of: "b"))
            bench.advance(by: .seconds(20))
        }
    }

    /// Readings that `stored` stand for.
    private func meant(_ stored: [StoredReading]) -> Int {
        stored.reduce(0) { sum, stored in
            let metric = stored.reading.series.metric
            guard stored.reading.series.isDownsampled else { return sum + 1 }
            guard metric.hasSuffix(".count"), case .number(let count) = stored.reading.value else { return sum }
            return sum + Int(count)
        }
    }

    @Test(
        "A full ring keeps the oldest as windows, nothing of which is counted twice or forgotten, and a sink gets them all"
    )
    func full() throws {
        let bench = try Self.bench()
        var given = 0
        while bench.core.downsampling?.segments ?? 0 < 3 {
            fill(bench, seconds: 200)
            given += 800
            try #require(given < 400_000)
        }
        let downsampling = try #require(bench.core.downsampling)
        #expect(downsampling.taken > 10 * downsampling.given && downsampling.given > 0)
        let held = bench.held()
        #expect(meant(held) == given)
        #expect(held.count < given)
        for stored in held where stored.reading.series.metric.hasSuffix(".mean") {
            guard case .number(let mean) = stored.reading.value else { continue }
            #expect(mean > 0 && mean < 1)
        }
        #expect(bench.core.isBalanced)
        #expect(bench.core.ledger.total.received == UInt64(given + downsampling.given))
        // They are of the past: nobody is told that they are the latest.
        #expect(bench.core.latest.readings(matching: []).map(\.reading.series.metric) == ["t", "t"])
        #expect(!bench.stored.contains { $0.reading.series.isDownsampled })

        var came: Set<Key> = []
        for _ in 0..<40 where bench.core.sinks[0].machine.counts.pending > 0 {
            came.formUnion(bench.deliver().map(Key.init))
            while !bench.sends.isEmpty { came.formUnion(bench.deliver().map(Key.init)) }
            bench.advance(by: .seconds(10))
        }
        let counts = bench.core.sinks[0].machine.counts
        #expect(counts.pending == 0)
        #expect(came.isSuperset(of: held.map(Key.init)))
        #expect(counts.uploaded == UInt64(came.count))
        #expect(bench.core.isBalanced)
    }

    @Test("It goes on for ever: of what is older than the ring can tell, the oldest goes")
    func long() throws {
        let bench = try Self.bench()
        for _ in 0..<6 { fill(bench, seconds: 4000) }
        #expect(bench.core.downsampling?.segments ?? 0 > 5)
        #expect(bench.core.isBalanced)
        let held = bench.held()
        let raw = held.filter { !$0.reading.series.isDownsampled }
        // What is left tells of far more than fits.
        #expect(meant(held) > 3 * raw.count)
    }

    @Test("A start in the middle finds all readings or their windows, and goes on")
    func restart() throws {
        let bench = try Self.bench()
        var given = 0
        while bench.core.downsampling?.job == nil {
            bench.holdsWrites = true
            bench.submit(bench.noise(80))
            given += 80
            while !bench.writes.isEmpty, bench.core.downsampling?.job == nil { bench.write() }
            bench.advance(by: .seconds(1))
            try #require(given < 400_000)
        }
        // The windows are on their way, and the power goes.
        try bench.restart(on: bench.disk)
        bench.holdsWrites = false
        #expect(meant(bench.held()) >= given - 80 * 2)
        #expect(bench.core.isBalanced)
        fill(bench, seconds: 4000)
        #expect(bench.core.downsampling?.segments ?? 0 > 0)
        #expect(bench.core.isBalanced)
    }

    @Test("Nothing is downsampled that a sink has")
    func uploaded() throws {
        let bench = try Self.bench()
        for _ in 0..<1000 {
            bench.submit(bench.noise(80))
            bench.advance(by: .seconds(5))
            while !bench.sends.isEmpty { bench.deliver() }
        }
        #expect(bench.core.ring.statistics.evictedPending == 0)
        #expect(bench.core.downsampling?.segments == 0)
    }

    @Test("How much of the ring holds what no sink has is known within seconds")
    func pressure() throws {
        let bench = try Bench(segments: 12)
        #expect(bench.core.pressure == 0)
        var seen: [Int] = []
        while bench.core.ring.statistics.evictedPending == 0 {
            fill(bench, seconds: 200)
            seen.append(bench.core.pressure)
        }
        #expect(seen.first ?? 100 < 50 && seen.last ?? 0 == 100, "\(seen)")
        // Merging takes back a segment now and then.
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $1 >= $0 - 15 }, "\(seen)")
        while !bench.sends.isEmpty || bench.core.sinks[0].machine.counts.pending > 0 {
            bench.deliver()
            bench.advance(by: .seconds(1))
        }
        bench.submit(bench.noise(1))
        bench.advance(by: .seconds(10))
        bench.submit(bench.noise(1))
        #expect(bench.core.pressure < 30)
    }
}
