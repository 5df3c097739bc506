import Model

/// Takes readings in the order of time, and prints what they come to by series and window as soon as a window is over. It holds one window.
struct WindowPrinter: ReadingConsumer {
    private let windows: TimeWindows
    private let aggregates: [Aggregate]
    private let format: ReadingFormat
    private let output: Output
    private var table: WindowTable
    private var window: Range<Milliseconds>?
    private var tallies: [WindowSeries: Tally] = [:]
    private var hasBegun = false
    private var rows = 0
    /// Readings of a window that had been told already.
    private var late = 0
    private(set) var count = 0
    private(set) var reached: Milliseconds?
    private(set) var notes = StreamNotes()

    /// Series of one window: those of a dozen full gateways.
    private static let mostSeries = 12 * Limits.series

    init(
        _ windows: TimeWindows, _ aggregates: [Aggregate], _ format: ReadingFormat, to output: Output,
        terminal: Terminal, now: Milliseconds
    ) {
        self.windows = windows
        self.aggregates = aggregates
        self.format = format
        self.output = output
        table = WindowTable(aggregates, terminal, now: now)
    }

    mutating func begin() throws {
        hasBegun = true
        if format == .json { try output.write("[") }
        if format == .csv { try output.line(WindowRow.csvHeader(aggregates)) }
    }

    mutating func take(_ line: ArraySlice<UInt8>) throws {
        if notes.take(line) { return }
        guard let row = JSONValue(line).flatMap(ReadingRow.init) else {
            return tell("a line that is no reading was left out")
        }
        count += 1
        reached = row.time
        if let window, !window.contains(row.time) {
            // Two gateways may tell the time of a clock that was never right differently.
            guard row.time >= window.upperBound else {
                late += 1
                return
            }
            try close(window)
            self.window = nil
        }
        if window == nil { window = windows.window(of: row.time) }
        let series = WindowSeries(row)
        if tallies[series] == nil, tallies.count == Self.mostSeries {
            throw Failure(.notWell, "one window has more than \(Self.mostSeries) series: name fewer with a pattern")
        }
        tallies[series, default: Tally()].take(row.value)
    }

    mutating func end() throws {
        guard hasBegun else { return }
        hasBegun = false
        if let window { try close(window) }
        window = nil
        if format == .json { try output.write(rows == 0 ? "]\n" : "\n]\n") }
        for line in table.rest() { try output.line(line) }
        try output.finish()
        if late > 0 { tell("\(late) readings came behind a later window, and are in none") }
    }

    private mutating func close(_ window: Range<Milliseconds>) throws {
        let found = tallies.sorted { $0.key < $1.key }
        tallies.removeAll(keepingCapacity: true)
        for (series, tally) in found {
            try print(
                WindowRow(window: window, series: series, values: aggregates.map { ($0, tally.value($0)) }))
        }
    }

    private mutating func print(_ row: WindowRow) throws {
        switch format {
        case .json:
            try output.write(rows == 0 ? "\n" : ",\n")
            try output.write(row.json)
        case .jsonLines:
            try output.write(row.json)
            try output.write("\n")
        case .csv: try output.line(row.csv)
        case .line: if let line = row.lineProtocol { try output.line(line) }
        case .table: for line in table.take(row) { try output.line(line) }
        }
        rows += 1
    }
}

/// Windows as rows: columns are as wide as the first rows want them, and grow with what comes.
private struct WindowTable {
    private let aggregates: [Aggregate]
    private let terminal: Terminal
    private let now: Milliseconds
    private var isOfOne = true
    private var table: Table
    private var natural: Table.Natural
    private var layout: Table.Layout?
    /// Held back until there are enough of them to set the widths.
    private var waiting: [WindowRow] = []

    private static let measuredRows = 500

    init(_ aggregates: [Aggregate], _ terminal: Terminal, now: Milliseconds) {
        self.aggregates = aggregates
        self.terminal = terminal
        self.now = now
        table = Self.table(aggregates, isOfOne: true)
        natural = table.natural()
    }

    private static func table(_ aggregates: [Aggregate], isOfOne: Bool) -> Table {
        Table(
            [.left("FROM")] + (isOfOne ? [] : [.left("GATEWAY", least: 6)]) + [
                .left("DEVICE", least: 8), .left("METRIC", least: 8),
            ] + aggregates.map { .right($0.rawValue.uppercased(), mayGo: true) } + [.left("UNIT", mayGo: true)])
    }

    mutating func take(_ row: WindowRow) -> [String] {
        waiting.append(row)
        return layout != nil || waiting.count >= Self.measuredRows ? rest() : []
    }

    /// The lines of what was held back, the heading before the first ones.
    mutating func rest() -> [String] {
        guard !waiting.isEmpty else { return [] }
        defer { waiting = [] }
        if layout == nil, Set(waiting.map(\.series.node)).count > 1 {
            isOfOne = false
            table = Self.table(aggregates, isOfOne: false)
            natural = table.natural()
        }
        let rows = waiting.map(cells)
        let known = natural
        for row in rows { natural.note(row) }
        let isFirst = layout == nil
        let layout = isFirst || known != natural ? table.layout(natural, terminal) : layout!
        self.layout = layout
        return (isFirst ? [table.heading(layout, terminal)] : []) + rows.map { table.line($0, layout, terminal) }
    }

    private func cells(_ row: WindowRow) -> [Cell] {
        let start = LocalTime(row.window.lowerBound)
        let time = row.window.lowerBound.rawValue % 1000 == 0 ? start.full : start.precise(now: now)
        return [Cell(time, short: String(time.dropFirst(5)))] + (isOfOne ? [] : [Cell(row.series.gatewayText)])
            + [Cell(row.series.device), Cell(row.series.metric)]
            + row.values.map { Cell($0.value.map(Self.text) ?? "–") } + [Cell(row.series.unit ?? "")]
    }

    /// Seven digits of a number, also where it has an exponent: the mean of what goes up and down is next to nothing.
    private static func text(_ value: JSONValue) -> String {
        guard case .number(let number) = value, let mark = number.firstIndex(of: "e"),
            let mantissa = Double(number[..<mark])
        else { return ReadingRow.text(of: value) }
        return "\((mantissa * 1e6).rounded() / 1e6)" + number[mark...]
    }
}
