import Model

/// Readings as rows that come for as long as they please: columns are as wide as what has been seen so far, and grow
/// with what comes, while the line has room.
struct ReadingTable {
    private static func table(ofOneGateway isOfOne: Bool) -> Table {
        Table(
            [.right("TIME")] + (isOfOne ? [] : [.left("GATEWAY", least: 6)]) + [
                .left("DEVICE", least: 8), .left("METRIC", least: 8), .left("VALUE", least: 8),
                .left("QUALITY", least: 7, mayGo: true),
            ])
    }

    private let terminal: Terminal
    private let now: Milliseconds
    /// The column of gateways is there where the first readings are of several.
    private var isOfOne = true
    private var table = ReadingTable.table(ofOneGateway: true)
    private var natural = ReadingTable.table(ofOneGateway: true).natural()
    private var layout: Table.Layout?

    /// Readings of the day of `now` show their time alone.
    init(_ terminal: Terminal, now: Milliseconds) {
        self.terminal = terminal
        self.now = now
    }

    /// The lines of these readings, the heading before the first ones.
    mutating func lines(_ readings: [ReadingRow]) -> [String] {
        if layout == nil, Set(readings.map(\.node)).count > 1 {
            isOfOne = false
            table = Self.table(ofOneGateway: false)
            natural = table.natural()
        }
        let rows = readings.map(cells)
        let known = natural
        for row in rows { natural.note(row) }
        let isFirst = layout == nil
        let layout = isFirst || known != natural ? table.layout(natural, terminal) : layout!
        self.layout = layout
        return (isFirst ? [table.heading(layout, terminal)] : [])
            + rows.map { table.line($0, layout, terminal) }
    }

    private func cells(_ row: ReadingRow) -> [Cell] {
        let time = LocalTime(row.time).precise(now: now)
        return [Cell(time, short: String(time.dropLast(4)))] + (isOfOne ? [] : [Cell(row.gatewayText)]) + [
            Cell(row.device), Cell(row.metric), Cell(row.valueText),
            Cell(row.quality, row.quality == "good" ? .dim : .warning),
        ]
    }
}
