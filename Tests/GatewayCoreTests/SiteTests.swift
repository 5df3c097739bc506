import Testing

@Suite("One gateway in one thread")
struct SiteTests {
    @Test("Every history keeps every promise, and ends with all that survives at the sinks", arguments: 1...60 as ClosedRange<UInt64>)
    func history(seed: UInt64) {
        let site = Site(seed: seed)
        site.run()
        #expect(site.checks.failures.isEmpty, "seed \(seed)")
    }

    @Test("One seed gives one history", arguments: [3, 11, 12] as [UInt64])
    func isDeterministic(seed: UInt64) {
        let one = Site(seed: seed)
        let other = Site(seed: seed)
        one.run()
        other.run()
        #expect(one.trace == other.trace)
        #expect(one.checks.writes == other.checks.writes)
    }
}
