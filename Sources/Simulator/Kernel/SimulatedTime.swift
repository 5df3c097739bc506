/// Simulated time is an Int64 of nanoseconds since the history began.
enum SimulatedTime {
    static let millisecond: Int64 = 1_000_000
    static let second: Int64 = 1_000_000_000
    static let minute: Int64 = 60 * second

    /// `12.345 s`, as failures name a moment.
    static func text(_ moment: Int64) -> String {
        let thousandths = String(moment / millisecond % 1000)
        return "\(moment / second)." + String(repeating: "0", count: 3 - thousandths.count) + thousandths + " s"
    }
}
