// Pure.
package import Environment
package import Model

/// A moment that orders writes of all members: 48 bits of wall-clock milliseconds, 16 bits that count within one of
/// them.
package struct HybridTime: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Walls before 1970 and after the year 10,000 are cut.
    package init(_ wall: Milliseconds) {
        rawValue = UInt64(min(max(wall.rawValue, 0), 253_402_300_800_000)) << 16
    }

    package static func < (left: HybridTime, right: HybridTime) -> Bool { left.rawValue < right.rawValue }

    /// The least later moment; the last one stays.
    package var next: HybridTime { HybridTime(rawValue == .max ? .max : rawValue + 1) }
}

/// A hybrid logical clock of bounded skew: it follows remote clocks only up to `mostSkew` beyond our own wall, where
/// that is known.
package struct HybridClock: Sendable {
    private let mostSkew: Int64
    private var last = HybridTime(0)
    private var wall: (time: Milliseconds, at: MonotonicInstant)?

    package init(mostSkew: Duration) {
        self.mostSkew = mostSkew.nanoseconds / 1_000_000
    }

    /// Takes note of the wall; a clock that is too far ahead of it, having followed others while it knew none, is set
    /// back.
    package mutating func set(wall time: Milliseconds, now: MonotonicInstant) {
        wall = (time, now)
        if let horizon = horizon(now), last > horizon { last = HybridTime(time) }
    }

    /// The moment of a write, later than `seen`: even a timestamp from the far future can be written over, yet the
    /// clock does not follow it.
    package mutating func stamp(after seen: HybridTime?, now: MonotonicInstant) -> HybridTime {
        last = max(last.next, estimate(now).map(HybridTime.init(_:)) ?? HybridTime(0))
        guard let seen, seen >= last else { return last }
        _ = follow(seen.next, now: now)
        return seen.next
    }

    /// `false` where `time` is too far ahead to be followed.
    package mutating func follow(_ time: HybridTime, now: MonotonicInstant) -> Bool {
        if let horizon = horizon(now), time > horizon { return false }
        last = max(last, time)
        return true
    }

    private func estimate(_ now: MonotonicInstant) -> Milliseconds? {
        wall.map { Milliseconds($0.time.rawValue &+ (now.nanoseconds &- $0.at.nanoseconds) / 1_000_000) }
    }

    private func horizon(_ now: MonotonicInstant) -> HybridTime? {
        estimate(now).map { HybridTime(Milliseconds($0.rawValue &+ mostSkew)) }
    }
}
