/// What one seed brought.
package struct History: Sendable {
    package let seed: UInt64
    package let gateways: Int
    package let trace: UInt64
    package let failures: [Failure]
    package let events: Int
    /// Simulated nanoseconds.
    package let simulated: Int64
    /// How often each fault kind struck, by raw value.
    package let coverage: [Int]
    package let readings: Int

    /// Lives through the history of `seed`.
    package static func run(
        seed: UInt64, options: RunOptions = RunOptions(), tracer: ((String) -> Void)? = nil
    ) -> History {
        let world = World(seed: seed, options: options)
        world.tracer = tracer
        world.run()
        return History(
            seed: seed, gateways: world.scenario.gateways, trace: world.trace.value, failures: world.failures,
            events: world.events, simulated: world.time, coverage: world.coverage, readings: world.truth.born.count)
    }
}

/// What many seeds brought together.
package struct Tally: Sendable {
    package private(set) var histories = 0
    package private(set) var events = 0
    package private(set) var simulated: Int64 = 0
    /// Simulated nanoseconds times gateways.
    package private(set) var gatewayTime: Int64 = 0
    package private(set) var readings = 0
    package private(set) var coverage = [Int](repeating: 0, count: FaultKind.allCases.count)
    package private(set) var failed: [History] = []

    package init() {}

    package mutating func add(_ history: History) {
        histories += 1
        events += history.events
        simulated += history.simulated
        gatewayTime += history.simulated * Int64(history.gateways)
        readings += history.readings
        for index in coverage.indices { coverage[index] += history.coverage[index] }
        if !history.failures.isEmpty { failed.append(history) }
    }
}
