import Model

/// The time that a device gave, as far as it is one: kept beside ours however far off it is.
enum DeviceTime {
    /// The last millisecond of the year 9999, beyond which the text forms have no digits.
    private static let latest = 253_402_300_799_999.0

    /// Reads ISO 8601 text, taken `zoneOffset` seconds east of UTC where it names no zone, or a count of `millisecondsPerUnit` since
    /// 1970; `nil` for anything else.
    static func read(_ value: Value, zoneOffset: Int, millisecondsPerUnit: Double) -> Milliseconds? {
        switch value {
        case .number(let number):
            let milliseconds = number * millisecondsPerUnit
            return (0...latest).contains(milliseconds) ? Milliseconds(Int64(milliseconds)) : nil
        case .text(let text): return Milliseconds(iso8601: text, defaultOffset: zoneOffset)
        case .flag: return nil
        }
    }
}
