import Devices
import Model

/// What concerns `driver = "mqtt"`.
extension DeviceReader {
    private static let laterDecoders = ["esphome", "shelly", "senml", "line", "sparkplug", "homeassistant"]

    func mqtt() -> DeviceConfiguration.MQTTSource? {
        let broker = reader.broker(among: brokers)
        let topic = reader.required("topic", example: "topic = \"tele/soil-3/SENSOR\"", Self.topic)
        let decoder = reader.required("decoder", example: "decoder = \"json\"") { (item) throws(Unfit) in
            try Read.choice(item, DecoderKind.self, later: Self.laterDecoders)
        }
        let decoding = decoding(decoder?.value)
        guard let broker, let topic, let decoder else { return nil }
        return DeviceConfiguration.MQTTSource(
            broker: broker, topic: topic.value, decoder: decoder.value, decoding: decoding)
    }

    private static func topic(_ item: TOMLItem) throws(Unfit) -> String {
        let text = try Read.text(item)
        do throws(TopicFilterError) {
            _ = try TopicFilter(text)
        } catch {
            throw Unfit("is no topic filter: \(error.message)")
        }
        if text.hasPrefix("$share/") {
            throw Unfit("must not be a shared subscription", suggestion: "write the filter without $share/GROUP/")
        }
        return text
    }

    private func decoding(_ decoder: DecoderKind?) -> DecoderSettings {
        var settings = DecoderSettings()
        settings.metric = metric()
        settings.unit = unit()
        settings.paths = reader.value("paths", Self.paths)?.value ?? []
        settings.units = reader.value("units", Self.units)?.value ?? [:]
        settings.zoneOffset = reader.value("time_zone", Self.zone)?.value ?? 0
        settings.baseTopic = reader.text("base_topic")?.value ?? settings.baseTopic
        guard let decoder else { return settings }
        let meaningless =
            switch decoder {
            case .number: ["paths", "units", "time_zone", "base_topic"]
            case .json: ["metric", "unit", "base_topic"]
            case .tasmota: ["metric", "unit", "base_topic"]
            case .zigbee2mqtt: ["metric", "unit"]
            }
        for key in meaningless where reader.table[key] != nil {
            let instead = [
                "unit": "units = { METRIC = \"…\" }", "units": "`unit`", "metric": "paths = { METRIC = \"PATH\" }",
            ][key]
            reader.findings.fault(
                at: reader.keyPosition(key), "`\(key)` has no meaning with decoder = \"\(decoder.rawValue)\"",
                suggestion: instead.map { "use \($0)" })
        }
        return settings
    }

    /// `["a.b", "c"]`, `{ metric = "a.b" }` or `{ metric = { path = "a.b", unit = "°C", kind = "number" } }`.
    private static func paths(_ item: TOMLItem) throws(Unfit) -> [PathSetting] {
        var paths: [PathSetting] = []
        switch item.value {
        case .array(let items):
            for item in items { paths.append(PathSetting(path: try path(item))) }
        case .table(let table):
            for entry in table.entries {
                try checkMetric(entry.key)
                paths.append(try path(entry))
            }
        default:
            throw Unfit("must be an array of paths or a table, not \(item.description)", suggestion: "[\"meta.rssi\"]")
        }
        guard (1...Bounds.paths).contains(paths.count) else {
            throw Unfit("must hold 1 to \(Bounds.paths) paths", suggestion: "without `paths`, every value is read")
        }
        return paths
    }

    private static func path(_ item: TOMLItem) throws(Unfit) -> String {
        guard case .string(let path) = item.value else { throw Unfit("holds \(item.description), which is no path") }
        let parts = path.split(separator: ".", omittingEmptySubsequences: false)
        guard path.utf8.count <= Limits.metricNameBytes, parts.count <= Limits.jsonDepth, !parts.contains("") else {
            throw Unfit("holds \(quoted(path)), which is no dotted path", suggestion: "for example \"meta.rssi\"")
        }
        return path
    }

    private static func path(_ entry: TOMLTable.Entry) throws(Unfit) -> PathSetting {
        guard case .table(let table) = entry.item.value else {
            return PathSetting(path: try path(entry.item), metric: entry.key)
        }
        guard let pathItem = table["path"]?.item else { throw Unfit("needs `path` in \(quoted(entry.key))") }
        var unit: String?
        var kind: ValueKind?
        for member in table.entries {
            switch member.key {
            case "path": break
            case "unit":
                let text = try Read.text(member.item)
                try checkUnit(text)
                unit = text
            case "kind": kind = try Read.choice(member.item, ValueKind.self)
            default:
                throw Unfit(
                    "has an unknown key \(quoted(member.key)) in \(quoted(entry.key))",
                    suggestion: "have: path, unit, kind")
            }
        }
        return PathSetting(path: try path(pathItem), metric: entry.key, unit: unit, kind: kind)
    }

    private static func units(_ item: TOMLItem) throws(Unfit) -> [String: String] {
        guard case .table(let table) = item.value else {
            throw Unfit("must be a table, not \(item.description)", suggestion: "units = { temperature = \"°C\" }")
        }
        guard table.entries.count <= Bounds.paths else { throw Unfit("may hold \(Bounds.paths) units at most") }
        var units: [String: String] = [:]
        for entry in table.entries {
            guard case .string(let unit) = entry.item.value else {
                throw Unfit(
                    "holds \(entry.item.description) for \(quoted(entry.key))",
                    suggestion: "quote dotted metrics: \"a.b\" = \"V\"")
            }
            try checkUnit(unit)
            units[entry.key] = unit
        }
        return units
    }

    /// `UTC` or `+02:00`, in seconds east of UTC.
    private static func zone(_ item: TOMLItem) throws(Unfit) -> Int {
        let text = try Read.text(item)
        if text == "UTC" || text == "Z" { return 0 }
        let digits = text.utf8.dropFirst().filter { $0 != UInt8(ascii: ":") }
        let sign = text.hasPrefix("+") ? 1 : text.hasPrefix("-") ? -1 : 0
        guard sign != 0, digits.count == 4, text.utf8.count == 6, text.dropFirst(3).first == ":",
            let number = Int(String(decoding: digits, as: UTF8.self)), number / 100 <= 14, number % 100 < 60
        else {
            let isName = text.contains("/")
            throw Unfit(
                "must be \"UTC\" or an offset such as \"+02:00\", not \(quoted(text))",
                suggestion: isName ? "names of zones are not in this version" : nil)
        }
        return sign * (number / 100 * 3600 + number % 100 * 60)
    }
}
