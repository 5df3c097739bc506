import Glibc
import Model

/// Time cut into windows of one length. Those of whole days begin at midnight of the person's clock, and are as long as the day is; whole
/// weeks begin on a Monday. All others are aligned to the Unix epoch, so that they begin at the same moment everywhere.
struct TimeWindows {
    /// In milliseconds.
    let length: Int64

    private static let day: Int64 = 86_400_000
    /// As long as a ring may be asked about, and far from any overflow.
    private static let longest = 3660 * day
    /// 1969-12-29 was a Monday.
    private static let mondayBeforeEpoch: Int64 = 3

    /// Reads `5min`, `1 h`, `1d`.
    init(_ text: String) throws(Failure) {
        guard let duration = Duration(text: text), case let length = duration.nanoseconds / 1_000_000,
            (1...Self.longest).contains(length), duration == .milliseconds(length)
        else {
            throw Failure(
                .wrongCall, "\"\(cut(text, to: 40))\" is no length of a window; write 5min, 1h or 1d, at least 1 ms")
        }
        self.length = length
    }

    /// The window that a time is in.
    func window(of time: Milliseconds) -> Range<Milliseconds> {
        guard length % Self.day == 0 else {
            let start = Self.floor(time.rawValue, length) &* length
            return Milliseconds(start)..<Milliseconds(start.addingReportingOverflow(length).partialValue)
        }
        let days = length / Self.day
        let shift = days % 7 == 0 ? Self.mondayBeforeEpoch : 0
        let local = time.rawValue &+ Int64(LocalTime(time).offset) &* 1000
        let first = Self.floor(Self.floor(local, Self.day) &+ shift, days) &* days &- shift
        return Self.midnight(first)..<Self.midnight(first &+ days)
    }

    /// Rounded down.
    private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }

    /// When a day of the local calendar begins, counted from 1970-01-01.
    private static func midnight(_ day: Int64) -> Milliseconds {
        var fields = tm()
        fields.tm_year = 70
        fields.tm_mday = Int32(clamping: day + 1)
        fields.tm_isdst = -1
        return Milliseconds(Int64(mktime(&fields)) &* 1000)
    }
}
