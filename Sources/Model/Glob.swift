/// A shell-like pattern over `device/metric`: `*` stands for any run of characters, `?` for one. A pattern without a `/` that does not
/// match the whole is tried against the device alone, so that `covey latest soil-3` does what a person means.
package struct Glob: Hashable, Sendable {
    package let pattern: String
    private let bytes: [UInt8]

    package init(_ pattern: String) {
        self.pattern = pattern
        bytes = Array(pattern.utf8)
    }

    package func matches(_ series: Series) -> Bool {
        let device = Array(series.device.rawValue.utf8)
        return Self.matches(bytes[...], (device + [UInt8(ascii: "/")] + Array(series.metric.utf8))[...])
            || (!bytes.contains(UInt8(ascii: "/")) && Self.matches(bytes[...], device[...]))
    }

    package func matches(_ text: String) -> Bool { Self.matches(bytes[...], Array(text.utf8)[...]) }

    /// Iterative with one backtrack point: linear for honest patterns, at worst the product of the lengths.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var p = pattern.startIndex
        var t = text.startIndex
        var star: Int?
        var resume = t
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                star = p
                resume = t
                p += 1
            } else if p < pattern.endIndex, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let star {
                p = star + 1
                resume += 1
                t = resume
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
