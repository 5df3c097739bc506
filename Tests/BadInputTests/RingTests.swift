import Glibc
import TestKit
import Testing

/// A gateway that was stopped in good order, with copies of its data directory to spoil, and that of another one.
struct SpoiledData: SuiteTrait, TestScoping {
    /// Texts that no encoding makes much smaller: two segments full.
    private static let text = """
        [[device]]
        id      = "text"
        driver  = "mqtt"
        topic   = "text"
        decoder = "json"

        """

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let site = try await Site(ringSize: "48 MiB", more: Self.text)
        let bench = Bench(site)
        // The other gateway is this one before it had a past of its own.
        try await site.start()
        try await bench.letNeighbourSpeak()
        #expect(await site.terminate() == .exited(0))
        try Self.shell("mv '\(site.directory)/data' '\(site.directory)/other'")
        try await site.start()
        try await bench.letNeighbourSpeak()
        try await bench.publish((0..<360).map { ("text", Self.message($0)) })
        try await bench.letNeighbourSpeak()
        try await poll("the upload of everything") {
            try await bench.status()["ledger.sinks.cloud.pending"]?.integer == 0
        }
        #expect(await site.terminate() == .exited(0))
        try Self.shell("mv '\(site.directory)/data' '\(site.directory)/good'")
        try await Bench.$current.withValue(bench) { try await function() }
        try await bench.verify(isRunning: false)
        await site.end()
    }

    /// Returns when the gateway runs on a spoiled copy.
    static func start(_ bench: Bench, on row: RingRow) async throws {
        let folder = bench.site.directory
        try shell("rm -rf '\(folder)/data' && cp -r '\(folder)/good' '\(folder)/data'")
        try row.spoil(folder + "/data", folder + "/other")
        guard row.asNobody, geteuid() == 0 else { return try await bench.site.start() }
        // The superuser may open everything, so it must be another user who may not.
        try shell("chown 65534:65534 '\(folder)' && chown -R 65534:65534 '\(folder)/data'")
        try shell("chmod 644 '\(folder)/covey.toml'")
        try await bench.site.start(
            under: ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    }

    private static func shell(_ command: String) throws {
        guard system(command) == 0 else { throw ChildFailure(description: command) }
    }

    /// 100 texts of 250 letters and digits in no order that repeats.
    private static func message(_ number: Int) -> [UInt8] {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var random = UInt64(number) &* 1_000_003 &+ 1
        var json = Array("{".utf8)
        for index in 0..<100 {
            json += Array("\(index == 0 ? "" : ",")\"t\(index)\":\"".utf8)
            for _ in 0..<250 {
                random = random &* 6_364_136_223_846_793_005 &+ 1
                json.append(letters[Int(random >> 33) % letters.count])
            }
            json.append(UInt8(ascii: "\""))
        }
        return json + Array("}".utf8)
    }
}

@Suite("Bad data on the disk", .serialized, .timeLimit(.minutes(3)), SpoiledData())
struct RingTests {
    @Test(
        "The gateway starts over whatever it finds, names what it set aside, and goes on with what is left",
        arguments: RingRow.rows.indices)
    func startsAllTheSame(_ index: Int) async throws {
        let bench = try #require(Bench.current)
        let row = RingRow.rows[index]
        let old = bench.neighbour.acknowledgedNumbers
        try await SpoiledData.start(bench, on: row)
        let log = bench.site.gateway?.log ?? []
        if let message = row.page.message {
            #expect(log.contains { $0.contains(message) }, "\(row.page.thing): \(log)")
        } else {
            #expect(!log.contains { $0.contains(" warning ") || $0.contains(" error ") }, "\(row.page.thing): \(log)")
        }
        let status = try await bench.status()
        for counter in row.page.counters {
            let fault = counter.fault(before: .null, after: status)
            #expect(fault == nil, "\(row.page.thing): \(fault ?? "")")
        }
        try await bench.letNeighbourSpeak()
        let text = try await bench.site.ask("query", "text/t0", "--format", "csv").lines.count
        let kept = try await bench.site.ask("query", "neighbour/*", "--format", "csv").lines.count
        #expect(
            kept > 2, "\(row.page.thing): what came after the start is not there: \(kept) lines, \(old.count) before")
        switch row.survivors {
        case .all: #expect(text >= 360, "\(row.page.thing): \(text) lines")
        case .some: #expect(text > 10, "\(row.page.thing): \(text) lines")
        case .none: #expect(text <= 1, "\(row.page.thing): \(text) lines")
        }
        #expect(try await bench.site.status().ledger.balances, "\(row.page.thing)")
        #expect(await bench.site.terminate() == .exited(0), "\(row.page.thing)")
    }
}
