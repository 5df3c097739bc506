import Environment
import Glibc
import TestKit
import Testing

@Suite("A gateway that is killed", .serialized)
struct CrashTests {
    /// Rounds of kill -9; more by hand: `COVEY_KILL_ROUNDS=20`.
    private static let rounds = getenv("COVEY_KILL_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 5

    /// Where the gateway is when it is killed.
    enum Moment: CaseIterable, Sendable {
        case anywhere
        /// A sync that returns late: the block is durable, and nothing of it is acknowledged yet.
        case betweenCommitAndAcknowledgement

        var leavesUnacknowledged: Bool { self == .betweenCommitAndAcknowledgement }

        var wrapper: [String] {
            switch self {
            case .anywhere: []
            case .betweenCommitAndAcknowledgement:
                ["/usr/bin/strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync"]
                    + ["-e", "inject=fdatasync:delay_exit=100000"]
            }
        }
    }

    @Test(
        "Everything that the broker acknowledged reaches the sink once, whenever the gateway is killed under load",
        arguments: Moment.allCases)
    func losesNothing(moment: Moment) async throws {
        let site = try await Site()
        let load = Load(site: site, publishers: 4)
        var random = SeededRandom(seed: 7)
        try await site.start(under: moment.wrapper)
        var (round, known) = (0, 0)
        // Goes on until a redelivery was met that had been stored: without one, the second kind of round has proved nothing.
        while round < Self.rounds || moment.leavesUnacknowledged && known == 0 && round < 10 * Self.rounds {
            round += 1
            let loading = Task { try await load.run(count: 1500, rate: 1000) }
            // The moment comes from the load itself: after so many messages, wherever the gateway is with them.
            let end = load.acknowledged + Int.random(in: 200..<4000, using: &random)
            while load.acknowledged < end { await Task.yield() }
            await site.kill()
            try await site.start(under: moment.wrapper)
            try await loading.value
            known = try await site.status().ledger.duplicate
        }
        await site.receiver.waitForReadings(load.acknowledged)
        let (missing, doubled) = load.compare(with: site.receiver)
        #expect(missing == 0)
        #expect(doubled == 0)
        let ledger = try await site.status().ledger
        #expect(ledger.balances)
        #expect(ledger.stored == load.acknowledged)
        #expect(ledger.sinks["cloud"]?.balances == true)
        #expect(ledger.sinks["cloud"]?.stored == load.acknowledged)
        #expect(!moment.leavesUnacknowledged || ledger.duplicate > 0)
        #expect(site.receiver.snapshot().faults.isEmpty)
        print("\(moment): \(load.acknowledged) acknowledged, \(ledger.duplicate) known again, \(missing) missing")
        await site.end()
    }

    @Test("A clean stop commits everything within 5 s, and the stopped ring can be read")
    func stopsCleanly() async throws {
        let site = try await Site(window: "1 s")
        let load = Load(site: site, publishers: 1)
        try await site.start()
        try await load.run(count: 500, rate: nil)
        let clock = ContinuousClock()
        let began = clock.now
        let ending = await site.terminate()
        #expect(ending == .exited(0))
        #expect(clock.now - began < .seconds(5))
        try await site.start()
        await site.receiver.waitForReadings(500)
        #expect(load.compare(with: site.receiver) == (0, 0))
        _ = await site.terminate()
        let read = try ChildProcess(
            Site.program, ["query", "--data-dir", site.directory + "/data", "--format", "json"])
        #expect(await read.ending() == .exited(0))
        #expect(read.log.joined().split(separator: "\"offset\":").count == 501)
        await site.end()
    }

    @Test("A second gateway on the same data directory is refused, and says who holds it")
    func refusesASecond() async throws {
        let site = try await Site()
        try await site.start()
        let holder = site.gateway?.processID ?? 0
        let second = try ChildProcess(Site.program, ["run", "--config", site.directory + "/covey.toml"])
        #expect(await second.ending() == .exited(1))
        #expect(second.log.contains { $0.contains("process \(holder)") })
        await site.end()
    }
}
