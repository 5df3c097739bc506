package import Environment
import Model
import RingLog

/// What the flash has had to bear from a ring since it was made, in all the processes that wrote to it.
package struct Wear: Hashable, Sendable {
    /// Written, merged blocks and fill included.
    package var bytes: UInt64 = 0
    /// Commits that became durable; each is one `fdatasync`.
    package var syncs: UInt64 = 0
    /// How long those processes ran. Time between them is not in it: a gateway that is off writes nothing.
    package var seconds: UInt64 = 0

    package init() {}

    /// A rate over less says nothing: a ring is filled with zeros at its start.
    private static let leastSeconds: UInt64 = 600

    /// `nil` in the first ten minutes of a ring.
    package var bytesPerDay: Double? {
        seconds < Self.leastSeconds ? nil : Double(bytes) / Double(seconds) * 86_400
    }

    /// How many years a card lasts in all that may be written to so many bytes; `nil` where there is no rate yet.
    package func years(endurance: Int64) -> Double? {
        bytesPerDay.flatMap { $0 > 0 ? Double(endurance) / $0 / 365.25 : nil }
    }
}

extension Wear {
    /// Three varints. Another length is no record.
    init?(_ record: [UInt8]) {
        var rest = record[...]
        guard let bytes = takeVarint(&rest), let syncs = takeVarint(&rest), let seconds = takeVarint(&rest) else {
            return nil
        }
        guard rest.isEmpty else { return nil }
        (self.bytes, self.syncs, self.seconds) = (bytes, syncs, seconds)
    }

    var record: [UInt8] {
        var record: [UInt8] = []
        for value in [bytes, syncs, seconds] { record.append(varint: value) }
        return record
    }
}

extension GatewayCore {
    /// As of `now`. What a process wrote after its last counts were kept, seconds' worth of it, is missing after a crash.
    package func wear(now: MonotonicInstant) -> Wear {
        var wear = earlierWear
        wear.bytes += UInt64(ring.bytesWritten)
        wear.syncs += UInt64(ring.commits)
        wear.seconds += UInt64(max(0, startedAt.duration(to: now).components.seconds))
        return wear
    }
}
