import Model

/// Pauses that grow with each failure in a row.
package struct Backoff: Hashable, Sendable {
    package enum Jitter: Hashable, Sendable {
        /// Exactly the computed pause: for tests.
        case none
        /// Evenly between zero and the computed pause, so that what failed together does not return together.
        case full
    }

    /// Upper bound of the first pause; zero or more.
    package let initial: Duration
    /// No pause is longer.
    package let maximum: Duration
    /// Each further pause is this many times longer; 1 or more.
    package let factor: Double
    package let jitter: Jitter
    /// A run of at least this length ends the series: the next pause is ``initial`` again.
    package let stableAfter: Duration

    package init(
        initial: Duration = .milliseconds(100), maximum: Duration = .seconds(30), factor: Double = 2,
        jitter: Jitter = .full, stableAfter: Duration = .seconds(60)
    ) {
        precondition(
            initial >= .zero && maximum >= initial && factor >= 1 && stableAfter >= .zero,
            "back-off from \(initial) to \(maximum) by \(factor), stable after \(stableAfter)")
        self.initial = initial
        self.maximum = maximum
        self.factor = factor
        self.jitter = jitter
        self.stableAfter = stableAfter
    }

    /// The longest pause after `failures` earlier failures in a row: `min(maximum, initial × factor^failures)`.
    package func ceiling(after failures: Int) -> Duration {
        let limit = Double(maximum.nanoseconds)
        var pause = Double(initial.nanoseconds)
        var left = failures
        while left > 0, pause > 0, pause < limit, factor > 1 {
            pause *= factor
            left -= 1
        }
        return pause < limit ? .nanoseconds(Int64(pause)) : maximum
    }

    /// The pause to make after `failures` earlier failures in a row.
    package func pause(after failures: Int, using rng: inout some RandomNumberGenerator) -> Duration {
        let ceiling = ceiling(after: failures)
        switch jitter {
        case .none: return ceiling
        case .full: return .nanoseconds(Int64.random(in: 0...ceiling.nanoseconds, using: &rng))
        }
    }
}
