import Model

/// The tables of `devices`, `uploads`, `peers` and `latest`.
enum ListText {
    /// Whom a device's messages belong to stands there only where it is another gateway.
    static func devices(_ devices: [JSONValue], now: Milliseconds) -> Table {
        let hasOwners = devices.contains { $0["taken_by"]?.string != nil }
        var table = Table(
            [
                .left("DEVICE", least: 16), .left("DRIVER", least: 6, mayGo: true), .left("STATE"),
                .right("SEEN"), .right("READINGS"), .right("REJECTED", mayGo: true), .right("DROPPED", mayGo: true),
            ] + (hasOwners ? [.left("TAKEN BY", mayGo: true)] : []))
        for device in devices {
            var row = [
                Cell(plain(device["id"])), Cell(plain(device["driver"])), Cell(state: plain(device["state"])),
                Cell(time(device["last_t"] ?? device["last_seen"], now)),
                Cell(count: total(device["readings"] ?? device["stored"])),
                Cell(count: total(device["rejected"]), isLoss: true),
                Cell(count: total(device["dropped"]), isLoss: true),
            ]
            if hasOwners { row.append(Cell(device["taken_by"]?.string ?? "")) }
            table.rows.append(row)
            table.note(device["last_error"]?.string)
        }
        return table
    }

    /// How far behind an upload is stands there only where the daemon says.
    static func uploads(_ uploads: [JSONValue], indent: Int = 0) -> Table {
        let hasLag = uploads.contains { $0["fresh_lag_s"]?.double != nil }
        var table = Table(
            [.left("UPLOAD", least: 12), .left("STATE"), .right("PENDING"), .right("BACK-FILL")]
                + (hasLag ? [.right("LAG", mayGo: true)] : [])
                + [.right("RETRY IN", mayGo: true), .right("REFUSED", mayGo: true)],
            indent: indent)
        for upload in uploads {
            table.rows.append(
                [
                    Cell(plain(upload["name"])), Cell(state: plain(upload["state"])),
                    Cell(count: total(upload["pending"])), Cell(count: total(upload["back_fill"])),
                ] + (hasLag ? [Cell(duration(upload["fresh_lag_s"]))] : [])
                    + [
                        Cell(duration(upload["retry_in_s"])), Cell(count: total(upload["refused"]), isLoss: true),
                    ])
            duties(upload, &table)
        }
        return table
    }

    /// Why nothing is sent, and what is uploaded for whom. The reason has the error in it.
    private static func duties(_ upload: JSONValue, _ table: inout Table) {
        table.note(upload["reason"]?.string ?? upload["last_error"]?.string)
        for entry in (upload["relayed"]?.elements ?? []).prefix(dutiesShown) {
            let text = "for \(name(entry)): \(plain(entry["pending"])) readings of log \(plain(entry["log"]))"
            table.note(text, .dim)
        }
        for entry in (upload["relayed_by"]?.elements ?? []).prefix(dutiesShown) {
            table.note("by \(name(entry)): log \(plain(entry["log"])) of this gateway", .dim)
        }
    }

    /// Logs that are listed below an upload, of each kind.
    private static let dutiesShown = 4

    private static func name(_ gateway: JSONValue) -> String {
        let name = plain(gateway["gateway"])
        return name.isEmpty ? String(plain(gateway["node"]).prefix(8)) : name
    }

    static func peers(_ peers: [JSONValue], indent: Int = 0) -> Table {
        var table = Table(
            [
                .left("PEER", least: 8), .left("STATE"), .right("SINCE"), .right("HELD"), .right("PENDING"),
                .left("ADDRESS", least: 12), .left("NODE", least: 8),
            ],
            indent: indent)
        for peer in peers {
            table.rows.append([
                Cell(plain(peer["name"])), Cell(state: plain(peer["state"])), Cell(duration(peer["since_s"])),
                Cell(count: peer["held"]?.integer), Cell(count: peer["pending"]?.integer), Cell(plain(peer["address"])),
                Cell(plain(peer["node"])),
            ])
        }
        return table
    }

    /// The column of qualities is there only where one is not good, that of gateways only where there are several.
    static func latest(_ readings: [JSONValue], now: Milliseconds) -> Table {
        let rows = readings.compactMap { json in ReadingRow(json).map { ($0, json["history"]?.elements ?? []) } }
        let isAllGood = rows.allSatisfy { $0.0.quality == "good" }
        let isOfOne = Set(rows.map(\.0.node)).count <= 1
        var table = Table(
            (isOfOne ? [] : [.left("GATEWAY", least: 6)]) + [
                .left("DEVICE", least: 10), .left("METRIC", least: 10), .left("VALUE", least: 8),
                .left("TREND", least: 8, mayGo: true), .right("TIME"),
            ] + (isAllGood ? [] : [.left("QUALITY", least: 7)]))
        for (row, history) in rows {
            let quality = Cell(row.quality, row.quality == "good" ? .dim : .warning)
            table.rows.append(
                (isOfOne ? [] : [Cell(row.gatewayText)]) + [
                    Cell(row.device), Cell(row.metric), Cell(row.valueText),
                    Cell(trend(row.value, history), keepsEnd: true), Cell(LocalTime.ago(row.time, now: now)),
                ] + (isAllGood ? [] : [quality]))
        }
        return table
    }

    /// Numbers between their own least and greatest, flags between off and on, texts not at all.
    private static func trend(_ value: JSONValue, _ history: [JSONValue]) -> String {
        switch value {
        case .number: Sparkline.text(history.compactMap(\.double))
        case .flag: Sparkline.text(history.compactMap(\.double), in: 0...1)
        default: ""
        }
    }

    private static func plain(_ value: JSONValue?) -> String { value?.plain ?? "–" }

    private static func duration(_ seconds: JSONValue?) -> String {
        seconds?.double.flatMap { abs($0) < 1e9 ? Duration.seconds($0).text : nil } ?? "–"
    }

    private static func time(_ value: JSONValue?, _ now: Milliseconds) -> String {
        value?.integer.map { LocalTime.ago(Milliseconds($0), now: now) } ?? "–"
    }
}
