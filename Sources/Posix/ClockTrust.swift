import CCovey
import Glibc

/// Who is believed when the wall clock is asked whether it is right. A board without a battery-backed clock boots in 1970, or at the time
/// of its last shutdown, and only a time service can tell it better.
package enum ClockTrust: String, Sendable {
    /// The kernel says that it is synchronised; or the machine has a hardware clock or takes its time from a hypervisor, and the year
    /// is plausible.
    case auto
    /// Always right: for machines set by other means.
    case always
    /// Only the kernel's word counts (`adjtimex`).
    case ntp

    func isTrustedNow() -> Bool {
        switch self {
        case .always: true
        case .ntp: covey_kernel_clock_is_synchronised()
        case .auto: covey_kernel_clock_is_synchronised() || (Self.hasHardwareTime && Self.yearIsPlausible())
        }
    }

    private static func yearIsPlausible() -> Bool {
        time(nil) > 1_735_689_600  // 2025-01-01: earlier than this program, so surely wrong
    }

    private static let hasHardwareTime: Bool = {
        if access("/sys/class/rtc/rtc0", F_OK) == 0 { return true }
        let processor = (try? File.readText("/proc/cpuinfo", limit: 16384)) ?? ""
        return processor.contains(" hypervisor")
    }()
}
