import TestKit
import Testing

@Suite("Several gateways on one broker", .serialized)
struct SharedBrokerTests {
    /// Messages per second of the load.
    private static let rate = 200.0
    /// What one death may double: what its owner took in the last report's interval (250 ms), in one commit, and what was under way; generous,
    /// as this machine has other things to do.
    private static let doublesPerDeath = Int(rate * 1.5)

    @Test("Each message is taken once while all live, whoever is killed loses none, and who returns doubles none")
    func killsAndReturns() async throws {
        let site = try await SharedSite(3)
        try await site.start()

        try await site.publish(1200, rate: Self.rate)
        try await site.waitForNumbers(1200)
        #expect(site.compare() == (1200, 0, 0))
        #expect(site.shares().count == 3)

        // Two are killed in the middle of it, one after the other.
        let loading = Task { try await site.publish(6000, rate: Self.rate) }
        try await until("there is load") { site.publisher.acknowledged >= 2000 }
        await site.members[0].kill()
        var deaths = [site.publisher.acknowledged]
        try await until("there is more") { site.publisher.acknowledged >= 4600 }
        await site.members[1].kill()
        deaths.append(site.publisher.acknowledged)
        try await loading.value
        try await site.waitForNumbers(7200)
        #expect(site.compare().missing == 0)

        // They return, and what went by meanwhile comes to them from the broker.
        try await site.members[0].start()
        try await site.members[1].start()
        try await site.waitUntilShared(by: site.members)
        try await site.publish(1200, rate: Self.rate)
        try await site.waitForNumbers(8400)
        for member in site.members {
            try await until("\(member.name) has nothing to send") { try await member.status().pendingUploads == 0 }
        }
        #expect(site.compare().missing == 0)
        // Only of what came just before a death: what its owner had made durable and not reported, which it tells when it returns.
        let doubled = site.doubledNumbers()
        #expect(doubled.count <= 2 * Self.doublesPerDeath)
        let strange = doubled.filter { number in
            !deaths.contains { (($0 - Self.doublesPerDeath)...($0 + 20)).contains(number) }
        }
        #expect(strange == [])
        for member in site.members {
            let status = try await member.status()
            #expect(status.ledger.balances)
            #expect(status.ledger.balanced)
            #expect(try await member.sharing()?.dropped == 0)
        }
        print("8400 published: 0 missing, \(doubled.count) doubled by 2 deaths, \(strange.count) by 2 returns")
        await site.end()
    }
}
