import Model
import TestKit
import Testing

@Suite("A gateway whose disk is slow or fails", .serialized)
struct DiskFaultTests {
    @Test("With a sync that takes 300 ms, no acknowledgement leaves before the commit of its message is durable")
    func acknowledgesAfterTheSync() async throws {
        let site = try await Site()
        let output = site.directory + "/strace.log"
        try await site.start(
            under: StraceLog.command(output: output, injections: ["fdatasync:delay_enter=300000"]))
        let load = Load(site: site, publishers: 2)
        try await load.run(count: 150, rate: 100)
        await site.receiver.waitForReadings(300)
        #expect(await site.terminate() == .exited(0))
        // A stop writes what is left and no more, so that even this disk is done in time.
        #expect(site.gateway?.log.contains { $0.contains("did not take the last readings") } == false)

        let trace = try trace(site, output)
        #expect(trace.acknowledgements.count == 300)
        #expect(trace.early.isEmpty)
        #expect(trace.failed.isEmpty)
        // The delay was there: between the start of a sync and the next acknowledgement lie 300 ms.
        for commit in trace.commits {
            let next = trace.acknowledgements.first { $0.call.firstLine > commit.sync.firstLine }
            if let next { #expect(next.call.time - commit.sync.time >= 0.3) }
        }
        #expect(
            trace.commits.contains { commit in
                trace.acknowledgements.contains { $0.call.firstLine > commit.sync.lastLine }
            })
        await site.end()
    }

    @Test(
        "While the sync fails, no acknowledgement leaves until another commit is durable in another segment, and nothing is lost",
        arguments: [Outage(failures: 1, sinkTakes: true), Outage(failures: 3, sinkTakes: false)])
    func writesElsewhere(outage: Outage) async throws {
        let (site, load, trace) = try await run(outage)
        #expect(trace.acknowledgements.count == load.acknowledged)
        #expect(trace.early.isEmpty)
        try await expectOnce(site, load)
    }

    @Test(
        "While the disk takes nothing at all, readings go to the sink from memory, and its receipt is what an acknowledgement waits for"
    )
    func acknowledgesAfterTheReceipt() async throws {
        let (site, load, trace) = try await run(Outage(failures: 3, sinkTakes: true))
        #expect(trace.acknowledgements.count == load.acknowledged)
        #expect(!trace.early.isEmpty)
        #expect(trace.unfounded.isEmpty)
        try await expectOnce(site, load)
    }

    struct Outage: Sendable, CustomTestStringConvertible {
        /// Syncs in a row that fail; after three the disk is left alone for a while.
        let failures: Int
        /// Whether the sink takes readings meanwhile.
        let sinkTakes: Bool

        var testDescription: String { "\(failures) failures, the sink \(sinkTakes ? "takes" : "refuses") readings" }
    }

    private func trace(_ site: Site, _ output: String) throws -> AcknowledgementTrace {
        AcknowledgementTrace(
            try StraceLog(contentsOf: output), ring: site.directory + "/data/ring", brokerPort: site.broker.port,
            sinkPort: site.sinkPort)
    }

    /// Runs a gateway under load through an outage of its disk, until the sink has all, and ends it.
    private func run(_ outage: Outage) async throws -> (Site, Load, AcknowledgementTrace) {
        let site = try await Site()
        let output = site.directory + "/strace.log"
        // Counted by thread, so that it strikes the one that commits.
        let injection = "fdatasync:error=EIO:when=20..\(19 + outage.failures)"
        if !outage.sinkTakes { site.receiver.mode = .status(503) }
        try await site.start(under: StraceLog.command(output: output, injections: [injection]))
        let load = Load(site: site, publishers: 2)
        // How many messages share a commit is the machine's affair: there are some until the sync has failed.
        let sign = outage.failures >= 3 ? "the disk takes nothing" : "is not used any more"
        while site.gateway?.log.contains(where: { $0.contains(sign) }) == false {
            try await load.run(count: 20, rate: 200)
        }
        try await load.run(count: 100, rate: 200)
        if outage.failures >= 3 {
            #expect(await site.gateway?.waitForLog(containing: "the disk takes readings again") == true)
        }
        site.receiver.mode = .accept
        try await load.run(count: 200, rate: nil)
        await site.receiver.waitForReadings(load.acknowledged)
        let status = try await site.status()
        let words = try await site.ask("status").lines.joined(separator: " ")
        #expect(await site.terminate() == .exited(0))

        let trace = try trace(site, output)
        // One commit, and the tries behind it: those cost no segment.
        let failed = trace.failed + trace.probes.filter { !$0.isDurable }
        #expect(trace.failed.count == 1)
        #expect(failed.count == outage.failures)
        #expect(failed.allSatisfy { $0.sync.error == "EIO" })
        #expect(trace.probes.last?.isDurable == true)
        #expect(trace.intoFailedSegments.isEmpty)
        let retired = Set(trace.failed.flatMap(\.segments))
        #expect(status.health == "degraded")
        #expect(status.ring.retired == retired.count)
        #expect(Set(status.ring.retiredSegments.map(\.segment)) == retired)
        #expect(status.ring.retiredSegments.allSatisfy { $0.reason.contains("Input/output error") })
        for segment in retired { #expect(words.contains("segment \(segment) of the ring is not used any more")) }
        return (site, load, trace)
    }

    /// What the failed segments hold in spite of the error is not told twice by the next process.
    private func expectOnce(_ site: Site, _ load: Load) async throws {
        #expect(load.compare(with: site.receiver) == (0, 0))
        try await site.start()
        try await load.run(count: 100, rate: nil)
        await site.receiver.waitForReadings(load.acknowledged)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let ledger = try await site.status().ledger
        #expect(ledger.stored == load.acknowledged)
        #expect(ledger.balances)
        #expect(ledger.sinks["cloud"]?.balances == true)
        await site.end()
    }

    @Test("A disk that is full or read-only at the start is named, and the gateway runs from memory")
    func namesWhatIsWrongAtTheStart() async throws {
        let site = try await Site()
        let ring = site.directory + "/data/ring"
        let load = Load(site: site, publishers: 1)
        for (injection, words) in [
            ("fallocate:error=ENOSPC", "reserving 32 MiB of \(ring): No space left on device"),
            ("openat:error=EROFS", "open of \(ring): Read-only file system"),
        ] {
            try await site.start(under: StraceLog.command(path: ring, injections: [injection]))
            #expect(site.gateway?.log.contains { $0.contains(words) } == true)
            let status = try await site.status()
            #expect(status.health == "failed")
            #expect(status.reasons.contains { $0.contains("readings stay in memory") && $0.contains(words) })
            try await load.run(count: 20, rate: nil)
            await site.receiver.waitForReadings(load.acknowledged)
            #expect(await site.terminate() == .exited(0))
        }
        // Nothing is left behind that would be in the way once the disk is well.
        try await site.start()
        try await load.run(count: 20, rate: nil)
        await site.receiver.waitForReadings(load.acknowledged)
        #expect(load.compare(with: site.receiver) == (0, 0))
        #expect(try await site.status().health == "ok")
        await site.end()
    }

    @Test("A ring for which there is no room is made smaller, which is said")
    func makesASmallerRing() async throws {
        let site = try await Site(ringSize: "64 MiB")
        let ring = site.directory + "/data/ring"
        try await site.start(under: StraceLog.command(path: ring, injections: ["fallocate:error=ENOSPC:when=1"]))
        #expect(site.gateway?.log.contains { $0.contains("No space left on device; trying half the size") } == true)
        #expect(try await site.status().ring.segments == 8)
        await site.end()
    }
}
