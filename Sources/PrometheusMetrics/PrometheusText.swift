/// A page in Prometheus' text format, version 0.0.4: families in the order of their names, the samples of one in the order in which they
/// were added.
///
/// A family keeps the kind and the help that it was given first. Names and labels are made valid, values are written so that they
/// read back exactly.
package struct PrometheusText: Sendable {
    package typealias Labels = [(name: String, value: String)]

    package enum Kind: String, Hashable, Sendable {
        case counter, gauge, histogram
    }

    private struct Family: Sendable {
        let kind: Kind
        let help: String
        var lines: [UInt8] = []
    }

    private var families: [String: Family] = [:]

    package init() {}

    /// Adds one sample. A family of another kind under the same name keeps its kind, and the sample is left out.
    package mutating func counter(_ name: String, _ help: String, _ value: UInt64, _ labels: Labels = []) {
        add(name, .counter, help, LabelText(labels), String(value))
    }

    package mutating func counter(_ name: String, _ help: String, seconds value: Double, _ labels: Labels = []) {
        add(name, .counter, help, LabelText(labels), Self.text(of: value))
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: Double, _ labels: Labels = []) {
        add(name, .gauge, help, LabelText(labels), Self.text(of: value))
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger, _ labels: Labels = []) {
        add(name, .gauge, help, LabelText(labels), String(value))
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: Bool, _ labels: Labels = []) {
        add(name, .gauge, help, LabelText(labels), value ? "1" : "0")
    }

    /// The whole page, each line with its line feed.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(families.values.reduce(0) { $0 + $1.lines.count + 160 })
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if !family.help.isEmpty { bytes.append(contentsOf: "# HELP \(name) \(Escape.help(family.help))\n".utf8) }
            bytes.append(contentsOf: "# TYPE \(name) \(family.kind.rawValue)\n".utf8)
            bytes.append(contentsOf: family.lines)
        }
        return bytes
    }

    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ labels: LabelText, suffix: String = "", _ value: String
    ) {
        let name = Names.metric(name)
        var family = families[name] ?? Family(kind: kind, help: help)
        guard family.kind == kind else { return }
        families[name] = nil  // else the lines would be copied
        family.lines.append(contentsOf: name.utf8)
        family.lines.append(contentsOf: suffix.utf8)
        if !labels.text.isEmpty { family.lines.append(contentsOf: "{\(labels.text)}".utf8) }
        family.lines.append(contentsOf: " \(value)\n".utf8)
        families[name] = family
    }

    /// Whole numbers without a point, infinities and NaN as Prometheus spells them, the rest in the shortest form that reads back.
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }
}
