import Glibc
import TestKit
import Testing

@Suite("A gateway that is told to stop while everything around it hangs", .serialized)
struct StopTests {
    /// What systemd is promised; its own limit is 20 s.
    private static let limit = Duration.seconds(5)

    @Test(
        "With a sink that never answers, a broker that is half-open and a slow disk, it ends within 5 s and has what it acknowledged"
    )
    func endsInTime() async throws {
        let site = try await Site(window: "1 s")
        let slow = ["/usr/bin/strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync"]
        try await site.start(under: slow + ["-e", "inject=fdatasync:delay_enter=300000"])
        site.receiver.mode = .hang
        let load = Load(site: site, publishers: 2)
        try await load.run(count: 500, rate: nil)
        // The broker's process sleeps: its connections stay up and answer nothing, not even the goodbye.
        let broker = site.broker.processID
        #expect(Glibc.kill(broker, SIGSTOP) == 0)
        let clock = ContinuousClock()
        let began = clock.now
        let ending = await site.terminate()
        let took = clock.now - began
        #expect(Glibc.kill(broker, SIGCONT) == 0)
        #expect(ending == .exited(0))
        #expect(took < Self.limit, "\(took)")

        // What the broker was acknowledged is in the ring; the rest it still has.
        site.receiver.mode = .accept
        try await site.start()
        await site.receiver.waitForReadings(load.acknowledged)
        #expect(load.compare(with: site.receiver) == (0, 0))
        let ledger = try await site.status().ledger
        #expect(ledger.stored == load.acknowledged)
        #expect(ledger.balances)
        print("stopped in \(took) with \(load.acknowledged) acknowledged")
        await site.end()
    }
}
