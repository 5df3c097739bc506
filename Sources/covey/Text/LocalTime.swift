import Glibc
import Model

/// Times as the person's clock shows them (`TZ`, or the system's zone).
struct LocalTime {
    private let fields: tm
    private let millisecond: Int

    init(_ time: Milliseconds) {
        let milliseconds = time.rawValue
        var seconds = time_t(milliseconds / 1000)
        var rest = Int(milliseconds % 1000)
        if rest < 0 {
            seconds -= 1
            rest += 1000
        }
        var fields = tm()
        tzset()
        localtime_r(&seconds, &fields)
        self.fields = fields
        millisecond = rest
    }

    /// Seconds east of UTC at that time.
    var offset: Int { fields.tm_gmtoff }

    /// `2026-11-21 08:15:30`.
    var full: String { "\(date) \(clock)" }

    /// To the millisecond: `08:15:30.125` on the day of `now`, else `2026-11-20 08:15:30.125`.
    func precise(now: Milliseconds) -> String {
        let clock = "\(clock).\(digits(millisecond, 3))"
        return date == LocalTime(now).date ? clock : "\(date) \(clock)"
    }

    /// As short as it is clear: `08:15:30` on the day of `now`, `11-21 08:15` in the same year, else `2025-11-21`.
    func brief(now: Milliseconds) -> String {
        let today = LocalTime(now)
        if date == today.date { return clock }
        return fields.tm_year == today.fields.tm_year ? "\(date.dropFirst(5)) \(clock.dropLast(3))" : date
    }

    /// How long ago, where that says more than the clock: `3 s ago` within the last minute, else as ``brief(now:)``.
    static func ago(_ time: Milliseconds, now: Milliseconds) -> String {
        let seconds = now.rawValue.subtractingReportingOverflow(time.rawValue).partialValue / 1000
        if time <= now, (0..<60).contains(seconds) { return seconds == 0 ? "now" : "\(seconds) s ago" }
        return LocalTime(time).brief(now: now)
    }

    private var date: String {
        "\(digits(Int(fields.tm_year) + 1900, 4))-\(digits(Int(fields.tm_mon) + 1, 2))-\(digits(Int(fields.tm_mday), 2))"
    }

    private var clock: String {
        [fields.tm_hour, fields.tm_min, fields.tm_sec].map { digits(Int($0), 2) }.joined(separator: ":")
    }

    private func digits(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

extension Milliseconds {
    static var now: Milliseconds {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Milliseconds(Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Reads what `--since` and `--until` take: `now`, a duration back from now (`1h`, `15 min`), or an ISO time,
    /// local where it names no zone. Throws what to write instead.
    static func moment(_ text: String, now: Milliseconds) throws(Failure) -> Milliseconds {
        if text == "now" { return now }
        if let ago = Duration(text: text), ago >= .zero {
            return Milliseconds(now.rawValue - ago.nanoseconds / 1_000_000)
        }
        if let utc = Milliseconds(iso8601: text) {
            // Twice, because the offset that counts is the one at the local time, not at the same digits in UTC.
            let guess = Milliseconds(iso8601: text, defaultOffset: LocalTime(utc).offset) ?? utc
            return Milliseconds(iso8601: text, defaultOffset: LocalTime(guess).offset) ?? guess
        }
        throw Failure(.wrongCall, "\"\(text)\" is no time; write 1h, 15 min, now or 2026-11-21T08:15")
    }
}
