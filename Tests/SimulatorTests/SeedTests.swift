import Glibc
import Simulator
import Testing

@Suite("Whole sites")
struct SeedTests {
    /// `COVEY_SEEDS=5000` looks further than every build can; `covey-sim run` looks faster.
    private static let seeds = getenv("COVEY_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 100

    @Test("Every history keeps every promise, and comes to rest when its bad days are over")
    func histories() {
        var options = RunOptions()
        options.seconds = 15
        for seed in 1...Self.seeds {
            let history = History.run(seed: seed, options: options)
            #expect(history.failures.isEmpty, "covey-sim replay \(seed) --seconds 15")
        }
    }
}
