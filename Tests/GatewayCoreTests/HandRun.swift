import Testing
import Glibc
import Sinks
@testable import GatewayCore
@Suite struct HandRun {
    @Test func many() {
        guard let text = getenv("SEEDS") else { return }
        let parts = String(cString: text).split(separator: ":").map { UInt64($0) ?? 0 }
        var bad = 0, memory = 0, evicted: UInt64 = 0, restarts = 0, unreadable = 0, refused: UInt64 = 0
        for seed in parts[0]..<parts[1] {
            let site = Site(seed: seed)
            site.run()
            memory += site.wasMemoryOnly ? 1 : 0
            restarts += site.checks.restarts
            unreadable += site.checks.unreadable
            if let core = site.core { for s in core.sinks { evicted += s.machine.counts.evictedTotal; refused += s.machine.counts.refused } }
            if !site.checks.failures.isEmpty { bad += 1; print("SEED \(seed) \(site.checks.failures.prefix(2))") }
        }
        print("DONE bad \(bad) memory \(memory) restarts \(restarts) evicted \(evicted) refused \(refused) unreadable \(unreadable)")
    }
}
