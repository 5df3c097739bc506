package import Environment

/// Keeps the log readable: one line for each source and interval, which says how many came in between.
package struct RejectionLimiter: Hashable, Sendable {
    private let interval: Duration
    private var reportedAt: MonotonicInstant?
    private var suppressed = 0

    package init(interval: Duration = .seconds(60)) {
        self.interval = interval
    }

    /// Counts `count` rejections that happened now. Gives how many were passed over in silence since the last report where it is time for
    /// another one (the first is reported at once), and `nil` where it is not.
    package mutating func admit(_ count: Int = 1, now: MonotonicInstant) -> Int? {
        guard count > 0 else { return nil }
        if let reportedAt, reportedAt.duration(to: now) < interval {
            suppressed += count
            return nil
        }
        defer { suppressed = 0 }
        reportedAt = now
        return suppressed + count - 1
    }

    /// How many were passed over in silence, where it is time to say so although nothing new came; `nil` where nothing is to be said.
    package mutating func overdue(now: MonotonicInstant) -> Int? {
        guard suppressed > 0, let last = reportedAt, last.duration(to: now) >= interval else { return nil }
        defer { suppressed = 0 }
        reportedAt = now
        return suppressed
    }
}
