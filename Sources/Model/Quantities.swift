/// Durations and sizes as people write them: `500 ms`, `1 h`, `64 MiB`.

package struct ByteCount: Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static func kibibytes(_ count: Int64) -> ByteCount { ByteCount(count << 10) }
    package static func mebibytes(_ count: Int64) -> ByteCount { ByteCount(count << 20) }
    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.rawValue < right.rawValue }

    /// Reads a number and a unit (`B`, `KiB`, `MiB`, `GiB`, `TiB`, or decimal `kB`, `MB`, `GB`, `TB`), space between optional.
    package init?(text: String) {
        guard let (number, unit) = splitQuantity(text),
            let factor = Self.factors.first(where: { $0.unit == unit })?.bytes,
            number * factor < 9e18
        else { return nil }
        self.init(Int64(number * factor))
    }

    private static let factors: [(unit: String, bytes: Double)] = [
        ("B", 1), ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
    ]
}

extension ByteCount: CustomStringConvertible {
    /// `64 MiB`, `1.5 GiB`, `512 B`: at most one decimal.
    package var description: String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(rawValue)
        var unit = 0
        while abs(value) >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return oneDecimal(value) + " " + units[unit]
    }
}

extension Duration {
    /// Reads a number and a unit (`us`, `µs`, `ms`, `s`, `min`, `m`, `h`, `d`, `w`), space between optional.
    package init?(text: String) {
        guard let (number, unit) = splitQuantity(text),
            let factor = Self.factors.first(where: { $0.unit == unit })?.seconds,
            number * factor < 9e9
        else { return nil }
        self = .nanoseconds(Int64((number * factor * 1e9).rounded()))
    }

    private static let factors: [(unit: String, seconds: Double)] = [
        ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1), ("sec", 1), ("m", 60), ("min", 60), ("h", 3600),
        ("d", 86400),
        ("w", 604_800),
    ]

    /// Nanoseconds; durations here are far below 292 years.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// Seconds as a number, for rates and tables.
    package var inSeconds: Double { Double(nanoseconds) / 1e9 }

    /// `250 ms`, `5 s`, `3 min`, `2.5 h`, `4 d`: the largest unit that keeps the number at 1 or more.
    package var text: String {
        let steps: [(unit: String, seconds: Double)] = [
            ("d", 86400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("µs", 1e-6),
        ]
        let seconds = inSeconds
        if seconds == 0 { return "0 s" }
        let step = steps.first { abs(seconds) >= $0.seconds } ?? (unit: "µs", seconds: 1e-6)
        return oneDecimal(seconds / step.seconds) + " " + step.unit
    }
}

private func splitQuantity(_ text: String) -> (number: Double, unit: String)? {
    let trimmed = text.drop(while: { $0 == " " })
    let numberEnd = trimmed.firstIndex { !($0.isASCII && ($0.isNumber || $0 == ".")) } ?? trimmed.endIndex
    guard let number = Double(trimmed[..<numberEnd]), number.isFinite else { return nil }
    var unit = trimmed[numberEnd...].drop(while: { $0 == " " })
    while unit.last == " " { unit.removeLast() }
    return (number, String(unit))
}

private func oneDecimal(_ value: Double) -> String {
    let tenths = (value * 10).rounded()
    let whole = Int64((abs(tenths) / 10).rounded(.towardZero))
    let rest = Int64(abs(tenths).truncatingRemainder(dividingBy: 10))
    // The sign is kept apart, as a whole part of 0 has none.
    return (tenths < 0 ? "-" : "") + (rest == 0 ? String(whole) : "\(whole).\(rest)")
}
