import Glibc
import Model
import TestKit
import Testing

@Suite("A gateway whose card turns read-only, is pulled, fills up, or is not there", .serialized)
struct CardTests {
    /// A site whose data directory is a card of its own.
    private func makeSite(mebibytes: Int) async throws -> (Site, Card) {
        let site = try await Site()
        return (site, try Card(at: site.directory + "/data", mebibytes: mebibytes))
    }

    private func expectWhole(_ site: Site, _ load: Load) async throws {
        await site.receiver.waitForReadings(load.acknowledged)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let ledger = try await site.status().ledger
        #expect(ledger.balances)
        #expect(ledger.sinks["cloud"]?.evicted.values.reduce(0, +) == 0)
    }

    /// What was written to the card is what the next start finds, and goes on with.
    private func endWhole(_ site: Site, _ load: Load) async throws {
        #expect(await site.terminate() == .exited(0))
        try await site.start()
        try await load.run(count: 20, rate: nil)
        try await expectWhole(site, load)
        await site.end()
    }

    @Test("A card that turns read-only, is pulled, checked and put in again is written to again, without a restart")
    func comesBack() async throws {
        let (site, card) = try await makeSite(mebibytes: 64)
        try await site.start()
        let load = Load(site: site, publishers: 2)
        try await load.run(count: 100, rate: nil)
        await site.receiver.waitForReadings(200)

        try card.failUnderJournal()
        try await load.run(count: 100, rate: nil)
        // Their acknowledgements waited for the sink.
        await site.receiver.waitForReadings(400)
        let status = try await site.status()
        #expect(status.health == "failed")
        #expect(status.reasons.contains { $0.contains("readings stay in memory") && $0.contains("Read-only") })
        #expect(status.ring.retired == 0)

        try card.pull()
        try card.putIn(at: site.directory + "/data")
        try await load.run(count: 100, rate: nil)
        #expect(await site.gateway?.waitForLog(containing: "the disk takes readings again") == true)
        try await load.run(count: 100, rate: nil)
        try await expectWhole(site, load)
        #expect(try await site.status().health == "ok")
        try await endWhole(site, load)
        try card.pull()
    }

    @Test("Another card in its place is not written to, and the gateway goes on from memory")
    func leavesStrangersAlone() async throws {
        let (other, stranger) = try await makeSite(mebibytes: 64)
        try await other.start()
        try await Load(site: other, publishers: 1).run(count: 20, rate: nil)
        await other.receiver.waitForReadings(20)
        await other.end()
        try stranger.pull()

        let (site, card) = try await makeSite(mebibytes: 64)
        try await site.start()
        let load = Load(site: site, publishers: 1)
        try await load.run(count: 50, rate: nil)
        await site.receiver.waitForReadings(50)
        try card.failUnderJournal()
        try card.pull()
        try stranger.putIn(at: site.directory + "/data")
        let before = try written(site)
        try await load.run(count: 50, rate: nil)
        await site.receiver.waitForReadings(100)
        #expect(load.compare(with: site.receiver) == (0, 0))
        #expect(try await site.status().health == "failed")
        // It has been tried again by now: what came when there was no disk waited for the sink, and then came more.
        try await load.run(count: 50, rate: 20)
        await site.receiver.waitForReadings(150)
        #expect(try written(site) == before)
        await site.end()
        try stranger.pull()
    }

    /// When the ring was last written to, in nanoseconds.
    private func written(_ site: Site) throws -> Int {
        var status = stat()
        try #require(stat(site.directory + "/data/ring", &status) == 0)
        return status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }

    @Test("A start on a read-only card brings what it holds to the sink, takes readings, and writes when it can")
    func startsReadOnly() async throws {
        let (site, card) = try await makeSite(mebibytes: 64)
        site.receiver.mode = .status(503)
        try await site.start()
        let load = Load(site: site, publishers: 2)
        try await load.run(count: 100, rate: nil)
        #expect(await site.terminate() == .exited(0))
        try card.pull()
        try card.putIn(at: site.directory + "/data", readOnly: true)

        try await site.start()
        let status = try await site.status()
        #expect(status.health == "failed")
        #expect(status.reasons.contains { $0.contains("readings stay in memory") && $0.contains("Read-only") })
        site.receiver.mode = .accept
        await site.receiver.waitForReadings(200)
        try await load.run(count: 50, rate: nil)
        await site.receiver.waitForReadings(300)
        try card.remount(readOnly: false)
        try await load.run(count: 50, rate: nil)
        #expect(await site.gateway?.waitForLog(containing: "the disk takes readings again") == true)
        try await expectWhole(site, load)
        try await endWhole(site, load)
        try card.pull()
    }

    @Test("Where there is no room for any ring, the gateway runs from memory and says so")
    func startsWithoutRoom() async throws {
        let (site, card) = try await makeSite(mebibytes: 8)
        try await site.start()
        let load = Load(site: site, publishers: 2)
        try await load.run(count: 100, rate: nil)
        await site.receiver.waitForReadings(200)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let status = try await site.status()
        #expect(status.health == "failed")
        #expect(status.reasons.contains { $0.contains("No space left on device") })
        await site.end()
        try card.pull()
    }

    @Test("A read-only card with something that is no ring is left as it is, and the gateway runs from memory")
    func startsBesideAStranger() async throws {
        let (site, card) = try await makeSite(mebibytes: 64)
        try MosquittoBroker.write(String(repeating: "no ring\n", count: 10_000), to: site.directory + "/data/ring")
        try card.pull()
        try card.putIn(at: site.directory + "/data", readOnly: true)
        try await site.start()
        let load = Load(site: site, publishers: 1)
        try await load.run(count: 50, rate: nil)
        await site.receiver.waitForReadings(50)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let status = try await site.status()
        #expect(status.health == "failed")
        #expect(status.reasons.contains { $0.contains("readings stay in memory") && $0.contains("Read-only") })
        await site.end()
        try card.pull()
    }

    @Test("A card that others have filled takes readings all the same, and what could not be kept is said")
    func isFull() async throws {
        let (site, card) = try await makeSite(mebibytes: 64)
        try await site.start()
        try card.fill()
        // New devices, which the key-value store is to remember.
        let load = Load(site: site, publishers: 4)
        try await load.run(count: 200, rate: nil)
        try await expectWhole(site, load)
        #expect(try await site.status().ring.retired == 0)
        #expect(await site.gateway?.waitForLog(containing: "could not be remembered") == true)
        try card.empty()
        try await load.run(count: 50, rate: nil)
        try await expectWhole(site, load)
        try await endWhole(site, load)
        try card.pull()
    }

    @Test("Writes that fail are written again elsewhere, before anything is acknowledged")
    func writesElsewhere() async throws {
        let site = try await Site()
        let ring = site.directory + "/data/ring"
        try await site.start(under: StraceLog.command(path: ring, injections: ["pwrite64:error=EIO:when=20..22"]))
        let load = Load(site: site, publishers: 2)
        while site.gateway?.log.contains(where: { $0.contains("the disk takes nothing") }) == false {
            try await load.run(count: 20, rate: 200)
        }
        #expect(await site.gateway?.waitForLog(containing: "the disk takes readings again") == true)
        try await load.run(count: 100, rate: nil)
        try await expectWhole(site, load)
        // The commit's own, and the one that was being filled with zeros beside it.
        #expect((1...2).contains(try await site.status().ring.retired))
        try await endWhole(site, load)
    }
}
