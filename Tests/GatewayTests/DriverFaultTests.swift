import Devices
import Environment
import Gateway
import Glibc
import Model
import TOMLConfiguration
import TestKit
import Testing

@Suite("A gateway whose drivers misbehave", .serialized)
struct DriverFaultTests {
    /// More of each kind than the pool has threads.
    private static let hanging = sysconf(Int32(_SC_NPROCESSORS_ONLN)) + 2
    private static let patience = {
        var patience = Gateway.Patience()
        patience.heartbeat = .seconds(1)
        patience.firstPause = .milliseconds(20)
        return patience
    }()

    @Test(
        "Drivers that throw, hang (more than the pool has threads) or flood end in quarantine or lose their surplus, and nobody else notices"
    )
    func othersDoNotNotice() async throws {
        let gate = Gate()
        var bad: [DeviceID: any Driver] = [DeviceID("throws"): ThrowingDriver()]
        for way in HangingDriver.Way.allCases {
            for number in 0..<Self.hanging { bad[DeviceID("\(way)-\(number)")] = HangingDriver(way: way, gate: gate) }
        }
        var drivers = bad
        drivers[DeviceID("flood")] = FloodingDriver()
        let site = try await Site(more: Self.devices(drivers.keys.map(\.rawValue).sorted() + ["tide"]))
        let (running, log) = try await start(site, drivers)

        let (latencies, ages) = try await probe(site) {
            let lines = log.all
            return bad.keys.contains { id in !lines.contains { $0.hasPrefix("covey/devices/\(id): quarantined") } }
        }

        #expect(latencies.count >= 3)
        #expect(latencies.allSatisfy { $0 < .seconds(5) }, "\(latencies)")
        #expect(ages.allSatisfy { $0 < .seconds(5) }, "\(ages)")

        try await expectTree(site, bad)
        try await expectLedger(site)
        #expect(log.all.contains { $0.contains("covey/devices/spin-0: abandoned") })

        // The stop waits for none of them either; then they are let go, so that their threads end.
        let clock = ContinuousClock()
        let began = clock.now
        running.cancel()
        await #expect(throws: Never.self) { try await running.value }
        #expect(clock.now - began < .seconds(5))
        gate.open()
        await site.end()
    }

    private static func devices(_ ids: [String]) -> String {
        ids.map { "[[device]]\nid = \"\($0)\"\ndriver = \"simulated\"\ninterval = \"100 ms\"\n" }.joined()
    }

    /// Runs the site's gateway in this process, with `drivers` in the place of simulated ones; returns when it is ready.
    private func start(_ site: Site, _ drivers: [DeviceID: any Driver]) async throws -> (
        Task<Void, any Error>, LogLines
    ) {
        let log = LogLines()
        let configuration = try GatewayConfiguration.load(path: site.configuration).get()
        let gateway = try await Gateway.open(
            configuration, logger: log.logger, drivers: drivers, patience: Self.patience)
        let running = Task { try await gateway.run() }
        await log.wait(for: "is ready")
        return (running, log)
    }

    /// Publishes one reading after the other as long as there is a `mess`. Returns how long each took to become durable, and how old the
    /// newest reading of the healthy driver at the sink was meanwhile.
    private func probe(_ site: Site, while mess: () -> Bool) async throws -> (latencies: [Duration], ages: [Duration]) {
        let tail = try ChildProcess(
            Site.program, ["tail", "probe", "tide", "--json", "--socket", site.directory + "/covey.sock"])
        #expect(await tail.waitForLog(containing: "\"device\":\"tide\""))
        while !site.receiver.readings().contains(where: { $0.device == "tide" }) { await Task.yield() }
        let publisher = CountingPublisher(port: site.broker.port, clientID: "probe")
        let clock = ContinuousClock()
        var latencies: [Duration] = []
        var ages: [Duration] = []
        while mess() {
            let value = 1000 + latencies.count
            let began = clock.now
            try await publisher.publish(count: 1) { _ in ("load/probe", Array(String(value).utf8)) }
            #expect(await tail.waitForLog(containing: "\"value\":\(value),"))
            latencies.append(clock.now - began)
            let newest = site.receiver.readings().last { $0.device == "tide" }
            ages.append(.milliseconds(Self.wall - (newest?.time.rawValue ?? 0)))
        }
        await tail.kill()
        return (latencies, ages)
    }

    /// Milliseconds since 1970.
    private static var wall: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    private func expectTree(_ site: Site, _ bad: [DeviceID: any Driver]) async throws {
        let status = try await site.status()
        #expect(status.health == "degraded")
        for id in bad.keys.sorted() {
            let node = status.tree["devices", id.rawValue]
            #expect(node?.state == "quarantined", "\(id)")
            #expect((node?.restarts ?? 0) > 0, "\(id)")
            if id.rawValue != "throws" { #expect((node?.stuck ?? 0) > 0, "\(id)") }
            // What cannot be ended is left behind, but not more often than the limit says.
            let isEndless = !id.rawValue.hasPrefix("sleep") && id.rawValue != "throws"
            #expect(node?.abandoned == (isEndless ? 2 : 0), "\(id)")
        }
        for id in ["tide", "flood"] {
            let node = status.tree["devices", id]
            #expect(node?.state == "running", "\(id)")
            #expect(node?.restarts == 0, "\(id)")
            #expect(node?.stuck == 0, "\(id)")
        }
    }

    private func expectLedger(_ site: Site) async throws {
        var ledger = try await site.status().ledger
        while (ledger["flood"].map { $0.stored + $0.dropped.values.reduce(0, +) } ?? 0) < FloodingDriver.samples {
            ledger = try await site.status().ledger
        }
        #expect(ledger.balances)
        let flood = ledger["flood"]
        #expect(flood?.received == FloodingDriver.samples)
        let surplus = flood?.dropped["mailbox-full"] ?? 0
        #expect(surplus > 0)
        #expect((flood?.stored ?? 0) + surplus == FloodingDriver.samples)
        #expect(ledger["tide"]?.dropped.isEmpty == true)
        #expect(ledger["probe"]?.dropped.isEmpty == true)
    }
}
