import Environment

/// How many readings a device may hand on: a token bucket.
package struct Quota: Hashable, Sendable {
    /// Above 0.
    package let readingsPerSecond: Double
    /// Readings that may come at once after a rest; at least 1.
    package let burst: Int

    /// `burst` is ten seconds' worth where `nil`.
    package init(readingsPerSecond: Double, burst: Int? = nil) {
        precondition(readingsPerSecond > 0 && readingsPerSecond.isFinite, "quota of \(readingsPerSecond) readings/s")
        self.readingsPerSecond = readingsPerSecond
        self.burst = max(1, burst ?? Int(min(readingsPerSecond * 10, 1e9).rounded(.up)))
    }
}

/// What a device's configuration says beside where its messages come from.
package struct DevicePolicy: Hashable, Sendable {
    /// A device silent for longer is stale; `nil` where silence is normal.
    package let expectedInterval: Duration?
    /// `nil` for no limit but the gateway's own.
    package let quota: Quota?
    package let priority: Priority

    package init(expectedInterval: Duration? = nil, quota: Quota? = nil, priority: Priority = .ordinary) {
        self.expectedInterval = expectedInterval
        self.quota = quota
        self.priority = priority
    }
}

/// The tokens of a ``Quota``. A message passes whole or not at all; one larger than the burst passes when the bucket is full.
struct TokenBucket: Sendable {
    private let quota: Quota
    private var tokens: Double
    private var filledAt: MonotonicInstant

    init(_ quota: Quota, now: MonotonicInstant) {
        self.quota = quota
        tokens = Double(quota.burst)
        filledAt = now
    }

    mutating func take(_ count: Int, now: MonotonicInstant) -> Bool {
        if now > filledAt {
            let seconds = Double(now.nanoseconds - filledAt.nanoseconds) / 1e9
            tokens = min(Double(quota.burst), tokens + seconds * quota.readingsPerSecond)
            filledAt = now
        }
        guard tokens >= Double(min(count, quota.burst)) else { return false }
        tokens -= Double(count)
        return true
    }
}
