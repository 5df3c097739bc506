import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Sinks
import Testing

@testable import GatewayCore

@Suite("Scrubbing")
struct ScrubTests {
    /// Turns over a bit in some of the units that hold something, and in no segment's header.
    private func spoil(_ disk: SimulatedDisk, every units: Int) {
        let contents = disk.contents
        for unit in stride(from: 1, to: disk.size / Geometry.unit, by: units) where unit % 16 > 0 {
            let start = unit * Geometry.unit
            if contents[start..<start + Geometry.unit].contains(where: { $0 != 0 }) {
                disk.flip(at: start + 99, mask: 0x10)
            }
        }
    }

    @Test("Every segment is read once in each interval, and nothing is found where nothing is wrong")
    func passes() throws {
        var settings = GatewayCore.Settings()
        settings.scrubInterval = .seconds(120)
        let bench = try Bench(segments: 12, settings: settings)
        for _ in 0..<40 {
            bench.submit(bench.noise(200))
            bench.advance(by: .milliseconds(1500))
        }
        bench.deliver()
        let before = try #require(bench.core.scrub)
        bench.advance(by: .seconds(240))
        let after = try #require(bench.core.scrub)
        #expect(after.passes == before.passes + 2)
        #expect(after.segmentsRead > before.segmentsRead && after.bytesRead > before.bytesRead)
        #expect(after.damaged == 0 && bench.core.ring.statistics.damaged == 0)
    }

    @Test("What it finds damaged of a gateway alone is a named gap, counted at the sinks, and the ledger balances")
    func alone() throws {
        var settings = GatewayCore.Settings()
        settings.scrubInterval = .seconds(60)
        let bench = try Bench(segments: 12, settings: settings)
        try bench.restart(on: bench.disk)
        for _ in 0..<40 { bench.submit(bench.noise(100)) }
        // Nothing is on its way that was read before.
        bench.deliver(.unavailable(reason: "cut off", retryAfter: .seconds(300)))
        spoil(bench.disk, every: 2)
        bench.advance(by: .seconds(130))
        #expect(bench.core.ring.statistics.lost > 0)
        var came = 0
        for _ in 0..<40 {
            came += bench.deliver().count
            bench.advance(by: .seconds(10))
        }
        #expect(bench.core.isBalanced)
        let counts = bench.core.sinks[0].machine.counts
        #expect(counts.pending == 0 && counts.uploaded == UInt64(came) && counts.damaged == UInt64(4000 - came))
        // What was uploaded before it was found is lost to the ring alone.
        #expect(counts.damaged > 0 && counts.damaged <= UInt64(bench.core.ring.statistics.lost))
        #expect(bench.core.scrub?.damaged ?? 0 > 0)
    }

    @Test("Where it is off nothing is read")
    func off() throws {
        var settings = GatewayCore.Settings()
        settings.scrubInterval = .zero
        let bench = try Bench(settings: settings)
        bench.submit(bench.readings(10))
        bench.advance(by: .seconds(3600))
        #expect(bench.core.scrub == nil)
    }

    /// Everything that three gateways hold of the first one's log, before and after its disk forgets some.
    private func spoiltCovey(reachesSink: Bool) throws -> (covey: CoveyBench, log: LogID, lost: Int) {
        let covey = try CoveyBench(gateways: 3)
        if !reachesSink { covey.reachesSink = [] }
        covey.run(seconds: 10)
        for _ in 0..<30 {
            covey.feed(0, 20, bytes: 40)
            covey.run(seconds: 1)
        }
        covey.run(seconds: 5)
        let log = try #require(covey.log(0))
        for index in 0..<3 { #expect(covey.held(log, by: index) == 600) }
        spoil(covey.boxes[0].disk, every: 7)
        let plans = covey.core(0).ring.scrubPlans
        let damage = plans.flatMap { $0.perform(on: covey.boxes[0].disk).damage }.filter { $0.log == log }
        covey.step(.damageFound(damage), 0)
        let lost = covey.core(0).ring.statistics.lost
        #expect(lost > 0 && covey.held(log, by: 0) == 600 - lost)
        return (covey, log, lost)
    }

    @Test("What damage took comes back from a peer, and is uploaded as if nothing had been")
    func comesBack() throws {
        let (covey, log, lost) = try spoiltCovey(reachesSink: false)
        #expect(covey.core(0).sinks[0].machine.counts.damaged == UInt64(lost))
        covey.run(seconds: 20)
        #expect(covey.held(log, by: 0) == 600)
        #expect(covey.core(0).ring.statistics.lost == 0)
        #expect(covey.core(0).sinks[0].machine.counts.damaged == 0)
        #expect(covey.core(0).isBalanced)
        covey.reachesSink = [0, 1, 2]
        covey.run(seconds: 60)
        #expect(covey.sent[log]?.sorted() == Array(0..<600), "each once")
        #expect(covey.core(0).sinks[0].machine.counts.uploaded == 600)
        covey.kill(0)
        try covey.start(0)
        covey.run(seconds: 30)
        #expect(covey.held(log, by: 0) == 600 && covey.core(0).isBalanced)
        #expect(covey.core(0).sinks[0].machine.counts.uploaded == 600)
        #expect(covey.sent[log]?.count == 600, "nor again after a start")
    }

    @Test("What the sink had before the disk lost it comes back too, and is not sent again")
    func sentBefore() throws {
        let (covey, log, _) = try spoiltCovey(reachesSink: true)
        covey.run(seconds: 20)
        #expect(covey.core(0).ring.statistics.lost == 0)
        #expect(covey.sent[log]?.sorted() == Array(0..<600))
        #expect(covey.core(0).isBalanced && covey.core(0).sinks[0].machine.counts.damaged == 0)
    }
}
