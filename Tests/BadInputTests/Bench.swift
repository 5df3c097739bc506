import Model
import TestKit
import Testing

/// One process of the gateway that a group of rows shares, with the good device beside the bad ones: it counts 0, 1, 2 …, and each number
/// that the broker acknowledged must be at the sink, once.
final class Bench: Sendable {
    @TaskLocal static var current: Bench?

    let site: Site
    let neighbour: CountingPublisher
    private let bad: CountingPublisher

    init(_ site: Site) {
        self.site = site
        neighbour = CountingPublisher(port: site.broker.port, clientID: "good")
        bad = CountingPublisher(port: site.broker.port, clientID: "bad")
    }

    /// Publishes what is bad, at QoS 1 and in this order.
    func publish(_ messages: [(topic: String, payload: [UInt8])]) async throws {
        let publisher = bad
        let first = publisher.published
        try await publisher.publish(count: messages.count) { messages[$0 - first] }
    }

    /// The neighbour speaks; returns when the sink has every word of it so far. What was published before it has been dealt with by then.
    func letNeighbourSpeak() async throws {
        try await neighbour.publish(count: 2) { ("load/neighbour", Array("\($0)".utf8)) }
        try await poll("the neighbour's readings at the sink") {
            site.receiver.snapshot().byDevice["neighbour", default: 0] >= neighbour.acknowledged
        }
    }

    func status() async throws -> StatusTree { try StatusTree(parsing: try await site.statusText()) }

    /// That the neighbour lost nothing, that nothing of it came twice, and that the books balance.
    func verify(isRunning: Bool = true) async throws {
        let numbers = site.receiver.readings().filter { $0.device == "neighbour" }.compactMap { reading -> Int? in
            guard case .number(let number) = reading.value else { return nil }
            return Int(number)
        }
        #expect(Set(neighbour.acknowledgedNumbers).isSubset(of: numbers), "acknowledged readings are missing")
        #expect(Set(numbers).count == numbers.count, "readings came twice")
        #expect(site.receiver.snapshot().faults == [])
        if isRunning { #expect(try await site.status().ledger.balances) }
    }
}

/// Starts a gateway for all rows of a suite, and looks after it when they are through.
struct SharedGateway: SuiteTrait, TestScoping {
    let more: String
    /// What happens at the broker before the gateway comes.
    var before: @Sendable (Site) async throws -> Void = { _ in }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let bench = Bench(try await Site(more: more))
        try await before(bench.site)
        try await bench.site.start()
        try await bench.letNeighbourSpeak()
        try await Bench.$current.withValue(bench) { try await function() }
        try await bench.letNeighbourSpeak()
        try await bench.verify()
        #expect(await bench.site.terminate() == .exited(0), "\(bench.site.gateway?.log.suffix(5) ?? [])")
        await bench.site.end()
    }
}

/// Returns when `condition` holds. Looks again every few milliseconds, and throws where it does not come true in time, so that a row
/// that waits for ever fails under its own name.
func poll(
    _ what: @autoclosure () -> String, within limit: Duration = .seconds(15),
    until condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else {
            throw ChildFailure(description: "not within \(limit): \(what())")
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
