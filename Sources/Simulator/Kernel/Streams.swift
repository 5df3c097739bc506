package import Environment

/// One seed, many streams of chance: a change in what the network draws leaves the workload as it was.
struct Streams {
    var configuration: SeededRandom
    var workload: SeededRandom
    var network: SeededRandom
    var disk: SeededRandom
    var clocks: SeededRandom
    var processes: SeededRandom
    var sinks: SeededRandom
    /// One for each fault kind, by raw value: a history without one kind meets the others when it met them before.
    var faults: [SeededRandom]
    /// What the gateways themselves draw from, one generator for each process.
    var cores: SeededRandom

    init(seed: UInt64) {
        var mother = SeededRandom(seed: seed &* 0xD129_8C2B_9A4E_61B7 &+ 0x51AB)
        configuration = SeededRandom(seed: mother.next())
        workload = SeededRandom(seed: mother.next())
        network = SeededRandom(seed: mother.next())
        disk = SeededRandom(seed: mother.next())
        clocks = SeededRandom(seed: mother.next())
        processes = SeededRandom(seed: mother.next())
        sinks = SeededRandom(seed: mother.next())
        cores = SeededRandom(seed: mother.next())
        faults = FaultKind.allCases.map { _ in SeededRandom(seed: mother.next()) }
    }
}

extension SeededRandom {
    package mutating func draw(_ low: Int64, _ high: Int64) -> Int64 { Int64.random(in: low...high, using: &self) }

    /// True once in `count` times.
    package mutating func isOne(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    /// One of `choices`, which must not be empty.
    package mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[Int.random(in: 0..<choices.count, using: &self)]
    }
}
