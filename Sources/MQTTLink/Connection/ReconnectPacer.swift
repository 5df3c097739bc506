import Model

/// When to try again. Pure: randomness comes in.
package struct ReconnectPacer: Sendable {
    /// Even at the luckiest draw a broker is not hammered.
    private static let shortest = Duration.milliseconds(100)

    private let settings: ReconnectSettings
    private var failures = 0

    package init(_ settings: ReconnectSettings) {
        self.settings = settings
    }

    /// Connections and attempts that failed in a row without a stable one between.
    package var failuresInRow: Int { failures }

    /// A connection or an attempt ended. `connectedFor`: how long it had been up, `nil` where it never was.
    package mutating func failed(
        connectedFor: Duration?, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        if let connectedFor, connectedFor >= settings.stableAfter { failures = 0 }
        let doublings = min(failures, 20)
        failures += 1
        let limit = min(settings.cap.nanoseconds, settings.base.nanoseconds << Int64(doublings))
        let shortest = min(Self.shortest.nanoseconds, limit)
        return .nanoseconds(Int64.random(in: shortest...max(shortest, limit), using: &generator))
    }
}
