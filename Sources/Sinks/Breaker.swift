package import Environment
import Model

/// Whether a sink may be tried now.
package enum BreakerState: String, Hashable, Sendable {
    /// Sends flow, four at a time; after a failure they pause.
    case closed
    /// Too many failures in a row: nothing is sent before the pause is over.
    case open
    /// One probe at a time, until one is accepted.
    case halfOpen = "half-open"
}

/// Circuit breaker with exponential back-off and full jitter.
///
/// | state | accepted | refused | failed |
/// |---|---|---|---|
/// | closed | reset | - | pause; open at the limit |
/// | half-open | reset, close | next probe | pause, open |
/// | open (a send from before) | - | - | lengthen the pause where the sink says so |
///
/// A send that began before the latest failure says nothing new: four sends that fail together are one failure.
package struct Breaker: Hashable, Sendable {
    package private(set) var state = BreakerState.closed
    /// Failures in a row.
    private(set) var failures = 0
    private(set) var lastError: String?
    /// Nothing is sent before this; `nil` where nothing holds it back.
    package private(set) var retryAt: MonotonicInstant?
    /// Rises with each failure; a send carries the epoch that it began in.
    private(set) var epoch: UInt64 = 0
    private(set) var probe: SendID?
    private(set) var isAlarmed = false
    /// The sink itself wishes for peace until then; the rest of the pause is this gateway's own.
    private var askedUntil: MonotonicInstant?
    /// When a pause was last cut short.
    private var heartenedAt: MonotonicInstant?

    private let settings: UploadSettings

    init(settings: UploadSettings) {
        self.settings = settings
    }

    /// Whether it is worth a try now: the sink was not in trouble when it was tried last, or the pause since is over.
    package func isReachable(at now: MonotonicInstant) -> Bool { state != .open || retryAt.map { $0 <= now } ?? true }

    /// Whether a send may begin now. Turns an open breaker half-open when the pause is over.
    mutating func permits(at now: MonotonicInstant) -> Bool {
        if let retryAt, now < retryAt { return false }
        retryAt = nil
        if state == .open { state = .halfOpen }
        return state == .closed || probe == nil
    }

    mutating func began(_ id: SendID) {
        if state == .halfOpen { probe = id }
    }

    /// The probe came back, whatever it says.
    mutating func ended(_ id: SendID) {
        if probe == id { probe = nil }
    }

    /// Returns `true` where an alarm is over.
    mutating func accepted(epoch sendEpoch: UInt64) -> Bool {
        guard sendEpoch == epoch else { return false }
        defer { isAlarmed = false }
        state = .closed
        failures = 0
        retryAt = nil
        probe = nil
        lastError = nil
        return isAlarmed
    }

    /// Somebody else has just reached the sink: then it is worth a try here too, soon, though not within the time for which the sink asked
    /// for peace. Where the way is cut for this gateway alone, others' success costs it no more than one try in the longest pause.
    mutating func hearten(now: MonotonicInstant) {
        let soon = now.advanced(by: settings.heartening)
        let earliest = max(soon, askedUntil ?? soon)
        guard state == .open, let until = retryAt, until > earliest else { return }
        if let last = heartenedAt, last.advanced(by: settings.backOffCap) > now { return }
        heartenedAt = now
        retryAt = earliest
    }

    /// The sink, or the way to it, is at fault. Returns `true` where this is news worth an alarm.
    mutating func failed(
        _ reason: String, retryAfter: Duration?, epoch sendEpoch: UInt64, opens: Bool = false,
        now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) -> Bool {
        let asked = retryAfter.map { now.advanced(by: min(max($0, .zero), settings.retryAfterCap)) }
        if sendEpoch < epoch, !opens {
            if let asked {
                retryAt = max(retryAt ?? asked, asked)
                askedUntil = max(askedUntil ?? asked, asked)
            }
            return false
        }
        epoch += 1
        failures = min(failures + 1, 1_000_000)
        lastError = reason
        let doubled = settings.backOffBase * (1 << min(failures - 1, 20))
        let ceiling = max(min(doubled, settings.backOffCap).nanoseconds, 1)
        let jittered = now.advanced(by: .nanoseconds(Int64.random(in: 0..<ceiling, using: &rng)))
        retryAt = max(jittered, asked ?? jittered)
        askedUntil = asked
        if opens || state == .halfOpen || failures >= settings.failuresToOpen { state = .open }
        // One reading alone that is refused opens the breaker for a moment; that is not yet worth an alarm.
        guard state == .open, failures > 1, !isAlarmed else { return false }
        isAlarmed = true
        return true
    }
}

/// At most so many readings per second, averaged over one second. A chunk may overdraw it; the next then waits.
struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private var tokens: Double
    private var at: MonotonicInstant?

    init(readingsPerSecond: Int) {
        rate = Double(max(readingsPerSecond, 1))
        tokens = rate
    }

    /// `nil` where a send may begin now, else when one may.
    mutating func waitUntil(_ now: MonotonicInstant) -> MonotonicInstant? {
        if let at, at < now { tokens = min(rate, tokens + at.duration(to: now).inSeconds * rate) }
        at = now
        return tokens > 0 ? nil : now.advanced(by: .nanoseconds(Int64((-tokens / rate * 1e9).rounded(.up)) + 1))
    }

    mutating func take(_ count: Int) {
        tokens -= Double(count)
    }
}
