import TestKit
import Testing

/// All brokers of the rows, bad from the beginning or about to be.
struct BrokersGoBad: SuiteTrait, TestScoping {
    @TaskLocal static var brokers: BadBrokers?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let brokers = try await BadBrokers()
        try await brokers.bench.site.start()
        try await brokers.bench.letNeighbourSpeak()
        let log = brokers.bench.site.gateway
        try await poll("the subscriptions") {
            ["halfopen", "restarts"].allSatisfy { name in
                log?.log.contains { $0.contains("broker \(name): subscribed") } ?? false
            }
        }
        brokers.relay.hold()
        try await Self.$brokers.withValue(brokers) { try await function() }
        try await brokers.bench.letNeighbourSpeak()
        try await brokers.bench.verify()
        await brokers.end()
    }
}

@Suite("Bad brokers", .serialized, .timeLimit(.minutes(3)), BrokersGoBad())
struct BrokerTests {
    @Test(
        "What is wrong with a broker is said, shown and survived, and the devices of the others are heard",
        arguments: BrokerRow.rows.indices)
    func isSaidAndSurvived(_ index: Int) async throws {
        let brokers = try #require(BrokersGoBad.brokers)
        let bench = brokers.bench
        let row = BrokerRow.rows[index]
        let before = row.cure == nil || row.broker != "restarts" ? StatusTree.null : try await bench.status()
        try await row.deed(brokers)
        let message = try #require(row.page.message)
        try await poll("the log says “\(message)”, not \(said(row, bench))", within: .seconds(30)) {
            bench.site.gateway?.log.contains { $0.contains(message) } ?? false
        }
        var fault: String?
        try await poll("\(row.page.thing): \(fault ?? "")") {
            let after = try await bench.status()
            fault = row.page.counters.compactMap { $0.fault(before: before, after: after) }.first
            return fault == nil
        }
        try await bench.letNeighbourSpeak()
        // However often it was tried, it was not said more often than a person can read.
        #expect(bench.site.gateway?.log.filter { $0.contains(message) }.count ?? 0 < 20)
        guard let cure = row.cure else { return }
        try await cure(brokers)
        try await hear(row, brokers)
    }

    /// What the device of a broker that is well again says comes through.
    private func hear(_ row: BrokerRow, _ brokers: BadBrokers) async throws {
        let port = try #require(brokers.port(of: row.broker))
        let path = "ledger.streams.at-\(row.broker).stored"
        let before = try await brokers.bench.status()[path]?.integer ?? 0
        try await poll("\(row.broker) connected", within: .seconds(30)) {
            try await brokers.bench.status()["brokers.\(row.broker).state"]?.text == "connected"
        }
        // A broker that meets us anew keeps nothing from before our subscription.
        try await poll("\(row.broker)'s device heard", within: .seconds(30)) {
            let publisher = CountingPublisher(port: port, clientID: "at-\(row.broker)")
            try await publisher.publish(count: 1) { _ in ("t/\(row.broker)", Array("1".utf8)) }
            return try await brokers.bench.status()[path]?.integer ?? 0 > before
        }
    }

    private func said(_ row: BrokerRow, _ bench: Bench) -> String {
        bench.site.gateway?.log.last { $0.contains("broker \(row.broker):") } ?? "a word"
    }
}
