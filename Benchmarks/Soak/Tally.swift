import Model
import Synchronization
import TestKit

/// What the receiver got, in bits: doubles are told by their keys, and each message by publisher and number.
final class Tally: Sendable {
    fileprivate struct State {
        /// By node and log: which offsets are here.
        var offsets: [String: [UInt64]] = [:]
        /// By publisher: how often the reading with this number came, under different keys.
        var counts: [[UInt8]]
        var strangers = 0
    }

    private let state: Mutex<State>

    init(publishers: Int) {
        state = Mutex(State(counts: Array(repeating: [], count: publishers)))
    }

    /// Returns how many are new.
    func take(_ batch: [ReceivedReading]) -> Int {
        state.withLock { state in
            var new = 0
            for reading in batch {
                guard state.isNew(reading) else { continue }
                new += 1
                state.count(reading)
            }
            return new
        }
    }

    /// How often each number of a publisher came.
    func counts(of publisher: Int) -> [UInt8] { state.withLock { $0.counts[publisher] } }

    /// Readings of devices that nobody has.
    var strangers: Int { state.withLock { $0.strangers } }
}

extension Tally.State {
    fileprivate mutating func isNew(_ reading: ReceivedReading) -> Bool {
        let (word, bit) = (Int(reading.offset / 64), UInt64(1) << (reading.offset % 64))
        var bits = offsets.removeValue(forKey: reading.log) ?? []
        defer { offsets[reading.log] = bits }
        if bits.count <= word { bits += Array(repeating: 0, count: word + 1 - bits.count) }
        guard bits[word] & bit == 0 else { return false }
        bits[word] |= bit
        return true
    }

    fileprivate mutating func count(_ reading: ReceivedReading) {
        if reading.device == Probe.device { return }
        guard reading.device.hasPrefix("p"), case .number(let value) = reading.value, let number = Int(exactly: value),
            let publisher = Int(reading.device.dropFirst().prefix { $0 != "-" }), counts.indices.contains(publisher),
            number >= 0
        else {
            strangers += 1
            return
        }
        let missing = number + 1 - counts[publisher].count
        if missing > 0 { counts[publisher] += Array(repeating: 0, count: missing) }
        counts[publisher][number] = min(counts[publisher][number] + 1, 255)
    }
}
