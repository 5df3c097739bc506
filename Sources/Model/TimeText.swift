/// Calendar arithmetic for the text forms (proleptic Gregorian, UTC), without Foundation: the pure floors and the hot path need no more.

package struct CivilTime: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var millisecond: Int

    package init(_ time: Milliseconds) {
        let days = time.rawValue.flooredDivision(by: 86_400_000)
        let rest = Int(time.rawValue - days * 86_400_000)
        let shifted = days + 719_468  // days since 0000-03-01, so that the leap day ends a year
        let era = shifted.flooredDivision(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        hour = rest / 3_600_000
        minute = rest / 60_000 % 60
        second = rest / 1000 % 60
        millisecond = rest % 1000
    }

    static func daysIn(month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 of a date; no check that the day exists in its month.
    package static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = shiftedYear.flooredDivision(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * Int64(month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension Milliseconds {
    /// `2026-11-21T08:15:30.125Z`.
    package var iso8601: String {
        let civil = CivilTime(self)
        return "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))T\(padded(civil.hour, 2)):"
            + "\(padded(civil.minute, 2)):\(padded(civil.second, 2)).\(padded(civil.millisecond, 3))Z"
    }

    /// Reads `2026-11-21`, `2026-11-21T08:15`, `…:30`, `…:30.125`, with `Z`, `+02:00` or nothing behind a time. Without a zone the
    /// time is taken `defaultOffset` seconds east of UTC. `nil` where the text is no such time.
    package init?(iso8601 text: String, defaultOffset: Int = 0) {
        var scan = TimeScanner(text)
        guard let year = scan.digits(4), scan.skip("-"), let month = scan.digits(2), scan.skip("-"),
            let day = scan.digits(2),
            (1...12).contains(month), (1...CivilTime.daysIn(month: month, year: year)).contains(day)
        else { return nil }
        var milliseconds = CivilTime.days(year: year, month: month, day: day) * 86_400_000
        var offset = defaultOffset
        if scan.skip("T") || scan.skip("t") || scan.skip(" ") {
            guard let hour = scan.digits(2), scan.skip(":"), let minute = scan.digits(2), hour < 24, minute < 60 else {
                return nil
            }
            milliseconds += Int64(hour) * 3_600_000 + Int64(minute) * 60_000
            if scan.skip(":") {
                guard let second = scan.digits(2), second <= 60 else { return nil }
                milliseconds += Int64(second) * 1000
                if scan.skip(".") {
                    guard let fraction = scan.fraction() else { return nil }
                    milliseconds += Int64(fraction)
                }
            }
            guard let zone = scan.zone(default: defaultOffset) else { return nil }
            offset = zone
        }
        guard scan.isAtEnd else { return nil }
        self.init(milliseconds - Int64(offset) * 1000)
    }
}

private struct TimeScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) {
        rest = text[...].utf8
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func digits(_ count: Int) -> Int? {
        var value = 0
        for _ in 0..<count {
            guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
            rest.removeFirst()
        }
        return value
    }

    /// Digits behind the point, as milliseconds; more than three are cut. `nil` where there is none.
    mutating func fraction() -> Int? {
        guard var value = digits(1).map({ $0 * 100 }) else { return nil }
        var scale = 10
        while let digit = digits(1) {
            value += digit * scale
            scale /= 10
        }
        return value
    }

    /// Seconds east of UTC; `nil` where a zone is begun and not well formed.
    mutating func zone(default defaultOffset: Int) -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return defaultOffset }
        guard let hours = digits(2) else { return nil }
        _ = skip(":")
        guard let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}

func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
