import BenchmarkKit
import TestKit

/// A gateway is killed while its readings wait for a slow receiver: when do the others go on, and what comes twice?
///
/// | kill | what follows |
/// |---|---|
/// | even | the others upload all, then the gateway comes back |
/// | odd | it comes back as soon as another uploads its log, and takes that back |
struct Takeover: Sendable {
    /// Readings that are published before each kill: 60 chunks.
    private static let backlog = 60 * 512
    /// Milliseconds to an answer: so that readings wait at the kill and at the return, and in between.
    private static let slow: Int64 = 2000
    private static let quick: Int64 = 100

    let kills: Int
    let sizes: [Int]

    private struct Result: Sendable {
        var first: [Double] = []
        var last: [Double] = []
        var waiting: [Double] = []
        var doublesThere: [Double] = []
        var doublesBack: [Double] = []
    }

    func run() async throws {
        var report = Report(
            "covey-takeover",
            columns: [
                "gateways", "kills", "readings that waited", "first reading of the dead, s", "last, s",
                "doubles at the death", "returns", "doubles at the return",
            ])
        for (size, result) in try await measureAll() {
            report.add(
                "\(size)", "\(kills)", Spread(result.waiting).text, Spread(result.first).medianAndMost(1),
                Spread(result.last).medianAndMost(1), Spread(result.doublesThere).medianAndMost(),
                "\(result.doublesBack.count)",
                result.doublesBack.isEmpty ? "–" : Spread(result.doublesBack).medianAndMost())
        }
        report.note(
            "Median / most, from `kill -9`. \(Self.backlog) readings are published, copied to all and on their way to a receiver that "
                + "answers after \(Double(Self.slow) / 1000) s; after the kill it answers after \(Self.quick) ms. After every other "
                + "kill the gateway comes back at once, while another uploads its log to the slow receiver, and takes it back; last is "
                + "of the other kills. Doubles are readings that came again, of at most 2,048 (4 chunks) a hand-over.")
        try report.publish()
    }

    /// All sizes at once: the machine has little to do but to wait.
    private func measureAll() async throws -> [(Int, Result)] {
        try await withThrowingTaskGroup(of: (Int, Result).self) { group in
            for size in sizes { group.addTask { (size, try await measure(size)) } }
            var results: [Int: Result] = [:]
            for try await (size, result) in group { results[size] = result }
            return sizes.compactMap { size in results[size].map { (size, $0) } }
        }
    }

    private func measure(_ size: Int) async throws -> Result {
        let arrivals = Arrivals()
        let network = try await LabNetwork(size)
        let fleet = try await Fleet(
            size, window: "100 ms", network: network, under: CoveyBenchmark.disk, ring: "64 MiB",
            receiver: HTTPReceiver(witness: { arrivals.take($0, $1) }))
        try await fleet.openSink()
        try await fleet.startSoon()
        var result = Result()
        for round in 0..<kills {
            try await kill(fleet.members[round % size], returnsAtOnce: round % 2 == 1, fleet, arrivals, &result)
            say("\(size) gateways: \(round + 1) of \(kills) kills")
        }
        await fleet.end()
        return result
    }

    private func kill(
        _ victim: Member, returnsAtOnce: Bool, _ fleet: Fleet, _ arrivals: Arrivals, _ result: inout Result
    ) async throws {
        fleet.receiver.latency = Self.slow
        let stored = try await victim.status().ledger.stored
        try await victim.publish(Self.backlog)
        try await until("the readings of \(victim.name) are copied", every: .milliseconds(100)) {
            let status = try await victim.status()
            return status.ledger.stored >= stored + Self.backlog && status.covey?.underReplicated.readings == 0
        }
        guard let log = arrivals.newestLog(of: victim.name) else {
            throw ChildFailure(description: "\(victim.name) uploads nothing")
        }
        let killed = monotonicSeconds()
        result.waiting.append(Double(victim.publisher.acknowledged - arrivals.distinct(of: victim.name)))
        await victim.kill()
        fleet.receiver.latency = Self.quick
        try await until("another uploads the log of \(victim.name)") {
            arrivals.batches(of: log, since: killed).contains { $0.broughtBy != victim.name }
        }
        let taken = arrivals.batches(of: log, since: killed).first { $0.broughtBy != victim.name }?.at ?? killed
        result.first.append(taken - killed)
        var returned = Double.infinity
        if returnsAtOnce {
            fleet.receiver.latency = Self.slow
            try await victim.start()
            let started = monotonicSeconds()
            try await until("\(victim.name) takes back its log") {
                arrivals.distinct(of: victim.name) == victim.publisher.acknowledged
                    || arrivals.batches(of: log, since: started).contains { $0.broughtBy == victim.name }
            }
            let own = arrivals.batches(of: log, since: started).first { $0.broughtBy == victim.name }
            returned = own?.at ?? .infinity
            fleet.receiver.latency = Self.quick
        }
        try await until("all of \(victim.name) is at the receiver") {
            arrivals.distinct(of: victim.name) == victim.publisher.acknowledged
        }
        let ended = monotonicSeconds()
        if !returnsAtOnce { result.last.append(ended - killed) }
        // What is on its way twice may come a little later.
        try await until("nothing is on its way any more", every: .milliseconds(100)) {
            try await fleet.members.filter { $0 !== victim || returnsAtOnce }.asyncAllSatisfy {
                try await $0.uploads().allSatisfy { $0.pending == 0 }
            }
        }
        let batches = arrivals.batches(of: log, since: killed)
        result.doublesThere.append(Double(batches.filter { $0.at < returned }.reduce(0) { $0 + $1.doubles }))
        if returned < .infinity {
            result.doublesBack.append(Double(batches.filter { $0.at >= returned }.reduce(0) { $0 + $1.doubles }))
        }
        if !returnsAtOnce { try await victim.start() }
        try await fleet.waitUntilMet()
    }
}

extension Sequence {
    fileprivate func asyncAllSatisfy(_ condition: (Element) async throws -> Bool) async rethrows -> Bool {
        for element in self where try await !condition(element) { return false }
        return true
    }
}

extension Spread {
    /// `5.1 / 6.0`
    func medianAndMost(_ digits: Int = 0) -> String { "\(median.text(digits)) / \(most.text(digits))" }
}
