import Environment
import LogFormat
import Model
import RingLog
import Simulator
import Testing

@testable import GatewayCore

@Suite("A repair of a running gateway's ring")
struct RepairTests {
    private func bench(scrub: Duration = .zero) throws -> Bench {
        var settings = GatewayCore.Settings()
        settings.scrubInterval = scrub
        let bench = try Bench(segments: 12, settings: settings)
        for _ in 0..<40 {
            bench.submit(bench.noise(100))
            bench.advance(by: .milliseconds(1500))
        }
        return bench
    }

    private func pass(_ bench: Bench) throws -> RepairPass { try #require(bench.core.repair) }

    @Test("It reads every segment once and then is done, with pauses between, whether the ring is scrubbed or not")
    func reads() throws {
        for interval in [Duration.zero, .seconds(60)] {
            let bench = try bench(scrub: interval)
            #expect(bench.core.repair == nil)
            bench.step(.repair)
            #expect(try pass(bench).isUnderWay && pass(bench).segmentsRead < 12)
            // A pause of 50 ms behind each of those that hold something.
            let held = bench.core.ring.scrubPlans.count
            #expect(held > 2)
            bench.advance(by: .milliseconds(50 * (held - 1) - 1))
            #expect(try pass(bench).isUnderWay)
            bench.advance(by: .milliseconds(52))
            let done = try pass(bench)
            #expect(done.state == .done && done.segmentsRead == 12 && done.segments == 12)
            #expect(done.bytesRead > 0 && done.damaged == 0 && done.unanswered == 0)
        }
    }

    @Test("Who orders it while it is under way joins it; afterwards it begins anew")
    func joins() throws {
        let bench = try bench()
        bench.step(.repair)
        bench.advance(by: .milliseconds(100))
        let before = try pass(bench)
        bench.step(.repair)
        #expect(try pass(bench) == before && before.isUnderWay)
        bench.advance(by: .seconds(2))
        #expect(try pass(bench).state == .done)
        bench.step(.repair)
        #expect(try pass(bench).segmentsRead < 12 && pass(bench).isUnderWay)
    }

    @Test("What it finds damaged of a gateway alone is a gap, and stays missing")
    func alone() throws {
        let bench = try bench()
        let plan = try #require(bench.core.ring.scrubPlans.first)
        let start = plan.segment * (64 << 10)
        for unit in 3..<15 { bench.disk.flip(at: start + unit * Geometry.unit + 99, mask: 0x10) }
        bench.step(.repair)
        bench.advance(by: .seconds(2))
        let done = try pass(bench)
        #expect(done.state == .done && done.damaged > 0)
        #expect(bench.core.ring.lostReadings == done.damaged && bench.core.restoredByRepair == 0)
        #expect(bench.core.isBalanced)
        bench.advance(by: .seconds(8))
        #expect(!bench.core.ring.hasUncutRecords, "it is written down though nothing else is")
    }

    @Test("A place that the disk does not give is asked for again behind the ring's patience, and is gone then")
    func secondRound() throws {
        let bench = try bench()
        let plan = try #require(bench.core.ring.scrubPlans.first)
        let start = plan.segment * (64 << 10)
        bench.disk.makeUnreadable(start + 3 * Geometry.unit..<start + 12 * Geometry.unit)
        bench.step(.repair)
        bench.advance(by: .seconds(2))
        #expect(try pass(bench).state == .waiting && pass(bench).segmentsRead == 12 && pass(bench).damaged == 0)
        bench.advance(by: .seconds(70))
        let done = try pass(bench)
        #expect(done.state == .done && done.damaged > 0 && done.unanswered == 0 && done.segmentsRead == 12)
    }

    @Test("A disk that gives nothing says nothing: its segments are told as not given, and nothing is lost")
    func silent() throws {
        let bench = try bench()
        let held = bench.core.ring.scrubPlans.count
        bench.disk.makeUnreadable(0..<bench.disk.size)
        bench.step(.repair)
        bench.advance(by: .seconds(80))
        let done = try pass(bench)
        #expect(done.state == .done && done.unanswered == held && done.damaged == 0)
        #expect(bench.core.ring.lostReadings == 0)
    }

    @Test("While the disk takes nothing it says why not, and one that is under way is given up")
    func memoryOnly() throws {
        let bench = try bench()
        bench.step(.repair)
        bench.disk.refuse(.readOnly)
        bench.submit(bench.noise(10))
        bench.advance(by: .seconds(2))
        let refusal = try #require(bench.core.repairRefusal)
        #expect(refusal.hasPrefix("the disk takes nothing (write at "))
        #expect(try pass(bench).state == .ended(refusal))
        let before = try pass(bench)
        bench.step(.repair)
        #expect(try pass(bench) == before)
        bench.disk.refuse(nil)
        bench.advance(by: .seconds(5))
        #expect(bench.core.repairRefusal == nil)
        bench.step(.repair)
        bench.advance(by: .seconds(2))
        #expect(try pass(bench).state == .done)
    }

    @Test("In a covey what it finds comes back from a peer, and is counted")
    func covey() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 10)
        for _ in 0..<30 {
            covey.feed(0, 20, bytes: 40)
            covey.run(seconds: 1)
        }
        covey.run(seconds: 5)
        let log = try #require(covey.log(0))
        let disk = covey.boxes[0].disk
        let contents = disk.contents
        for unit in stride(from: 3, to: disk.size / Geometry.unit, by: 7) where unit % 16 > 1 {
            let start = unit * Geometry.unit
            if contents[start..<start + Geometry.unit].contains(where: { $0 != 0 }) {
                disk.flip(at: start + 99, mask: 0x10)
            }
        }
        covey.step(.repair, 0)
        covey.run(seconds: 3)
        let pass = try #require(covey.core(0).repair)
        #expect(pass.state == .done && pass.damaged > 0)
        covey.run(seconds: 20)
        #expect(covey.core(0).ring.lostReadings == 0 && covey.held(log, by: 0) == 600)
        #expect(covey.core(0).restoredByRepair > 0 && covey.core(0).restoredByRepair <= pass.damaged)
        #expect(covey.core(0).isBalanced)
    }
}
