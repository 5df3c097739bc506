import Synchronization
import TestKit

/// What the receiver got: whose readings, which of them, and by way of whom. A byte for each reading, so that the demonstration may run
/// for days.
final class Tally: Sendable {
    /// A reading's number in a log.
    struct Key: Hashable, Sendable {
        let log: String
        let offset: Int
    }

    private struct State {
        /// By log: for each offset 0, or 1 + the place of who brought it among `names`.
        var logs: [String: [UInt8]] = [:]
        /// By the gateway that measured, then by the one that brought it.
        var counts: [String: [String: Int]] = [:]
        var doubles: [String: Int] = [:]
    }

    private let names: [String]
    private let state = Mutex(State())

    init(names: [String]) {
        self.names = names
    }

    /// A request of ``HTTPReceiver``: says how many of its readings are new.
    func take(_ batch: [ReceivedReading], headers: [String: String]) -> Int {
        let bringer = headers["x-brought-by"] ?? ""
        let mark = UInt8(names.firstIndex(of: bringer).map { $0 + 1 } ?? names.count + 1)
        return state.withLock { state in
            var new = 0
            for reading in batch {
                let offset = Int(reading.offset)
                let missing = offset + 1 - state.logs[reading.log, default: []].count
                if missing > 0 { state.logs[reading.log, default: []] += Array(repeating: 0, count: missing) }
                if state.logs[reading.log]?[offset] == 0 {
                    state.logs[reading.log]?[offset] = mark
                    state.counts[reading.gateway, default: [:]][bringer, default: 0] += 1
                    new += 1
                } else {
                    state.doubles[reading.gateway, default: 0] += 1
                }
            }
            return new
        }
    }

    /// Those of `keys` that are here, by who brought them.
    func bringers(of keys: [Key]) -> [String: Int] {
        state.withLock { state in
            var counts: [String: Int] = [:]
            for key in keys {
                guard let log = state.logs[key.log], key.offset < log.count, log[key.offset] > 0 else { continue }
                let place = Int(log[key.offset]) - 1
                counts[place < names.count ? names[place] : "?", default: 0] += 1
            }
            return counts
        }
    }

    /// Those of `keys` that are not here.
    func missing(of keys: [Key]) -> [Key] {
        state.withLock { state in
            keys.filter { key in
                guard let log = state.logs[key.log], key.offset < log.count else { return true }
                return log[key.offset] == 0
            }
        }
    }

    /// Distinct readings of `gateway` that `bringer` brought; of all who brought any where it is `nil`.
    func count(of gateway: String, by bringer: String? = nil) -> Int {
        state.withLock { state in
            let counts = state.counts[gateway] ?? [:]
            return bringer.map { counts[$0] ?? 0 } ?? counts.values.reduce(0, +)
        }
    }

    /// Readings of `gateway` that came again.
    func doubles(of gateway: String) -> Int { state.withLock { $0.doubles[gateway] ?? 0 } }
}
