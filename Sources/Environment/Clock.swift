package import Model

/// A moment on the monotonic clock of this process' kernel, for timers, deadlines and watchdogs only.
package struct MonotonicInstant: Hashable, Comparable, Sendable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package func advanced(by duration: Duration) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: nanoseconds + duration.nanoseconds)
    }

    /// Time from `self` to `other`; negative where `other` is earlier.
    package func duration(to other: MonotonicInstant) -> Duration { .nanoseconds(other.nanoseconds - nanoseconds) }
}

extension MonotonicInstant? {
    /// The earlier of two moments, of which either may never come.
    package func orEarlier(_ other: MonotonicInstant?) -> MonotonicInstant? {
        guard let self, let other else { return self ?? other }
        return Swift.min(self, other)
    }
}

/// The clocks of the machine, behind one seam so that a simulation can own time.
package protocol Clock: Sendable {
    /// Never goes back; does not run on while the board is suspended.
    var now: MonotonicInstant { get }
    /// The present moment as readings carry it.
    var stamp: Stamp { get }
    /// Returns at `deadline` or later; throws `CancellationError` where the task is cancelled first.
    func sleep(until deadline: MonotonicInstant) async throws
}

extension Clock {
    package func sleep(for duration: Duration) async throws {
        try await sleep(until: now.advanced(by: duration))
    }
}
