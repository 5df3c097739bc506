/// Every row of every table, and the page that is written from them.
enum Matrix {
    static let rows: [BadInput] =
        PayloadRow.rows.map(\.page) + FloodRow.rows.map(\.page) + ConfigurationRow.rows.map(\.page)
        + RingRow.rows.map(\.page) + BrokerRow.rows.map(\.page) + SinkRow.rows.map(\.page)

    /// `Documentation/BadInput.md`.
    static var page: String {
        var text = """
            # What becomes of bad input

            Written from the tables in `Tests/BadInputTests`, which run every row against the real program, a real broker and a real
            receiver: `COVEY_WRITE_PAGES=1 swift test --filter MatrixTests` writes it anew. In every row the good device beside the bad
            thing goes on: what the broker acknowledged before, meanwhile and afterwards is stored, and at the sink once.

            A message is logged once for each source and minute, and says how many more there were; `…` stands for what differs. Counters
            are members of `covey status --json`; `DEVICE` is the device, `(unrouted)` stands for messages that belong to none.

            """
        for source in BadInput.Source.allCases {
            let head = source == .configuration ? "| case | message, behind `FILE:` |" : "| case | message |"
            let rule = "|---|---|"
            text += "\n## \(source.rawValue)\n"
            text += remark(source)
            text +=
                source == .configuration
                ? "\(head) what to do |\n\(rule)---|\n" : "\(head) counter | what to do |\n\(rule)---|---|\n"
            for row in merged(rows.filter { $0.source == source }) { text += line(row) }
        }
        return text
    }

    private static func remark(_ source: BadInput.Source) -> String {
        switch source {
        case .configuration:
            """
            `covey check` prints every fault of a file in one run and exits with 1; `covey run` says the same and does not start.


            """
        case .ring:
            """
            The gateway starts over all of these. The message is in the log and in `ring.recovery`.


            """
        case .sink:
            """
            The message is `last_error` in `covey uploads`; the log has it once a sink has failed five times in a row. What is pending waits.


            """
        default: ""
        }
    }

    /// Rows that differ only in their kind are one line.
    private static func merged(_ rows: [BadInput]) -> [BadInput] {
        var kinds: [BadInput: [String]] = [:]
        var order: [BadInput] = []
        for row in rows {
            var plain = row
            plain.kind = ""
            if kinds[plain] == nil { order.append(plain) }
            kinds[plain, default: []].append(row.kind)
        }
        return order.map { plain in
            var row = plain
            row.kind = kinds[plain, default: []].joined(separator: ", ")
            return row
        }
    }

    /// Where the message itself is shown is said above the table.
    private static func counters(of row: BadInput) -> String {
        let others = row.counters.filter { counter in
            guard let message = row.message else { return true }
            return counter.move != .says(message)
        }
        return others.isEmpty ? "none" : others.map(\.text).joined(separator: ", ")
    }

    private static func line(_ row: BadInput) -> String {
        let thing = row.kind.isEmpty ? row.thing : "\(row.kind): \(row.thing)"
        let message = row.message.map { "`` \($0.hasSuffix(" ") ? $0 + "…" : $0) ``" } ?? "none"
        var cells = [thing, message]
        if row.source != .configuration { cells.append(counters(of: row)) }
        cells.append(row.advice)
        return "| " + cells.map { $0.split(separator: "|").joined(separator: "\\|") }.joined(separator: " | ") + " |\n"
    }
}
