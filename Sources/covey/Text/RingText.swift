import Model

/// `covey ring info` for a person: what there is in all, the segments by use, the logs, and what will not come.
struct RingText {
    private let info: JSONValue
    private let terminal: Terminal
    private let now: Milliseconds

    /// Gaps of one log that are listed; the rest is in `--json`.
    private static let gapsShown = 4

    static func lines(_ info: JSONValue, _ terminal: Terminal, now: Milliseconds) -> [String] {
        let text = RingText(info: info, terminal: terminal, now: now)
        let logs = info["logs"]?.elements ?? []
        var lines = text.heading() + [""] + text.segments().lines(terminal)
        if !logs.isEmpty { lines += [""] + text.table(logs).lines(terminal) }
        let recovery = info["recovery"]?.elements ?? []
        if !recovery.isEmpty { lines += ["", "Found when it was opened"] }
        for sentence in recovery { lines += hanging("  ", sentence.plain, to: terminal.width) }
        return lines
    }

    private func heading() -> [String] {
        let readings = total(info["readings"]) ?? 0
        var parts = ["\(readings) reading\(readings == 1 ? "" : "s")"]
        if let copies = total(info["copies"]), copies > 0 { parts.append("\(copies) of them copies") }
        if readings > 0 {
            parts.append("from \(time(info["oldest_t"])) to \(time(info["newest_t"]))")
            let bytes = info["bytes_per_reading"]?.double ?? 0
            parts.append("\(ReadingRow.text(of: .number(String((bytes * 10).rounded() / 10)))) bytes each")
        }
        let size = info["bytes"]?.integer.map { ByteCount($0).description } ?? "–"
        let name = info["gateway"]?.string ?? ""
        return wrapped(
            (name.isEmpty ? "" : printable(name) + ": ") + "\(size), " + parts.joined(separator: ", "),
            to: terminal.width)
    }

    private func segments() -> Table {
        var table = Table([.left("SEGMENTS"), .left("KIND"), .right("COUNT"), .right("READINGS")])
        for group in info["segments"]?.elements ?? [] {
            table.rows.append([
                Cell(plain(group["state"])), Cell(group["kind"]?.string ?? "–"), Cell(count: total(group["count"])),
                Cell(count: total(group["readings"])),
            ])
        }
        return table
    }

    private func table(_ logs: [JSONValue]) -> Table {
        var table = Table([
            .left("LOG"), .left("GATEWAY", least: 6), .right("READINGS"), .right("END"), .right("OLDEST", mayGo: true),
            .right("NEWEST", mayGo: true), .right("LOST"), .right("SENT", mayGo: true),
        ])
        for log in logs {
            let gateway = log["gateway"]?.string ?? ""
            let name = gateway.isEmpty ? String(plain(log["node"]).prefix(8)) : gateway
            let gaps = log["gaps"]?.elements ?? []
            table.rows.append([
                Cell(plain(log["log"])), Cell(name.isEmpty ? "–" : name), Cell(count: total(log["readings"])),
                Cell(count: total(log["end"])), Cell(time(log["oldest_t"])), Cell(time(log["newest_t"])),
                Cell(count: Self.sum(gaps, "evicted") &+ Self.sum(gaps, "damaged"), isLoss: true),
                Cell(count: Self.sum(gaps, "uploaded")),
            ])
            for gap in gaps.prefix(Self.gapsShown) {
                table.note("\(plain(gap["reason"])): \(plain(gap["first"])) up to \(plain(gap["end"]))", .dim)
            }
            if gaps.count > Self.gapsShown { table.note("and \(gaps.count - Self.gapsShown) gaps more: --json", .dim) }
        }
        return table
    }

    private static func sum(_ gaps: [JSONValue], _ reason: String) -> Int64 {
        gaps.filter { $0["reason"]?.string == reason }.reduce(0) {
            $0 &+ ($1["end"]?.integer ?? 0) &- ($1["first"]?.integer ?? 0)
        }
    }

    private func time(_ value: JSONValue?) -> String {
        value?.integer.map { LocalTime.ago(Milliseconds($0), now: now) } ?? "–"
    }

    private func plain(_ value: JSONValue?) -> String { value?.plain ?? "–" }
}
