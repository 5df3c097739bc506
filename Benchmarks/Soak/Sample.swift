import BenchmarkKit
import TestKit

/// One minute of a soak.
struct Sample {
    let residentMiB: Double
    let privateMiB: Double
    /// Part of one core, in per cent.
    let cpu: Double
    /// Durable readings per second.
    let rate: Double
    /// Seconds from the publisher to durability; `nil` where no probe came through.
    let latency: Spread?
    let pending: Int
    let isBalanced: Bool

    var text: String {
        let latency = latency.map { "\($0.median.text(2)) s, p99 \($0.quantile(0.99).text(2)) s" } ?? "nothing came"
        return
            "RSS \(residentMiB.text(1)) MiB (\(privateMiB.text(1)) private), CPU \(cpu.text(2)) %, "
            + "\(rate.text()) readings/s, durable after p50 \(latency), \(pending) pending, "
            + (isBalanced ? "balanced" : "NOT BALANCED")
    }
}

/// Makes samples of what has gone on since the one before.
struct Meter {
    private var usage: Usage
    private var stored: Int
    private var at: Double

    init(usage: Usage, status: Status, at moment: Double) {
        self.usage = usage
        stored = status.ledger.stored
        at = moment
    }

    mutating func sample(usage now: Usage, status: Status, latencies: [Double], at moment: Double) -> Sample {
        defer {
            usage = now
            stored = status.ledger.stored
            at = moment
        }
        return Sample(
            residentMiB: Double(now.residentKiB) / 1024, privateMiB: Double(now.privateKiB) / 1024,
            cpu: (now.cpu - usage.cpu) / (moment - at) * 100,
            rate: Double(status.ledger.stored - stored) / (moment - at),
            latency: latencies.isEmpty ? nil : Spread(latencies),
            pending: status.ledger.pending, isBalanced: status.isBalanced)
    }
}

extension Status {
    /// Both equations.
    var isBalanced: Bool { ledger.balanced && ledger.balances }
}
