import Glibc
import Simulator

/// One line that is written over and over, and a line for every failure.
final class Progress {
    private let total: Int
    private let isQuiet: Bool

    init(total: Int, isQuiet: Bool) {
        self.total = total
        self.isQuiet = isQuiet
    }

    func show(_ history: History, _ tally: Tally, elapsed: Double, options: RunOptions) {
        guard !isQuiet else { return }
        if let failure = history.failures.first {
            clear()
            print("seed \(history.seed) breaks \(failure)")
            print("  \(replayCommand(history.seed, options))")
        }
        guard isatty(STDERR_FILENO) == 1, tally.histories % 5 == 0 || tally.histories == total else { return }
        let line =
            "\r\(tally.histories)/\(total) histories, \(simulatedText(tally.simulated)) simulated, "
            + "\(Int(Double(tally.events) / max(elapsed, 0.001))) events/s, \(tally.failed.count) failed   "
        tell(line)
    }

    private func clear() {
        if isatty(STDERR_FILENO) == 1 { tell("\r\u{1B}[K") }
    }
}

func tell(_ text: String) { _ = write(STDERR_FILENO, text, text.utf8.count) }

func replayCommand(_ seed: UInt64, _ options: RunOptions) -> String {
    (["covey-sim", "replay", "\(seed)"] + options.arguments).joined(separator: " ")
}

/// Simulated nanoseconds in words that people can weigh: `3.2 days`.
func simulatedText(_ nanoseconds: Int64) -> String {
    let seconds = Double(nanoseconds) / 1e9
    let units: [(name: String, seconds: Double)] = [
        ("years", 365.25 * 86_400), ("days", 86_400), ("hours", 3600), ("minutes", 60),
    ]
    for unit in units where seconds >= unit.seconds { return "\(tenths(seconds / unit.seconds)) \(unit.name)" }
    return "\(tenths(seconds)) s"
}

func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

func printSummary(_ tally: Tally, _ elapsed: Double) {
    let simulated = Double(tally.simulated) / 1e9
    if isatty(STDERR_FILENO) == 1 { tell("\n") }
    print(
        "\(tally.histories) histories in \(tenths(elapsed)) s: \(simulatedText(tally.simulated)) of sites, "
            + "\(simulatedText(tally.gatewayTime)) of gateways, \(tally.readings) readings")
    print(
        "\(Int(Double(tally.events) / elapsed)) events/s, \(Int(simulated / elapsed)) times real time; "
            + "\(tally.failed.count) failed")
    print("faults that struck:")
    for kind in FaultKind.allCases {
        let count = tally.coverage[kind.rawValue]
        let name = kind.name + String(repeating: " ", count: max(1, 22 - kind.name.count))
        print("  \(name)\(count == 0 ? "never" : "\(count)")")
    }
}

func printJSON(_ tally: Tally, _ elapsed: Double, _ options: RunOptions) {
    let faults = FaultKind.allCases.map { "\"\($0.name)\":\(tally.coverage[$0.rawValue])" }.joined(separator: ",")
    let failures = tally.failed.map { history in
        let command = replayCommand(history.seed, options)
        let property = history.failures[0].property.name
        return "{\"seed\":\(history.seed),\"property\":\"\(property)\",\"replay\":\"\(command)\"}"
    }
    print(
        "{\"histories\":\(tally.histories),\"simulatedSeconds\":\(tally.simulated / 1_000_000_000),"
            + "\"elapsedSeconds\":\(elapsed),\"events\":\(tally.events),\"readings\":\(tally.readings),"
            + "\"faults\":{\(faults)},\"failures\":[\(failures.joined(separator: ","))]}")
}
