import Glibc
import Testing

@Suite("One gateway in one thread")
struct SiteTests {
    /// `COVEY_SEEDS=5000 swift test -c release` looks further than every build can.
    private static let seeds = getenv("COVEY_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 40

    @Test(
        "Every history keeps every promise, and ends with all that survives at the sinks",
        arguments: 1...seeds)
    func history(seed: UInt64) {
        let site = Site(seed: seed)
        site.run()
        #expect(site.checks.failures.isEmpty, "seed \(seed)")
    }

    @Test("Long histories, in which rings fill up and logs are many, keep them too", arguments: [4, 93] as [UInt64])
    func longHistory(seed: UInt64) {
        let site = Site(seed: seed, length: 5)
        site.run()
        #expect(site.checks.failures.isEmpty, "seed \(seed)")
    }

    @Test("One seed gives one history", arguments: [3, 11] as [UInt64])
    func isDeterministic(seed: UInt64) {
        let one = Site(seed: seed)
        let other = Site(seed: seed)
        one.run()
        other.run()
        #expect(one.trace == other.trace)
        #expect(one.checks.writes == other.checks.writes)
    }
}
