import FoundationEssentials
import Glibc
import TestKit
import Testing

@testable import Gateway
@testable import TOMLConfiguration

@Suite("A gateway whose configuration changes while it runs", .serialized)
struct ReloadTests {
    private static let simulated = """
        [[device]]
        id       = "tide"
        driver   = "simulated"
        interval = "5 ms"

        """

    @Test(
        "No reading is lost while devices come, change and go, and while the connection is made anew",
        .timeLimit(.minutes(2)))
    func losesNothing() async throws {
        let site = try await Site()
        try await site.start()
        let original = try site.text
        let load = Load(site: site, publishers: 2)
        let loading = Task { try await load.run(count: 3000, rate: 1000) }
        let changes: [(String) -> String] = [
            { $0 + Self.simulated },
            { $0 + Self.simulated.replacing("5 ms", with: "7 ms") },
            { $0.replacing("load/{device}", with: "+/{device}") },
            { $0.replacing("\"50 ms\"\n[[broker]]", with: "\"20 ms\"\n[[broker]]") },
            { $0.replacing("id      = \"{device}\"", with: "id      = \"{device}\"\nmax_rate = 5000") },
            { $0 },
        ]
        for change in changes {
            let acknowledged = load.acknowledged
            try await site.reload(change(original))
            // In between messages flow, or have all done so.
            while load.acknowledged < min(acknowledged + 200, 6000) { await Task.yield() }
        }
        try await loading.value
        while load.compare(with: site.receiver).missing > 0 { await Task.yield() }
        // The broker sends a message twice while it matches both the old and the new subscription; better than not at all.
        #expect(load.compare(with: site.receiver).doubled < 50)
        let status = try await site.status()
        #expect(status.ledger.balances)
        #expect(status.ledger["tide"].map { $0.received == $0.stored } == true)
        #expect(status.tree["devices", "tide"] == nil)
        #expect(status.tree["devices", "p0"]?.restarts == 0)
        #expect(status.health == "ok")
        await site.end()
    }

    @Test("A file with faults changes nothing, is located in the log and in the status, and a good one mends it")
    func keepsTheOldOne() async throws {
        let site = try await Site(more: Self.simulated)
        try await site.start()
        let original = try site.text
        try await site.reload(
            original + "[[device]]\nid = \"x\"\ndriver = \"mqqt\"\n[storage]\nring_size = \"4 parsecs\"\n")
        let lines = original.split(separator: "\n", omittingEmptySubsequences: false).count
        #expect(site.gateway?.log.contains { $0.contains("covey.toml:\(lines + 2):10: ") } == true)
        let bad = try await site.status()
        #expect(bad.health == "degraded")
        #expect(bad.configuration.faults.count >= 2)
        #expect(bad.reasons.contains { $0.contains("covey.toml:\(lines + 2):10: ") })
        #expect(bad.tree["devices", "tide"]?.state == "running")

        // Nothing stopped: what is published now arrives.
        let load = Load(site: site, publishers: 1)
        try await load.run(count: 100, rate: nil)
        while site.receiver.readings().count(where: { $0.device == "p0" }) < 100 { await Task.yield() }

        try await site.reload(original)
        let mended = try await site.status()
        #expect(mended.health == "ok")
        #expect(mended.configuration.faults.isEmpty)
        #expect(mended.tree["devices", "tide"]?.restarts == 0)
        await site.end()
    }

    @Test("A device that is gone leaves the tree, keeps its readings, and comes back when it is configured again")
    func comesAndGoes() async throws {
        let site = try await Site(more: Self.simulated)
        try await site.start()
        let with = try site.text
        let without = with.replacing(Self.simulated, with: "")
        await site.receiver.waitForReadings(1)
        try await site.reload(without)
        let gone = try await site.status()
        #expect(gone.tree["devices", "tide"] == nil)
        while try await site.status().ledger.waiting > 0 { await Task.yield() }
        let kept = try #require(try await site.status().ledger["tide"])
        #expect(kept.received == kept.stored)
        #expect(try await site.ask("query", "tide/*", "--format", "csv").lines.count > 1)
        try await site.reload(with)
        while try await site.status().ledger["tide"]?.stored ?? 0 <= kept.stored { await Task.yield() }
        #expect(try await site.status().ledger.balances)
        #expect(site.gateway?.log.contains { $0.contains("device tide is new") } == true)
        #expect(site.gateway?.log.contains { $0.contains("device tide has changed") } == false)
        await site.end()
    }

    @Test("What only a start can give is named, in the log and in the status")
    func namesWhatWaits() async throws {
        let site = try await Site()
        try await site.start()
        let text = try site.text.replacing("linger = \"50 ms\"", with: "linger = \"70 ms\"")
        try await site.reload(text.replacing("32 MiB", with: "64 MiB"))
        let status = try await site.status()
        #expect(status.configuration.waiting == ["[storage]", "[[upload]] cloud"])
        #expect(status.health == "ok")
        await site.end()
    }

    @Test("Each section is applied or waits as the table says")
    func sortsSections() throws {
        let started = try Self.configuration(Self.minimal)
        func waiting(_ text: String) throws -> [String] {
            ConfigurationChange(started: started, new: try Self.configuration(text)).waiting
        }
        #expect(try waiting(Self.minimal).isEmpty)
        #expect(try waiting(Self.minimal + Self.simulated).isEmpty)
        #expect(try waiting(Self.minimal + "[log]\nlevel = \"debug\"\n").isEmpty)
        #expect(try waiting(Self.minimal + "[storage]\ncommit_window = \"5 s\"\n").isEmpty)
        #expect(try waiting(Self.minimal + "[storage]\nring_size = \"64 MiB\"\n") == ["[storage]"])
        // The broker would know the gateway under another client id, too.
        #expect(
            try waiting(Self.minimal.replacing("\"a\"", with: "\"b\""))
                == ["[gateway]", "[[broker]] local: the connection that publishes"])
        #expect(
            try waiting(Self.minimal.replacing("1883", with: "1884"))
                == ["[[broker]] local: the connection that publishes"])
        #expect(
            try waiting(Self.minimal + "[[upload]]\nname = \"f\"\nsink = \"file\"\npath = \"/tmp/f\"\n")
                == ["[[upload]] f"])
    }

    private static let minimal = """
        [gateway]
        name = "a"
        [[broker]]
        name = "local"
        url  = "mqtt://127.0.0.1:1883"

        """

    private static func configuration(_ text: String) throws -> GatewayConfiguration {
        try GatewayConfiguration.load(text: text, path: "/etc/covey/covey.toml", files: .none).get()
    }
}

extension Site {
    /// The configuration file as it is.
    var text: String {
        get throws { String(decoding: try Data(contentsOf: URL(filePath: configuration)), as: UTF8.self) }
    }

    /// Writes another configuration and returns when the gateway has taken or refused it.
    func reload(_ text: String) async throws {
        try MosquittoBroker.write(text, to: configuration)
        let before = reloads
        gateway?.send(SIGHUP)
        while reloads == before { await Task.yield() }
    }

    private var reloads: Int {
        gateway?.log.count { $0.contains("reload: done") || $0.contains("is not used; the gateway goes on") } ?? 0
    }
}
