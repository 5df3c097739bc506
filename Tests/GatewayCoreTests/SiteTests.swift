import Glibc
import Simulator
import Testing

@Suite("One gateway in one thread")
struct SiteTests {
    /// `COVEY_SEEDS=5000 swift test -c release` looks further than every build can.
    private static let seeds = getenv("COVEY_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 40

    private func oneGateway(seconds: Int64? = nil, everyStep: Bool = false) -> RunOptions {
        var options = RunOptions()
        options.gateways = 1
        options.seconds = seconds
        options.checksEveryStep = everyStep
        return options
    }

    @Test(
        "Every history keeps every promise, and ends with all that survives at the sinks",
        arguments: 1...seeds)
    func history(seed: UInt64) {
        #expect(History.run(seed: seed, options: oneGateway(everyStep: seed.isMultiple(of: 4))).failures.isEmpty)
    }

    @Test("Long histories, in which rings fill up and logs are many, keep them too", arguments: [4, 93] as [UInt64])
    func longHistory(seed: UInt64) {
        #expect(History.run(seed: seed, options: oneGateway(seconds: 150)).failures.isEmpty)
    }
}
