import Environment
import Glibc
import TestKit
import Testing

@Suite("A covey in random troubles", .serialized)
struct RandomTroubleTests {
    /// At least so many rounds; by hand: `COVEY_NETWORK_ROUNDS=20`.
    private static let rounds = number("COVEY_NETWORK_ROUNDS") ?? 2
    /// At least so long; by hand: `COVEY_NETWORK_MINUTES=10`.
    private static let minutes = number("COVEY_NETWORK_MINUTES") ?? 0
    /// What happens is drawn from it; by hand: `COVEY_NETWORK_SEED=7`.
    private static let seed = number("COVEY_NETWORK_SEED") ?? 1
    private static let gateways = 5
    /// Messages a second at each site.
    private static let rate = 30

    private static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    @Test("Kills, cuts and returns at random, under load, lose nothing that was acknowledged")
    func randomTroubles() async throws {
        print("COVEY_NETWORK_SEED=\(Self.seed), \(Self.rounds) rounds, \(Self.minutes) minutes")
        let lab = try await LabNetwork(Self.gateways)
        let fleet = try await Fleet(Self.gateways, acks: 2, network: lab)
        try await fleet.openSink()
        try await fleet.start()
        var random = SeededRandom(seed: UInt64(Self.seed))
        let (start, load) = (ContinuousClock.now, fleet.load(rate: Double(Self.rate)))
        var (round, kills, bound) = (0, 0, 0)
        while round < Self.rounds || ContinuousClock.now - start < .seconds(60 * Self.minutes) {
            round += 1
            // Two at once are what nobody thinks of.
            let troubles = (0..<Int.random(in: 1...2, using: &random)).map { _ in
                Trouble(among: Self.gateways, using: &random)
            }
            let (wait, calm) = (Int.random(in: 3...18, using: &random), Int.random(in: 0...12, using: &random))
            let before = fleet.receiver.snapshot()
            for trouble in troubles { try await trouble.happen(to: fleet, lab) }
            let victims = Set(troubles.flatMap(\.victims)).sorted()
            kills += victims.count
            bound += max(troubles.count, victims.count) * (try await repeatable(fleet))
            try await Task.sleep(for: .seconds(wait))
            try await lab.heal()
            for victim in victims { try await fleet.members[victim].start() }
            bound += victims.count * (try await repeatable(fleet))
            try await Task.sleep(for: .seconds(calm))
            let after = fleet.receiver.snapshot()
            print(
                "\(ContinuousClock.now - start) round \(round): \(troubles) for \(wait) s, calm for \(calm) s:",
                "\(after.readings - before.readings) readings, \(after.duplicates - before.duplicates) came again,",
                "\(fleet.acknowledged - after.readings) on the way")
        }
        load.cancel()
        try await load.value
        let last = ContinuousClock.now
        let snapshot = try await fleet.settle(within: .seconds(180))
        #expect(snapshot.duplicates <= bound)
        try await fleet.waitUntilAllHold(fleet.acknowledged)
        print(
            "\(round) rounds in \(last - start), \(kills) kills: \(fleet.acknowledged) acknowledged, all at the sink after",
            "\(ContinuousClock.now - last), \(snapshot.duplicates) came again (bound \(bound))")
        await fleet.end()
    }

    /// What one more gateway may upload that another has uploaded: what any of them thinks now that the sink lacks, and what comes in the
    /// two seconds between two words of an uploader.
    private func repeatable(_ fleet: Fleet) async throws -> Int {
        var most = 0
        for member in fleet.members where member.process?.isRunning == true {
            most = max(most, try await member.status().pendingUploads)
        }
        return most + 2 * Self.rate * Self.gateways
    }
}
