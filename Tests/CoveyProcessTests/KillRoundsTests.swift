import Environment
import Glibc
import Model
import TestKit
import Testing

extension SurvivorTests {
    /// Rounds of kill -9; more by hand: `COVEY_KILL_ROUNDS=20`.
    private static let rounds = getenv("COVEY_KILL_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 3
    /// 3 to 5; by hand: `COVEY_GATEWAYS=5`.
    private static let gateways = getenv("COVEY_GATEWAYS").flatMap { Int(String(cString: $0)) } ?? 3

    @Test("Gateways that are killed at random under load, and come back, lose nothing that was acknowledged")
    func randomKills() async throws {
        let fleet = try await Fleet(Self.gateways, acks: 2)
        try await fleet.openSink()
        try await fleet.start()
        var random = SeededRandom(seed: 5)
        var kills = 0
        for _ in 0..<Self.rounds {
            let loading = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for member in fleet.members { group.addTask { try await member.publish(300, rate: 150) } }
                    try await group.waitForAll()
                }
            }
            // The moments come from the load itself.
            let victims = fleet.members.shuffled(using: &random).prefix(
                Int.random(in: 1..<Self.gateways, using: &random))
            for victim in victims {
                let moment = fleet.acknowledged + Int.random(in: 20..<150, using: &random)
                try await until("the moment has come") { fleet.acknowledged >= moment }
                await victim.kill()
                kills += 1
            }
            try await loading.value
            for victim in victims { try await victim.start() }
        }
        #expect(fleet.acknowledged == Self.rounds * Self.gateways * 300)
        let expected = fleet.acknowledged
        try await fleet.waitForReadings(expected)
        for member in fleet.members {
            try await until("\(member.name) has nothing to send") { try await member.status().pendingUploads == 0 }
        }
        let (missing, doubled) = fleet.compare()
        #expect(missing == 0)
        // A message that is delivered again after a crash is known again.
        #expect(doubled == 0)
        let snapshot = fleet.receiver.snapshot()
        #expect(snapshot.readings == expected)
        // Each death may repeat what was under way, and what its taker had not heard of yet.
        #expect(snapshot.duplicates <= kills * 2 * Limits.chunksInFlight * Limits.chunkReadings)
        #expect(snapshot.faults.isEmpty)
        for member in fleet.members {
            let status = try await member.status()
            #expect(status.ledger.balances)
            #expect(status.ledger.balanced)
            // That a peer dies is nobody's fault.
            let refused = status.covey?.link?.refused.filter { $0.key != "streams that broke" }
            #expect(refused == [:], "\(member.name)")
        }
        try await fleet.waitUntilMet()
        print("\(kills) kills: \(expected) acknowledged, \(missing) missing, \(snapshot.duplicates) came again")
        await fleet.end()
    }

    @Test("What is acknowledged outlives the disk of its gateway, also when that goes in the middle of the load")
    func diskGoesUnderLoad() async throws {
        let fleet = try await Fleet(3, acks: 3)
        try await fleet.start()
        let victim = fleet.members[0]
        // A gateway that has just met others takes nothing for some seconds.
        try await victim.publish(1)
        try await until("it takes readings") { try await victim.status().ledger.stored == 1 }
        let loading = Task { try await victim.publish(899, rate: 300) }
        try await until("there is load") { try await victim.status().ledger.stored >= 300 }
        await victim.kill()
        victim.removeDisk()
        // The broker still has what this gateway never answered for; all else is on the disks of the others.
        try await victim.start()
        try await loading.value
        try await fleet.openSink()
        try await fleet.waitForReadings(900)
        try await until("the receiver has every number") { fleet.compare().missing == 0 }
        let snapshot = fleet.receiver.snapshot()
        #expect(snapshot.faults.isEmpty)
        // Known again is only what the lost disk knew; that is no more than was under way.
        #expect(fleet.compare().doubled <= 2000)
        #expect(Set(fleet.receiver.readings().map(\.node)).count == 2)
        await fleet.end()
    }
}
