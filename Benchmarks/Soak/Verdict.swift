import BenchmarkKit
import TestKit

/// What a soak has shown.
struct Verdict {
    let samples: [Sample]
    let status: Status
    let fleet: Fleet
    let tally: Tally
    let receiver: ReceiverSnapshot

    /// More growth than this between two thirds is a leak, not noise.
    private static let mostGrowth = 1.05
    /// The tail of the last third against that of the second, and how much of it is scheduling noise, in seconds.
    private static let mostSlower = (factor: 1.5, slack: 0.25)

    /// Prints each finding, and says whether all are good.
    func tell() -> Bool {
        var isGood = true
        for (holds, text) in [memory, ledger, arrival, latency] {
            say("\(holds ? "good" : "BAD "): \(text)")
            if !holds { isGood = false }
        }
        say(isGood ? "verdict: good" : "verdict: BAD")
        return isGood
    }

    private func third(_ number: Int) -> ArraySlice<Sample> {
        samples[(number * samples.count / 3)..<((number + 1) * samples.count / 3)]
    }

    private var memory: (Bool, String) {
        let means = [1, 2].map { number in
            third(number).reduce(0) { $0 + $1.residentMiB } / Double(third(number).count)
        }
        let most = samples.map(\.residentMiB).max() ?? 0
        return (
            means[1] <= means[0] * Self.mostGrowth,
            "RSS \(means[0].text(1)) MiB in the second third, \(means[1].text(1)) MiB in the last, "
                + "at most \(most.text(1)) MiB"
        )
    }

    private var ledger: (Bool, String) {
        let isAlwaysBalanced = samples.allSatisfy(\.isBalanced) && status.isBalanced
        let isAtRest = status.ledger.waiting == 0 && status.ledger.pending == 0
        let lost = status.ledger.dropped.values.reduce(0, +) + status.ledger.rejected.values.reduce(0, +)
        return (
            isAlwaysBalanced && isAtRest && lost == 0,
            "both equations \(isAlwaysBalanced ? "hold" : "DO NOT HOLD"); \(status.ledger.stored) stored, "
                + "\(status.ledger.duplicate) redelivered, \(lost) lost, \(status.ledger.waiting) waiting, "
                + "\(status.ledger.pending) pending"
        )
    }

    /// Every acknowledged message is at the receiver once, and no other twice.
    private var arrival: (Bool, String) {
        var (expected, missing, repeated) = (0, 0, 0)
        for publisher in 0..<Fleet.publishers {
            let counts = tally.counts(of: publisher)
            let acknowledged = fleet.acknowledgedNumbers(of: publisher)
            expected += acknowledged.count
            missing += acknowledged.count { $0 >= counts.count || counts[$0] == 0 }
            repeated += counts.count { $0 > 1 }
        }
        return (
            missing == 0 && repeated == 0 && tally.strangers == 0 && receiver.faults.isEmpty && expected > 0,
            "\(expected) messages acknowledged by the broker: \(missing) missing at the receiver, "
                + "\(repeated) there twice, \(tally.strangers) of unknown devices, "
                + "\(receiver.duplicates) sent again under the same key, "
                + "\(receiver.faults.count) faults of form"
        )
    }

    private var latency: (Bool, String) {
        let tails = [1, 2].map { number in third(number).compactMap { $0.latency?.quantile(0.99) } }
        guard !tails[0].isEmpty, !tails[1].isEmpty else { return (false, "no probe came through") }
        let (before, after) = (Spread(tails[0]).median, Spread(tails[1]).median)
        return (
            after <= before * Self.mostSlower.factor + Self.mostSlower.slack,
            "durable after p99 \(before.text(2)) s in the second third, \(after.text(2)) s in the last "
                + "(medians of minutes)"
        )
    }
}
