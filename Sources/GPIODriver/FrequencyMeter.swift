/// Measures the frequency of one interval after another, from the times of the edges rather than from their number
/// alone: whole periods divided by the time they took, so that 50.2 Hz can be told from 50 within a second. Pure.
struct FrequencyMeter {
    private var edges = 0
    private var first: Int64 = 0
    private var last: Int64 = 0
    /// The last edge of the interval before, from which this one's first period runs.
    private var previous: Int64?

    mutating func edge(at nanoseconds: Int64) {
        if edges == 0 { first = nanoseconds }
        last = nanoseconds
        edges += 1
    }

    /// Ends the interval and begins the next. Returns edges per second.
    ///
    /// | edges | an edge in the interval before | edges per second |
    /// |---|---|---|
    /// | 0 | | 0 |
    /// | n ≥ 1 | yes | n ÷ (last − previous) |
    /// | n ≥ 2 | no | (n − 1) ÷ (last − first) |
    /// | 1 | no | 1 ÷ length: all that is known |
    mutating func endInterval(length: Int64) -> Double {
        let count = edges
        let from = previous
        previous = count == 0 ? nil : last
        edges = 0
        guard count > 0 else { return 0 }
        if let from, last > from { return perSecond(count, last - from) }
        if count > 1, last > first { return perSecond(count - 1, last - first) }
        return length > 0 ? perSecond(count, length) : 0
    }

    private func perSecond(_ count: Int, _ nanoseconds: Int64) -> Double {
        Double(count) * 1e9 / Double(nanoseconds)
    }
}
