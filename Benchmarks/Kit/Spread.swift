/// Several measurements of one thing.
package struct Spread: Sendable {
    private let sorted: [Double]

    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "nothing was measured")
        sorted = values.sorted()
    }

    package var median: Double { quantile(0.5) }
    package var least: Double { sorted[0] }
    package var most: Double { sorted[sorted.count - 1] }

    /// The measured value at or above which `1 - part` of them lie.
    package func quantile(_ part: Double) -> Double {
        sorted[min(Int(Double(sorted.count) * part), sorted.count - 1)]
    }

    /// `12,345 (11,000–13,000)`; of one measurement, the value alone.
    package var text: String {
        sorted.count == 1 ? median.text() : "\(median.text()) (\(least.text())–\(most.text()))"
    }
}

extension Double {
    /// With so many digits behind the point, and thousands apart.
    package func text(_ digits: Int = 0) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = (magnitude * scale).rounded()
        var whole = String(Int(rounded / scale))
        var place = whole.count - 3
        while place > 0 {
            whole.insert(",", at: whole.index(whole.startIndex, offsetBy: place))
            place -= 3
        }
        let part = String(Int(rounded) % Int(scale))
        let rest = digits == 0 ? "" : "." + String(repeating: "0", count: digits - part.count) + part
        return (self < 0 && rounded > 0 ? "-" : "") + whole + rest
    }
}
