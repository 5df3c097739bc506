package import Environment
import Glibc
package import Model
import Synchronization

/// The clocks of this machine.
package final class SystemClock: Environment.Clock {
    /// The running kernel's boot id; all zeros where `/proc` does not tell.
    package let boot: BootID
    private let trusted: Atomic<Bool>
    private let rule: ClockTrust

    package init(trust rule: ClockTrust = .auto) {
        self.rule = rule
        boot = Self.readBootID()
        trusted = Atomic(rule.isTrustedNow())
    }

    package var now: MonotonicInstant { MonotonicInstant(nanoseconds: Self.nanoseconds(of: CLOCK_MONOTONIC)) }

    package var stamp: Stamp {
        let uptime = Self.nanoseconds(of: CLOCK_BOOTTIME) / 1000
        let wall = Self.nanoseconds(of: CLOCK_REALTIME) / 1000
        return Stamp(
            boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(wall - uptime),
            isTrusted: trusted.load(ordering: .relaxed))
    }

    package func sleep(until deadline: MonotonicInstant) async throws {
        let wait = deadline.nanoseconds - now.nanoseconds
        if wait > 0 {
            try await Task.sleep(nanoseconds: UInt64(wait))
        } else {
            try Task.checkCancellation()
        }
    }

    /// Asks the kernel again whether the wall clock is right; readings stamped from now on carry the answer.
    package func refreshTrust() -> Bool {
        let isTrusted = rule.isTrustedNow()
        trusted.store(isTrusted, ordering: .relaxed)
        return isTrusted
    }

    private static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func readBootID() -> BootID {
        let text = (try? File.readText("/proc/sys/kernel/random/boot_id", limit: 64)) ?? ""
        let digits = text.filter(\.isHexDigit)
        guard let id = NodeID(hex: digits) else { return BootID(high: 0, low: 0) }
        return BootID(high: id.high, low: id.low)
    }
}
