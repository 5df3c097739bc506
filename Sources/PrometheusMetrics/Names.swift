/// Names as the text format allows them.
package enum Names {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, at most ``PrometheusLimits/nameBytes`` bytes; what does not fit becomes `_`.
    package static func metric(_ name: String) -> String { valid(name, alsoColons: true) }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`; two underscores in front are Prometheus' own, so one is left.
    package static func label(_ name: String) -> String {
        var name = valid(name, alsoColons: false)
        while name.hasPrefix("__") { name.removeFirst() }
        return name
    }

    private static func valid(_ name: String, alsoColons: Bool) -> String {
        var bytes: [UInt8] = []
        for scalar in name.unicodeScalars.prefix(PrometheusLimits.nameBytes) {
            let byte = scalar.isASCII ? UInt8(scalar.value) : UInt8(ascii: "_")
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
                bytes.append(byte)
            case UInt8(ascii: ":") where alsoColons: bytes.append(byte)
            default: bytes.append(UInt8(ascii: "_"))
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes.prefix(PrometheusLimits.nameBytes), as: UTF8.self)
    }
}

/// What may not stand in a line as it is.
enum Escape {
    static func help(_ text: String) -> String { escaped(text, quotes: false) }
    static func label(_ text: String) -> String { escaped(text, quotes: true) }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\"") where quotes: bytes.append(contentsOf: #"\""#.utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Labels as they stand between the braces: valid names, each once, sorted; values escaped, and cut where they are endless. Equal labels in
/// any order give equal text, which is what tells one series from another.
struct LabelText: Hashable, Comparable, Sendable {
    let text: String

    /// - Parameter reserved: A name that belongs to the format itself (`le`); a label of that name becomes `exported_le`.
    init(_ labels: PrometheusText.Labels, reserved: String? = nil) {
        var known: [(name: String, value: String)] = []
        for (name, value) in labels.prefix(PrometheusLimits.labels) {
            var name = Names.label(name)
            if name == reserved { name = "exported_" + name }
            if !known.contains(where: { $0.name == name }) { known.append((name, value)) }
        }
        known.sort { $0.name < $1.name }
        text = known.map { "\($0.name)=\"\(Escape.label(Self.cut($0.value)))\"" }.joined(separator: ",")
    }

    /// The same labels and one more behind them, where the format wants it.
    func with(_ name: String, _ value: String) -> String {
        (text.isEmpty ? "" : text + ",") + "\(name)=\"\(value)\""
    }

    private init(text: String) {
        self.text = text
    }

    func bucket(upTo bound: String) -> LabelText { LabelText(text: with("le", bound)) }

    static func < (left: LabelText, right: LabelText) -> Bool { left.text < right.text }

    private static func cut(_ value: String) -> String {
        guard value.utf8.count > PrometheusLimits.labelBytes else { return value }
        var cut = String.UnicodeScalarView()
        var count = 0
        for scalar in value.unicodeScalars {
            count += UTF8.width(scalar)
            if count > PrometheusLimits.labelBytes - 3 { break }
            cut.append(scalar)
        }
        return String(cut) + "…"
    }
}
