import Environment
import Model
import RingLog
import Testing

@testable import GatewayCore

@Suite("What the flash has had to bear")
struct WearTests {
    @Test("It adds up over restarts, up to the last counts that were kept")
    func outlivesProcesses() throws {
        let bench = try Bench()
        var written = 0
        var commits = 0
        for _ in 0..<3 {
            for _ in 0..<20 {
                bench.submit(bench.readings(4))
                bench.advance(by: .seconds(60))
            }
            bench.deliver()
            bench.step(.stopping)
            written += bench.core.ring.bytesWritten
            commits += bench.core.ring.commits
            let wear = bench.core.wear(now: bench.now)
            // The commit that carries the record is not in it, and neither are those that follow.
            #expect(Int(wear.bytes) <= written && Int(wear.bytes) >= written * 9 / 10)
            #expect(Int(wear.syncs) <= commits && Int(wear.syncs) >= commits * 9 / 10)
            try bench.restart(on: bench.disk)
            #expect(bench.core.wear(now: bench.now).bytes > 0)
        }
        #expect(bench.core.wear(now: bench.now).seconds >= 3500)
    }

    @Test("A rate is told once there is one, and how long a card lasts at it")
    func tellsYears() {
        var wear = Wear()
        wear.bytes = 1 << 30
        wear.seconds = 300
        #expect(wear.bytesPerDay == nil && wear.years(endurance: 20_000_000_000_000) == nil)
        wear.seconds = 86_400
        #expect(wear.bytesPerDay == Double(1 << 30))
        let years = wear.years(endurance: 20_000_000_000_000) ?? 0
        #expect(abs(years - 51) < 0.1)
        #expect(Wear(wear.record) == wear)
        #expect(Wear(wear.record + [0]) == nil && Wear([1]) == nil)
    }
}
