import Model
import TestKit
import Testing

@Suite("Bad sinks", .serialized, .timeLimit(.minutes(3)), SinksGoBad())
struct SinkTests {
    @Test(
        "What is wrong with a sink is shown, and the others get everything all the while",
        arguments: SinkRow.rows.indices)
    func isShown(_ index: Int) async throws {
        let bench = try #require(SinksGoBad.sinks).bench
        let row = SinkRow.rows[index]
        var fault: String?
        do {
            try await poll("it is shown", within: .seconds(30)) {
                let after = try await bench.status()
                fault = row.page.counters.compactMap { $0.fault(before: .null, after: after) }.first
                return fault == nil
            }
        } catch {
            Issue.record("\(row.page.thing): \(fault ?? "\(error)")")
        }
        try await bench.letNeighbourSpeak()
    }

    @Test("Sinks that become well have everything, each reading once, and the others keep theirs pending")
    func becomeWell() async throws {
        let sinks = try #require(SinksGoBad.sinks)
        let bench = sinks.bench
        try sinks.cure()
        try await bench.letNeighbourSpeak()
        let curable = SinkRow.rows.filter(\.isCurable).map(\.sink)
        var waiting: [String] = []
        do {
            try await poll("all pending readings", within: .seconds(60)) {
                let status = try await bench.status()
                waiting = curable.filter { status["ledger.sinks.\($0).pending"]?.integer != 0 }
                return waiting.isEmpty
            }
        } catch {
            Issue.record("still pending: \(waiting)")
        }
        let good = Set(bench.site.receiver.readings().map(\.key))
        for (index, row) in SinkRow.rows.enumerated() {
            guard let receiver = sinks.receiver(index) else { continue }
            let keys = receiver.readings().map(\.key)
            #expect(receiver.snapshot().faults == [], "\(row.sink)")
            #expect(Set(keys).count == keys.count, "\(row.sink)")
            if row.isCurable { #expect(Set(keys) == good, "\(row.sink): \(keys.count) of \(good.count)") }
        }
        let status = try await bench.site.status()
        for (name, sink) in status.ledger.sinks { #expect(sink.balances, "\(name)") }
    }
}
