import Environment
import LogFormat
import Model

/// The clocks of one board: monotonic time that starts anew with the kernel and drifts, and a wall clock that may know nothing.
struct BoardClock {
    /// What the rest of the world takes the beginning of a history for, in microseconds since 1970.
    static let worldWall: Int64 = 1_763_700_000_000_000

    private(set) var boot: BootID
    /// Simulated nanoseconds.
    private var bootedAt: Int64
    /// Monotonic nanoseconds that had passed by then: a kernel is up for a while before anything runs.
    private let head: Int64 = 4 * SimulatedTime.second
    /// How much faster than the world's this board's crystal is.
    var driftPPM: Int64 = 0
    private(set) var isTrusted = true
    /// Wall clock minus uptime, microseconds, while nobody knows better.
    private var guess: Int64 = 0
    /// The wall clock stands still at this time, microseconds.
    private var frozen: Int64?

    init(gateway: Int) {
        boot = BootID(high: UInt64(gateway) + 1, low: 1)
        bootedAt = 0
    }

    private func monotonic(_ time: Int64) -> Int64 {
        let passed = time - bootedAt
        return head + passed + passed / 1_000_000 * driftPPM
    }

    func now(_ time: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: monotonic(time)) }

    /// The simulated moment at which this board's monotonic clock has reached `instant`.
    func moment(of instant: MonotonicInstant) -> Int64 {
        let target = instant.nanoseconds - head
        var time = bootedAt + target - target / 1_000_000 * driftPPM
        while monotonic(time) < instant.nanoseconds { time += max(1, instant.nanoseconds - monotonic(time)) }
        return time
    }

    /// The true offset of the wall clock from uptime, microseconds.
    private func trueOffset(_ time: Int64) -> Int64 { Self.worldWall + time / 1000 - monotonic(time) / 1000 }

    func stamp(_ time: Int64, jitter: Int64) -> Stamp {
        let uptime = monotonic(time) / 1000
        let offset = isTrusted ? trueOffset(time) + jitter : frozen.map { $0 - uptime } ?? guess + jitter
        return Stamp(
            boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(offset), isTrusted: isTrusted)
    }

    func anchor(_ time: Int64) -> ClockAnchor {
        ClockAnchor(boot: boot, wallOffset: Microseconds(trueOffset(time)))
    }

    /// The kernel starts anew; without a battery the wall clock begins in 1970.
    mutating func restart(at time: Int64, knowsTime: Bool) {
        boot = BootID(high: boot.high, low: boot.low + 1)
        bootedAt = time
        isTrusted = knowsTime
        guess = 0
        frozen = nil
    }

    mutating func trust() {
        isTrusted = true
        frozen = nil
    }

    /// Somebody sets the clock by hand, or the time servers are lost and the clock with them.
    mutating func jump(by microseconds: Int64, at time: Int64) {
        guess = (isTrusted ? trueOffset(time) : guess) + microseconds
        isTrusted = false
        frozen = nil
    }

    mutating func freeze(at time: Int64) {
        let uptime = monotonic(time) / 1000
        frozen = uptime + (isTrusted ? trueOffset(time) : guess)
        isTrusted = false
    }
}
