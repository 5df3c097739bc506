import Glibc
import Simulator
import Testing

@Suite("Whole sites")
struct SeedTests {
    /// `COVEY_SEEDS=5000` looks further than every build can; `covey-sim run` looks faster.
    private static let seeds = getenv("COVEY_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 60

    @Test("Every history keeps every promise, and comes to rest when its bad days are over")
    func histories() {
        for seed in 1...Self.seeds {
            var options = RunOptions()
            options.seconds = 8
            // Most sites are small here, so that a debug build gets through them.
            options.gateways = seed.isMultiple(of: 30) ? 3 : seed.isMultiple(of: 20) ? 2 : 1
            let history = History.run(seed: seed, options: options)
            let words = ["covey-sim replay \(seed)"] + options.arguments
            #expect(history.failures.isEmpty, "\(words.joined(separator: " "))")
        }
    }

    /// Each was a fault of the simulator's own judgement: copies that it miscounted or took for durable, more copies than a covey can know
    /// to want, a broker that did not deliver its last word again.
    @Test(
        "Histories that were misjudged once are judged right",
        arguments: [524, 996, 1883, 2030, 2052, 2889] as [UInt64])
    func misjudged(seed: UInt64) {
        #expect(History.run(seed: seed, options: RunOptions()).failures.isEmpty, "covey-sim replay \(seed)")
    }
}
