/// Values as a row of bars, one column each.
enum Sparkline {
    private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// From the least of the values to the greatest of them, or between the ends of `range`. Values that never change
    /// are a low line; fewer than two are nothing, for they tell nothing.
    static func text(_ values: [Double], in range: ClosedRange<Double>? = nil) -> String {
        let values = values.filter(\.isFinite)
        guard values.count > 1, let least = range?.lowerBound ?? values.min(),
            let most = range?.upperBound ?? values.max()
        else { return "" }
        // Halved before they are subtracted, so that the greatest numbers there are do not overflow.
        let span = most / 2 - least / 2
        return String(
            values.map { value in
                let height = span > 0 ? (value / 2 - least / 2) / span : 0
                return bars[Int(min(max(height * 8, 0), 7))]
            })
    }
}
