import Glibc
import Model

/// One reading as the daemon tells it, for the forms that are made here.
struct ReadingRow {
    let device: String
    let metric: String
    let unit: String?
    let time: Milliseconds
    let value: JSONValue
    let quality: String
    let gateway: String
    let node: String
    let log: String
    let offset: String

    /// `nil` where it is no reading: the members that every reading has are missing.
    init?(_ json: JSONValue) {
        guard let device = json["device"]?.string, let metric = json["metric"]?.string, let time = json["t"]?.integer,
            let value = json["value"]
        else { return nil }
        self.device = device
        self.metric = metric
        self.time = Milliseconds(time)
        self.value = value
        unit = json["unit"]?.string
        quality = json["quality"]?.string ?? ""
        gateway = json["gateway"]?.string ?? ""
        node = json["node"]?.string ?? ""
        log = json["log"]?.string ?? ""
        offset = json["offset"]?.plain ?? ""
    }

    /// The name of the gateway that took it; where nobody knows that any more, the start of its node id.
    var gatewayText: String { gateway.isEmpty ? String(node.prefix(8)) : gateway }

    /// The value with its unit, as a person reads it: seven digits of a number, but all of a whole one.
    var valueText: String {
        let text = Self.text(of: value)
        return unit.map { "\(text) \($0)" } ?? text
    }

    /// As a person reads it: seven digits of a number, but all of a whole one.
    static func text(of value: JSONValue) -> String { rounded(value) ?? value.plain }

    /// `nil` for what is short enough, whole, no number, or so great or small that it is written with an exponent.
    private static func rounded(_ value: JSONValue) -> String? {
        guard case .number(let text) = value, text.utf8.count > 8, let number = Double(text),
            number != number.rounded(), (1e-4..<1e15).contains(number.magnitude)
        else { return nil }
        let scale = pow(10, max(0, 6 - log10(number.magnitude).rounded(.down)))
        let rounded = (number * scale).rounded() / scale
        return rounded == rounded.rounded() ? String(Int64(rounded)) : rounded.description
    }

    static let csvHeader = "time,t,device,metric,value,unit,quality,gateway,node,log,offset"

    /// RFC 4180, but for the line end, which is the system's. `time` is ISO 8601 in UTC.
    var csv: String {
        [
            time.iso8601, String(time.rawValue), device, metric, value.plain, unit ?? "", quality, gateway, node, log,
            offset,
        ]
        .map(Self.quotedForCSV).joined(separator: ",")
    }

    static func quotedForCSV(_ text: String) -> String {
        let needsQuotes = text.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        guard needsQuotes else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// InfluxDB line protocol: the device is the measurement, the metric its field, the time in nanoseconds. A
    /// quality that is not good is a field of its own, so that it makes no new series.
    var lineProtocol: String {
        var line = Self.escaped(device, ", ")
        if !gateway.isEmpty { line += ",gateway=" + Self.escaped(gateway, ",= ") }
        if let unit, !unit.isEmpty { line += ",unit=" + Self.escaped(unit, ",= ") }
        line += " " + Self.escaped(metric, ",= ") + "=" + fieldValue
        if quality != "good", !quality.isEmpty { line += ",quality=" + Self.quotedField(quality) }
        return line + " \(time.rawValue)000000"
    }

    private var fieldValue: String {
        if case .text(let text) = value { return Self.quotedField(text) }
        return value.plain
    }

    static func quotedField(_ text: String) -> String { "\"" + escaped(text, "\"\\") + "\"" }

    /// A line is a reading, so a line feed within a name or text may not stay one.
    static func escaped(_ text: String, _ special: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            default:
                if special.unicodeScalars.contains(scalar) { escaped += "\\" }
                escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
