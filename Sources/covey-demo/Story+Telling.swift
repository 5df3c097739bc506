import TestKit

/// Lines with their time, the table, and waiting that ends when the end is asked for.
extension Story {
    func tell(_ text: String) {
        let time = (ContinuousClock.now - start).components.seconds
        let second = time % 60
        say("\(padded("\(time / 60)", 3)):\(second < 10 ? "0" : "")\(second)  \(text)")
        isSpaced = false
    }

    /// Lines with an empty one before and behind them.
    func block(_ lines: [String]) {
        say((isSpaced ? "" : "\n") + lines.joined(separator: "\n") + "\n")
        isSpaced = true
    }

    func seconds(since instant: ContinuousClock.Instant) -> String {
        let tenths = (ContinuousClock.now - instant) / .milliseconds(100)
        return "\(tenths.rounded() / 10) s"
    }

    /// Polls `condition`; shows the table now and then; throws where a gateway ends that should run. `dead`: the one that should not.
    func wait(_ what: String, but dead: Node? = nil, until condition: () async throws -> Bool) async throws {
        let limit = ContinuousClock.now + Self.patience
        while try await !condition() {
            try await end.pause(.milliseconds(250))
            for node in nodes where node !== dead && !node.isRunning {
                throw ChildFailure(
                    description: "\(node.name) ended:\n" + node.log.suffix(10).joined(separator: "\n"))
            }
            if ContinuousClock.now > limit {
                throw ChildFailure(description: "waited too long for \(what)")
            }
            if ContinuousClock.now - lastTable > Self.tablePause { try await table(but: dead) }
        }
    }

    func rest(_ duration: Duration) async throws {
        let wake = ContinuousClock.now + duration
        try await wait("nothing") { ContinuousClock.now >= wake }
    }

    /// A line for each gateway.
    func table(withWords: Bool = false, but dead: Node? = nil) async throws {
        var lines = [row("GATEWAY", "STATE", ["STORED", "UNSENT", "ARRIVED"] + nodes.map { "by \($0.name)" })]
        for node in nodes {
            let status = await node.status()
            let state = node.isRunning ? status == nil ? "busy" : "runs" : "killed"
            let stored = status.map { "\($0.ledger.stored)" } ?? "-"
            let unsent = status.flatMap { $0.ledger.sinks["receiver"] }.map { "\($0.pending)" } ?? "-"
            let arrived = tally.count(of: node.name)
            let bringers = nodes.map { tally.count(of: node.name, by: $0.name) }
            lines.append(
                row(node.name, state, [stored, unsent, "\(arrived)"] + bringers.map { $0 == 0 ? "." : "\($0)" }))
        }
        if withWords {
            lines += [
                "", "  STORED   readings of its own sensors on its disk, all of them acknowledged",
                "  UNSENT   those of them of which it does not know that the receiver has them",
                "  ARRIVED  those at the receiver, each counted once, and by way of which gateway:",
                "           others send for one that is dead, or that cannot send itself just now",
            ]
        }
        block(lines)
        lastTable = .now
        if end.isAsked { throw EndSignal.Asked() }
    }

    private func row(_ name: String, _ state: String, _ numbers: [String]) -> String {
        "  \(name)\(spaces(9 - name.count))\(state)\(spaces(7 - state.count))"
            + numbers.map { padded($0, 10) }.joined()
    }

    private func padded(_ text: String, _ width: Int) -> String { spaces(width - text.count) + text }
    private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
}
