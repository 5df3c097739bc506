import BenchmarkKit
import Synchronization
import TestKit

/// What has come to the receiver, from whose log and through whom.
final class Arrivals: Sendable {
    /// One batch.
    struct Batch: Sendable {
        /// Seconds of the monotonic clock.
        let at: Double
        /// The gateway that measured the readings, and the log that they are of.
        let gateway: String
        let log: String
        let broughtBy: String
        /// Readings in it that had come before.
        let doubles: Int
    }

    private struct State {
        var batches: [Batch] = []
        /// By log, at each offset whether it has come.
        var seen: [String: [Bool]] = [:]
        var distinct: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// Says how many are new.
    func take(_ readings: [ReceivedReading], _ headers: [String: String]) -> Int {
        guard let first = readings.first else { return 0 }
        let now = monotonicSeconds()
        return state.withLock { state in
            var new = 0
            var seen = state.seen[first.log] ?? []
            state.seen[first.log] = nil
            for reading in readings {
                let place = Int(reading.offset)
                if seen.count <= place { seen += [Bool](repeating: false, count: place + 1 - seen.count) }
                if !seen[place] { new += 1 }
                seen[place] = true
            }
            state.seen[first.log] = seen
            state.distinct[first.gateway, default: 0] += new
            state.batches.append(
                Batch(
                    at: now, gateway: first.gateway, log: first.log, broughtBy: headers["x-brought-by"] ?? "",
                    doubles: readings.count - new))
            return new
        }
    }

    /// Distinct readings that this gateway measured.
    func distinct(of gateway: String) -> Int { state.withLock { $0.distinct[gateway] ?? 0 } }

    /// The log of the newest batch that this gateway measured.
    func newestLog(of gateway: String) -> String? {
        state.withLock { state in state.batches.last { $0.gateway == gateway }?.log }
    }

    func batches(of log: String, since moment: Double) -> [Batch] {
        state.withLock { state in state.batches.filter { $0.log == log && $0.at >= moment } }
    }
}
