import Model

/// Writes TOML of the plain kind that ``GatewayConfiguration/describe()`` needs: sections, keys, values on one line.
struct TOMLWriter {
    private(set) var output = ""

    mutating func section(_ header: String) {
        if !output.isEmpty { output += "\n" }
        output += header + "\n"
    }

    /// `unit`: what a bare number counts, said in a comment.
    mutating func raw(_ key: String, _ value: String, unit: String? = nil) {
        output += "\(key) = \(value)" + (unit.map { "  # \($0)" } ?? "") + "\n"
    }

    /// A comment for `nil`: the key then has no default to show.
    mutating func text(_ key: String, _ value: String?) {
        if let value { raw(key, Self.quoted(value)) } else { none(key) }
    }

    /// A key without a value.
    mutating func none(_ key: String, _ meaning: String = "not set") { output += "# \(key): \(meaning)\n" }

    mutating func duration(_ key: String, _ value: Duration) { text(key, Self.exact(value)) }

    mutating func size(_ key: String, _ value: ByteCount) { text(key, Self.exact(value)) }

    mutating func rate(_ key: String, _ value: Rate?) {
        if let value { raw(key, "\(value.perSecond)", unit: "readings per second") } else { none(key, "no limit") }
    }

    /// The largest unit that says the duration in whole numbers.
    private static func exact(_ duration: Duration) -> String {
        let units: [(name: String, nanoseconds: Int64)] = [
            ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000),
            ("ms", 1_000_000),
        ]
        let value = duration.nanoseconds
        if value == 0 { return "0 s" }
        let unit = units.first { value % $0.nanoseconds == 0 } ?? (name: "us", nanoseconds: 1000)
        let whole = value / unit.nanoseconds
        let rest = value % unit.nanoseconds
        return rest == 0 ? "\(whole) \(unit.name)" : "\(Double(value) / 1000) us"
    }

    /// The largest unit that says the size in whole numbers.
    private static func exact(_ size: ByteCount) -> String {
        let units: [(name: String, shift: Int64)] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)]
        let unit =
            units.first { size.rawValue != 0 && size.rawValue & ((1 << $0.shift) - 1) == 0 } ?? (name: "B", shift: 0)
        return "\(size.rawValue >> unit.shift) \(unit.name)"
    }

    static func table(_ members: [(key: String, value: String)]) -> String {
        "{ " + members.map { "\(quoted($0.key)) = \($0.value)" }.joined(separator: ", ") + " }"
    }

    static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": output += "\\" + String(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}
