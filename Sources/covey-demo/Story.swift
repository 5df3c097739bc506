import Glibc
import TestKit

/// What happens in the demonstration, again and again: the receiver goes, a gateway is killed, the others notice, the receiver comes back
/// and gets from them what the dead one had acknowledged; then the dead one returns. Each step waits for what it tells.
final class Story {
    let nodes: [Node]
    let receiver: HTTPReceiver
    let port: Int
    let tally: Tally
    let end: EndSignal
    let start = ContinuousClock.now
    /// No reading that was acknowledged has been missed so far.
    private(set) var isFlawless = true
    var lastTable = ContinuousClock.now
    /// The line that was written last is empty.
    var isSpaced = false

    /// Far beyond what any step takes on a slow and busy machine.
    static let patience = Duration.seconds(300)
    /// Between two tables while nothing else is told.
    static let tablePause = Duration.seconds(10)
    /// So many readings of one gateway wait for the receiver before that is killed. Many more would take so long that the pauses after
    /// failed uploads grow beyond what a person likes to watch.
    static let backlog = 60
    /// A survivor that sends goes on at once: when nothing came for so long, it has no more.
    static let stillness = Duration.seconds(15)
    /// A gateway that returns leaves its older log alone for 10 s, to learn what others have sent of it; only then could it send it again.
    static let aftermath = Duration.seconds(20)

    init(nodes: [Node], receiver: HTTPReceiver, port: Int, tally: Tally, end: EndSignal) {
        self.nodes = nodes
        self.receiver = receiver
        self.port = port
        self.tally = tally
        self.end = end
    }

    /// Returns never: it throws what goes wrong, or ``EndSignal/Asked``.
    func tell() async throws {
        try await gather()
        for round in 0... {
            try await act(victim: nodes[round % nodes.count])
            tell("Next: the same with \(nodes[(round + 1) % nodes.count].name).")
            try await rest(.seconds(10))
        }
    }

    private func gather() async throws {
        try await wait("the gateways to start") { nodes.allSatisfy(\.isReady) }
        tell("The three run, and look for each other where they were told to.")
        try await wait("the gateways to find each other") {
            for node in nodes {
                let peers = await node.peers() ?? []
                guard peers.filter({ $0.state == "alive" }).count == nodes.count - 1 else { return false }
            }
            return true
        }
        tell("Each of them sees the two others alive: the covey is complete.")
        try await wait("readings at the receiver") { nodes.allSatisfy { tally.count(of: $0.name) >= 30 } }
        tell("What \(nodes[0].name) measures (covey latest):")
        let latest = try await nodes[0].run(["latest", "--socket", nodes[0].socket])
        block(latest.map { "  \($0)" })
        try await table(withWords: true)
        try await rest(.seconds(5))
    }

    private func act(victim: Node) async throws {
        let survivors = nodes.filter { $0 !== victim }
        try await cutOff(victim)
        let doubles = tally.doubles(of: victim.name)
        let process = victim.processID
        await victim.kill()
        let death = ContinuousClock.now
        let stored = try await victim.onDisk()
        guard !stored.isEmpty else {
            throw ChildFailure(description: "nothing could be read on the disk of \(victim.name)")
        }
        let waiting = tally.missing(of: stored)
        tell("kill -9 \(process): \(victim.name) is dead, in the middle of its work.")
        tell("On its disk lie \(stored.count) readings that it had acknowledged;")
        tell("\(waiting.count) of them have not reached the receiver.")
        try await watchDeath(of: victim, by: survivors, since: death)
        try await receiver.start(port: port)
        tell("The receiver is back; \(victim.name) is not. The others try it again after")
        tell("pauses, which grew while it was away.")
        try await watchTakeover(from: victim, by: survivors, of: waiting)
        try await comeBack(victim, survivors, waiting: waiting)
        try await judge(victim, stored: stored, doubles: tally.doubles(of: victim.name) - doubles)
    }

    private func cutOff(_ victim: Node) async throws {
        await receiver.stop()
        tell("The receiver goes away: its port is closed. The gateways go on storing.")
        try await wait("readings to pile up") {
            guard let sinks = await victim.status()?.ledger.sinks else { return false }
            return sinks["receiver"]?.pending ?? 0 >= Self.backlog
        }
        try await table()
    }

    /// Tells each change that a survivor sees in the dead one.
    private func watchDeath(of victim: Node, by survivors: [Node], since death: ContinuousClock.Instant) async throws {
        var seen: [String: String] = [:]
        try await wait("the others to notice", but: victim) {
            for node in survivors where seen[node.name] != "dead" {
                guard let state = await node.peers()?.first(where: { $0.name == victim.name })?.state else { continue }
                guard state != seen.updateValue(state, forKey: node.name) else { continue }
                let time = "\(seconds(since: death)) after the kill"
                switch state {
                case "suspect": tell("\(node.name): no answer from \(victim.name), suspect (\(time))")
                case "dead": tell("\(node.name): \(victim.name) did not object, so it is dead (\(time))")
                default: break
                }
            }
            return survivors.allSatisfy { seen[$0.name] == "dead" }
        }
    }

    private func watchTakeover(from victim: Node, by survivors: [Node], of waiting: [Tally.Key]) async throws {
        let begin = ContinuousClock.now
        var announced: Set<String> = []
        var best = (count: 0, at: ContinuousClock.now)
        try await wait("a survivor to take over", but: victim) {
            let bringers = tally.bringers(of: waiting)
            for node in survivors where bringers[node.name] != nil {
                guard announced.insert(node.name).inserted else { continue }
                tell("\(node.name) sends what \(victim.name) left (\(seconds(since: begin)) after the return)")
            }
            let count = bringers.values.reduce(0, +)
            if count > best.count { best = (count, .now) }
            let isStill = ContinuousClock.now - best.at > Self.stillness
            return count == waiting.count || isStill && count > 0
        }
        for (name, count) in tally.bringers(of: waiting).sorted(by: { $0.key < $1.key }) {
            tell("Of \(victim.name)'s \(waiting.count) waiting readings, \(name) has brought \(count).")
        }
        let rest = tally.missing(of: waiting).count
        if rest > 0 { tell("\(rest) newest had no copy yet: they lie on \(victim.name)'s own disk.") }
        try await table(but: victim)
    }

    private func comeBack(_ victim: Node, _ survivors: [Node], waiting: [Tally.Key]) async throws {
        try victim.start()
        try await wait("\(victim.name) to start") { victim.isReady }
        tell("\(victim.name) is started again, with its old disk.")
        let before = tally.count(of: victim.name, by: victim.name)
        try await wait("the others to see \(victim.name)") {
            for node in survivors {
                let peers = await node.peers() ?? []
                guard peers.contains(where: { $0.name == victim.name && $0.state == "alive" }) else { return false }
            }
            return true
        }
        tell("The others see it alive. The broker has kept its sensors' messages.")
        try await wait("\(victim.name) to take its duty back") {
            tally.count(of: victim.name, by: victim.name) > before
        }
        tell("\(victim.name) sends its own readings again: it has taken its duty back.")
        tell("Its older log it leaves alone for 10 s, to learn what others sent of it.")
        try await rest(Self.aftermath)
    }

    private func judge(_ victim: Node, stored: [Tally.Key], doubles: Int) async throws {
        var isComplete = true
        var most = (count: 0, at: ContinuousClock.now)
        try await wait("the last readings") {
            let missing = tally.missing(of: stored).count
            if stored.count - missing > most.count { most = (stored.count - missing, .now) }
            isComplete = missing == 0
            return isComplete || ContinuousClock.now - most.at > Self.patience / 2
        }
        try await table()
        let missing = tally.missing(of: stored).count
        tell("Acknowledged by \(victim.name) before it died: \(stored.count) readings.")
        tell("At the receiver: \(stored.count - missing) of them, \(missing) missing.")
        let word = doubles == 0 ? "" : " (known by their number, kept once)"
        tell("Since then \(doubles) of its readings came a second time\(word).")
        if !isComplete {
            isFlawless = false
            tell("Readings are missing: this is a fault of the gateway.")
        }
    }
}
