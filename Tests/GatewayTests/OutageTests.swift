import Glibc
import Model
import TestKit
import Testing

@Suite("A site whose parts go away", .serialized)
struct OutageTests {
    /// Readings that wait when the sink comes back; more by hand: `COVEY_BACKLOG=100000`.
    private static let backlog = getenv("COVEY_BACKLOG").flatMap { Int(String(cString: $0)) } ?? 20_000

    @Test(
        "After an outage of the sink everything arrives, in order but for chunks in flight together, and fresh readings do not wait for it"
    )
    func backlogDoesNotDelayFreshReadings() async throws {
        let site = try await Site()
        try await site.start()
        site.receiver.mode = .status(503)
        let load = Load(site: site, publishers: 2)
        try await load.run(count: Self.backlog / 2, rate: nil)
        while try await site.status().ledger.stored < Self.backlog { await Task.yield() }

        // The sink is slow when it comes back, so that the backlog is still there while fresh readings come.
        site.receiver.latency = 500
        site.receiver.mode = .accept
        await site.receiver.waitForReadings(1)
        let publisher = CountingPublisher(port: site.broker.port, clientID: "fresh")
        try await publisher.publish(count: 5) { ("load/fresh", Array("\($0)".utf8)) }
        while !site.receiver.readings().contains(where: { $0.device == "fresh" }) { await Task.yield() }
        #expect(site.receiver.snapshot().readings < Self.backlog + 5)

        site.receiver.latency = 0
        await site.receiver.waitForReadings(Self.backlog + 5)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let old = site.receiver.readings().filter { $0.device != "fresh" }.map(\.offset)
        let reach = UInt64((Limits.chunksInFlight + 1) * Limits.chunkReadings)
        // Two lanes, each in order: what is far below the newest of the one must continue the other.
        var (fresh, backFill): (UInt64, UInt64) = (0, 0)
        var strays = 0
        for offset in old {
            if offset + reach > fresh {
                fresh = max(fresh, offset)
            } else {
                if offset + reach <= backFill { strays += 1 }
                backFill = max(backFill, offset)
            }
        }
        #expect(strays == 0)
        // The last answer is still on its way when its readings are here.
        while try await site.status().ledger.sinks["cloud"]?.pending != 0 { await Task.yield() }
        await site.end()
    }

    @Test("A broker that is killed and comes back is subscribed again, and nothing that was acknowledged is lost")
    func brokerComesBack() async throws {
        let site = try await Site()
        try await site.start()
        let load = Load(site: site, publishers: 1)
        try await load.run(count: 1000, rate: nil)
        await site.receiver.waitForReadings(1000)
        await site.broker.stop()
        try await site.broker.start()
        try await load.run(count: 1000, rate: nil)
        await site.receiver.waitForReadings(2000)
        #expect(load.compare(with: site.receiver) == (0, 0))
        await site.end()
    }

    @Test(
        "The newest value of a series and the gateway's presence are retained local topics, and its death is the last will"
    )
    func announcesLocally() async throws {
        let site = try await Site()
        try await site.start()
        let watch = try ChildProcess(
            "/usr/bin/mosquitto_sub", ["-p", String(site.broker.port), "-t", "covey/#", "-v"])
        let publisher = CountingPublisher(port: site.broker.port, clientID: "one")
        try await publisher.publish(count: 1) { _ in ("load/boiler", Array(" 21.5 ".utf8)) }
        #expect(await watch.waitForLog(containing: "covey/site/boiler/value 21.5"))
        #expect(await watch.waitForLog(containing: "covey/site/status online"))
        await site.kill()
        #expect(await watch.waitForLog(containing: "covey/site/status offline"))
        watch.send(15)
        await site.end()
    }

    @Test("A bad message is counted and named, and its neighbours are stored")
    func badMessagesCostNobody() async throws {
        let site = try await Site()
        try await site.start()
        let publisher = CountingPublisher(port: site.broker.port, clientID: "mixed")
        let payloads = ["1", "nan", "2", "", "1e400", "3", "\u{FFFD}", "4"]
        try await publisher.publish(count: payloads.count) { ("load/mixed", Array(payloads[$0].utf8)) }
        await site.receiver.waitForReadings(4)
        let ledger = try await site.status().ledger
        #expect(ledger.stored == 4)
        #expect(ledger.received == 8)
        #expect(ledger.rejected.values.reduce(0, +) == 4)
        #expect(ledger.balances)
        #expect(site.gateway?.log.contains { $0.contains("device mixed: rejected") } == true)
        await site.end()
    }
}
