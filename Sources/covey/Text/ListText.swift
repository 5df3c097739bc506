import Model

/// The tables of `devices`, `uploads`, `peers` and `latest`.
enum ListText {
    static func devices(_ devices: [JSONValue], now: Milliseconds) -> Table {
        var table = Table([
            .left("DEVICE", least: 10), .left("DRIVER", least: 6), .left("STATE"), .left("SEEN"), .right("READINGS"),
            .right("REJECTED"),
            .right("DROPPED"),
        ])
        for device in devices {
            table.rows.append([
                Cell(plain(device["id"])), Cell(plain(device["driver"])), Cell(state: plain(device["state"])),
                Cell(time(device["last_t"] ?? device["last_seen"], now)),
                Cell(count(device["readings"] ?? device["stored"])), losses(device["rejected"]),
                losses(device["dropped"]),
            ])
            table.note(device["last_error"]?.string)
        }
        return table
    }

    static func uploads(_ uploads: [JSONValue], now: Milliseconds, indent: Int = 0) -> Table {
        var table = Table(
            [
                .left("UPLOAD", least: 8), .left("STATE"), .right("PENDING"), .right("BACK-FILL"), .right("LAG"),
                .right("RETRY IN"),
            ],
            indent: indent)
        for upload in uploads {
            table.rows.append([
                Cell(plain(upload["name"])), Cell(state: plain(upload["state"])), Cell(count(upload["pending"])),
                Cell(count(upload["back_fill"])), Cell(duration(upload["fresh_lag_s"])),
                Cell(duration(upload["retry_in_s"])),
            ])
            table.note(upload["last_error"]?.string)
        }
        return table
    }

    static func peers(_ peers: [JSONValue], indent: Int = 0) -> Table {
        var table = Table(
            [.left("PEER", least: 8), .left("STATE"), .left("ADDRESS", least: 8), .left("NODE", least: 8)],
            indent: indent)
        for peer in peers {
            table.rows.append([
                Cell(plain(peer["name"])), Cell(state: plain(peer["state"])), Cell(plain(peer["address"])),
                Cell(plain(peer["node"])),
            ])
        }
        return table
    }

    static func latest(_ readings: [JSONValue], now: Milliseconds) -> Table {
        var table = Table([
            .left("DEVICE", least: 10), .left("METRIC", least: 10), .left("VALUE", least: 8), .left("TIME"),
            .left("QUALITY", least: 7),
        ])
        for row in readings.compactMap(ReadingRow.init) {
            table.rows.append([
                Cell(row.device), Cell(row.metric), Cell(row.valueText), Cell(LocalTime(row.time).brief(now: now)),
                Cell(row.quality, row.quality == "good" ? .dim : .warning),
            ])
        }
        return table
    }

    private static func plain(_ value: JSONValue?) -> String { value?.plain ?? "–" }

    private static func count(_ value: JSONValue?) -> String { total(value).map(String.init) ?? "–" }

    private static func duration(_ seconds: JSONValue?) -> String {
        seconds?.double.flatMap { abs($0) < 1e9 ? Duration.seconds($0).text : nil } ?? "–"
    }

    private static func losses(_ value: JSONValue?) -> Cell {
        Cell(count(value), (total(value) ?? 0) > 0 ? .warning : .plain)
    }

    private static func time(_ value: JSONValue?, _ now: Milliseconds) -> String {
        value?.integer.map { LocalTime(Milliseconds($0)).brief(now: now) } ?? "–"
    }
}
