import BenchmarkKit
import Glibc
import TestKit

/// Who is there: a covey beside Debian's serf, at the same time on the same machine, each node in a network namespace of its own, both
/// encrypted and otherwise as they come. Both tell by their logs what a node sees.
///
/// Usage: `membership-benchmark [SECONDS [KILLS [SIZE…]]]`; needs root.
@main
struct Membership {
    /// Until a covey that has just formed is at rest.
    private static let settling = 90
    /// Of every phase without kills.
    let seconds: Double
    let kills: Int

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let sizes = numbers.count > 2 ? Array(numbers.dropFirst(2)) : [3, 10, 32]
        let benchmark = Membership(
            seconds: Double(numbers.first ?? 60), kills: numbers.dropFirst().first ?? 8)
        var quiet = Report(
            "membership-quiet", columns: ["gateways", "program", "sent B/s each", "RSS MiB", "CPU % of a core each"])
        var deaths = Report(
            "membership-detection",
            columns: [
                "gateways", "program", "first suspects, s", "all call it dead, s", "p99 of observers, s",
                "a return known to 99 %, s",
            ])
        var wrong = Report(
            "membership-false-deaths",
            columns: ["gateways", "program", "without faults", "10 % loss", "30 % loss", "starved nodes"])
        for size in sizes {
            let results = try await benchmark.compare(size)
            for (contender, result) in zip(Contender.allCases, results) {
                quiet.add(
                    "\(size)", contender.rawValue, result.bytes.text(), result.resident.text(1), result.cpu.text(2))
                deaths.add(
                    "\(size)", contender.rawValue, Spread(result.firstSuspicions).text1,
                    Spread(result.allDead).text1, Spread(result.deaths).quantile(0.99).text(1),
                    Spread(result.returns).text1)
                wrong.add(["\(size)", contender.rawValue] + result.falseDeaths.map { $0.text(1) })
            }
            let ratio = results[0].bytes / results[1].bytes
            quiet.note("At \(size), covey sends \(ratio.text(2)) times the bytes of serf.")
            let speed = Spread(results[0].allDead).median / Spread(results[1].allDead).median
            deaths.note("At \(size), covey takes \(speed.text(2)) times as long as serf until all call it dead.")
        }
        quiet.note(
            "\(numbers.first ?? 60) s without any load or fault, \(settling) s after all knew all; bytes with Ethernet "
                + "headers, as the cable carries them."
        )
        deaths.note("Medians (least–most) of \(benchmark.kills) kills with -9, one after the other.")
        wrong.note(
            "Deaths of nodes that lived, per node and hour, of \(numbers.first ?? 60) s each. Starved: every 10 s a quarter of the "
                + "nodes, at least one, stands still for 4 s; what is counted is any death.")
        try quiet.publish()
        try deaths.publish()
        try wrong.publish()
    }

    struct Result: Sendable {
        var bytes = 0.0
        var resident = 0.0
        var cpu = 0.0
        var firstSuspicions: [Double] = []
        var allDead: [Double] = []
        /// Of each observer.
        var deaths: [Double] = []
        var returns: [Double] = []
        /// Per node and hour: without faults, at 10 % and 30 % loss, with starved nodes.
        var falseDeaths: [Double] = []
    }

    /// Both at once, so that whatever else the machine does strikes both.
    private func compare(_ size: Int) async throws -> [Result] {
        try roomForNeighbours(2 * size * size)
        return try await withThrowingTaskGroup(of: (Contender, Result).self) { group in
            for contender in Contender.allCases {
                group.addTask { (contender, try await measure(contender, size)) }
            }
            var results: [Contender: Result] = [:]
            for try await (contender, result) in group { results[contender] = result }
            return Contender.allCases.compactMap { results[$0] }
        }
    }

    /// All namespaces of a machine share one table of neighbours, which by default has room for 1,024: beyond, packets are dropped.
    private func roomForNeighbours(_ count: Int) throws {
        let path = "/proc/sys/net/ipv4/neigh/default/gc_thresh3"
        let known = Int(try Files.read(path).prefix { $0.isNumber }) ?? 0
        if known < 2 * count { try Files.write("\(2 * count)", to: path) }
    }

    private func measure(_ contender: Contender, _ size: Int) async throws -> Result {
        let clan = try await Clan(contender, size)
        let begin = monotonicSeconds()
        for index in 0..<size { try clan.start(index) }
        let isWhole = try await clan.wait(since: begin, seconds: 120) { words in
            Set(words.filter { $0.kind == .joined }.map { $0.observer * size + $0.subject }).count == size * (size - 1)
        }
        guard isWhole else { throw ChildFailure(description: "\(contender) of \(size): not all know all") }
        // The news of the start are over, and the streams that brought them are let go: covey does so after a minute.
        try await Task.sleep(for: .seconds(Self.settling))
        var result = Result()
        try await idle(clan, &result)
        for percent in [10, 30] {
            try await clan.network.loss(percent)
            result.falseDeaths.append(try await falseDeaths(clan) { try await Task.sleep(for: .seconds(seconds)) })
            try await clan.network.heal()
            try await settle(clan)
        }
        result.falseDeaths.append(try await falseDeaths(clan) { try await starve(clan) })
        try await settle(clan)
        for round in 0..<kills { try await kill(clan, round * 7 % size, &result) }
        await clan.end()
        print("\(contender.rawValue) of \(size) is done")
        return result
    }

    private func idle(_ clan: Clan, _ result: inout Result) async throws {
        let (before, usage) = (try await clan.network.traffic(), try clan.usage())
        let start = monotonicSeconds()
        let wrong = try await falseDeaths(clan) { try await Task.sleep(for: .seconds(seconds)) }
        let span = monotonicSeconds() - start
        let (after, used) = (try await clan.network.traffic(), try clan.usage())
        let sent = zip(before, after).reduce(0) { $0 + $1.1.sentBytes - $1.0.sentBytes }
        result.bytes = Double(sent) / span / Double(clan.count)
        result.resident = used.reduce(0) { $0 + Double($1.residentKiB) / 1024 } / Double(clan.count)
        let cpu = zip(usage, used).reduce(0) { $0 + $1.1.since($1.0).cpu }
        result.cpu = cpu / span / Double(clan.count) * 100
        result.falseDeaths.append(wrong)
    }

    private func falseDeaths(_ clan: Clan, while body: () async throws -> Void) async throws -> Double {
        let start = monotonicSeconds()
        try await body()
        let hours = (monotonicSeconds() - start) / 3600
        // However many have heard of it, it is one death as long as the node did not come back in between.
        var dead: Set<Int> = []
        var count = 0
        for word in clan.words(since: start) {
            switch word.kind {
            case .died: if dead.insert(word.subject).inserted { count += 1 }
            case .joined: dead.remove(word.subject)
            case .suspected: break
            }
        }
        return Double(count) / hours / Double(clan.count)
    }

    private func starve(_ clan: Clan) async throws {
        let end = monotonicSeconds() + seconds
        var turn = 0
        while monotonicSeconds() < end {
            let starved = (0..<max(1, clan.count / 4)).map { (turn + $0) % clan.count }
            turn += starved.count
            for index in starved { clan.send(SIGSTOP, to: index) }
            try await Task.sleep(for: .seconds(4))
            for index in starved { clan.send(SIGCONT, to: index) }
            try await Task.sleep(for: .seconds(6))
        }
    }

    /// Time for those that were given up to come back.
    private func settle(_ clan: Clan) async throws { try await Task.sleep(for: .seconds(20)) }

    private func kill(_ clan: Clan, _ victim: Int, _ result: inout Result) async throws {
        let others = clan.count - 1
        let killed = monotonicSeconds()
        await clan.kill(victim)
        let isKnown = try await clan.wait(since: killed, seconds: 90) { words in
            Set(words.filter { $0.kind == .died && $0.subject == victim }.map(\.observer)).count == others
        }
        guard isKnown else { throw ChildFailure(description: "\(clan.contender): g\(victim) is not dead for all") }
        let words = clan.words(since: killed).filter { $0.subject == victim }
        let dead = words.filter { $0.kind == .died }.map { $0.at - killed }
        if let first = words.first(where: { $0.kind == .suspected }) {
            result.firstSuspicions.append(first.at - killed)
        }
        result.deaths += dead
        result.allDead.append(dead.max() ?? 0)
        let started = monotonicSeconds()
        try clan.start(victim)
        let isBack = try await clan.wait(since: started, seconds: 90) { words in
            Set(words.filter { $0.kind == .joined && $0.subject == victim }.map(\.observer)).count == others
        }
        guard isBack else { throw ChildFailure(description: "\(clan.contender): g\(victim) is not back for all") }
        let heard = clan.words(since: started).filter { $0.kind == .joined && $0.subject == victim }.map(\.at).sorted()
        let part = heard[min(Int((Double(heard.count) * 0.99).rounded(.up)), heard.count) - 1]
        result.returns.append(part - heard[0])
        try await Task.sleep(for: .seconds(5))
    }
}

extension Spread {
    /// With one digit behind the point.
    fileprivate var text1: String { "\(median.text(1)) (\(least.text(1))–\(most.text(1)))" }
}
