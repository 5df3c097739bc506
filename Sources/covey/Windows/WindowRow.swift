import Model

/// What the readings of one series in one window come to.
struct WindowRow {
    let window: Range<Milliseconds>
    let series: WindowSeries
    let values: [(aggregate: Aggregate, value: JSONValue?)]

    static func csvHeader(_ aggregates: [Aggregate]) -> String {
        (["time", "t", "end_t", "device", "metric", "unit", "gateway", "node"] + aggregates.map(\.rawValue))
            .joined(separator: ",")
    }

    /// As ``ReadingRow/csv``; `time` and `t` are the window's begin.
    var csv: String {
        let start = window.lowerBound
        let names = [series.device, series.metric, series.unit ?? "", series.gateway, series.node]
        return
            ([start.iso8601, String(start.rawValue), String(window.upperBound.rawValue)] + names
            + values.map { $0.value?.plain ?? "" })
            .map(ReadingRow.quotedForCSV).joined(separator: ",")
    }

    /// As ``ReadingRow/lineProtocol``, with a field for each aggregate, `METRIC_mean`, at the window's begin.
    var lineProtocol: String? {
        let fields = values.compactMap { aggregate, value -> String? in
            guard let value, value != .null else { return nil }
            let name = ReadingRow.escaped("\(series.metric)_\(aggregate)", ",= ")
            if case .text(let text) = value { return name + "=" + ReadingRow.quotedField(text) }
            return name + "=" + value.plain
        }
        guard !fields.isEmpty else { return nil }
        var line = ReadingRow.escaped(series.device, ", ")
        if !series.gateway.isEmpty { line += ",gateway=" + ReadingRow.escaped(series.gateway, ",= ") }
        if let unit = series.unit, !unit.isEmpty { line += ",unit=" + ReadingRow.escaped(unit, ",= ") }
        return line + " " + fields.joined(separator: ",") + " \(window.lowerBound.rawValue)000000"
    }

    var json: [UInt8] {
        var json = JSONWriter(reserving: 256)
        json.object { json in
            json.key("t")
            json.integer(window.lowerBound.rawValue)
            json.key("end_t")
            json.integer(window.upperBound.rawValue)
            let names = [
                ("device", series.device), ("metric", series.metric), ("unit", series.unit),
                ("gateway", series.gateway), ("node", series.node),
            ]
            for case (let name, let text?) in names {
                json.key(name)
                json.string(text)
            }
            for (aggregate, value) in values {
                json.key(aggregate.rawValue)
                switch value {
                case .number(let text)?: json.raw(text.utf8)
                case .flag(let flag)?: json.flag(flag)
                case .text(let text)?: json.string(text)
                default: json.null()
                }
            }
        }
        return json.bytes
    }
}

/// One quantity of one device at one gateway.
struct WindowSeries: Hashable, Comparable {
    let device: String
    let metric: String
    let unit: String?
    let gateway: String
    let node: String

    init(_ row: ReadingRow) {
        (device, metric, unit) = (row.device, row.metric, row.unit)
        (gateway, node) = (row.gateway, row.node)
    }

    /// The name of the gateway; where nobody knows it, the start of its node id.
    var gatewayText: String { gateway.isEmpty ? String(node.prefix(8)) : gateway }

    static func < (left: WindowSeries, right: WindowSeries) -> Bool {
        if left.device != right.device { return left.device < right.device }
        if left.metric != right.metric { return left.metric < right.metric }
        if left.node != right.node { return left.node < right.node }
        if left.gateway != right.gateway { return left.gateway < right.gateway }
        return (left.unit ?? "") < (right.unit ?? "")
    }
}
