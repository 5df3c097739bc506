/// Rows under headings, never wider than the terminal. Where they would be, columns that may shrink do, the widest
/// first; where that is not enough, counts become short, then columns that may go do, the last first; only then is
/// everything cut.
struct Table {
    struct Column {
        let title: String
        let isRight: Bool
        /// It keeps at least so many columns; `nil` where it never shrinks.
        let least: Int?
        /// Whether a table without it still tells what it is for.
        let mayGo: Bool

        static func left(_ title: String, least: Int? = nil, mayGo: Bool = false) -> Column {
            Column(title: title, isRight: false, least: least, mayGo: mayGo)
        }
        static func right(_ title: String, mayGo: Bool = false) -> Column {
            Column(title: title, isRight: true, least: nil, mayGo: mayGo)
        }
    }

    /// How wide each column is; `nil` for one that has no room.
    struct Layout: Equatable {
        fileprivate(set) var widths: [Int?]
        fileprivate(set) var isShort = false

        fileprivate func total(indent: Int) -> Int {
            let shown = widths.compactMap { $0 }
            return shown.reduce(0, +) + Table.gap * max(0, shown.count - 1) + indent
        }
    }

    let columns: [Column]
    var rows: [[Cell]] = []
    let indent: Int
    /// What is said below a row, by the row's index: long text that no column has room for.
    private var notes: [Int: [(text: String, tone: Tone)]] = [:]

    private static let gap = 2
    private static let leastHeading = 4
    /// Lines that a note may take; it is an error's text, not a story.
    private static let noteLines = 3

    init(_ columns: [Column], indent: Int = 0) {
        self.columns = columns
        self.indent = indent
    }

    /// Says something below the last row; nothing if there is nothing.
    mutating func note(_ text: String?, _ tone: Tone = .warning) {
        guard let text, !text.isEmpty else { return }
        notes[rows.count - 1, default: []].append((text, tone))
    }

    func lines(_ terminal: Terminal) -> [String] {
        let layout = layout(terminal)
        var lines = [heading(layout, terminal)]
        for (index, row) in rows.enumerated() {
            lines.append(line(row, layout, terminal))
            for note in notes[index] ?? [] { lines += self.lines(note.text, note.tone, terminal) }
        }
        return lines
    }

    private func lines(_ note: String, _ tone: Tone, _ terminal: Terminal) -> [String] {
        let mark = String(repeating: " ", count: indent + Self.gap) + (tone == .warning ? "! " : "")
        let text = hanging(mark, note, to: terminal.width)
        return text.prefix(Self.noteLines).enumerated().map { place, line in
            let isCut = place == Self.noteLines - 1 && text.count > Self.noteLines
            return tone.dressed(isCut ? cut(line, to: terminal.width - 2) + " …" : line, terminal)
        }
    }

    func heading(_ layout: Layout, _ terminal: Terminal) -> String {
        line(columns.map { Cell($0.title, .dim) }, layout, terminal)
    }

    func line(_ cells: [Cell], _ layout: Layout, _ terminal: Terminal) -> String {
        var line = String(repeating: " ", count: indent)
        var pending = 0
        for (index, cell) in cells.enumerated() {
            guard let width = layout.widths[index] else { continue }
            let text = Self.fitted(cell, width, layout)
            let space = width - covey.columns(text)
            // No line ends in spaces.
            if text.isEmpty {
                pending += width + Self.gap
                continue
            }
            line += String(repeating: " ", count: pending + (columns[index].isRight ? space : 0))
            line += cell.tone.dressed(text, terminal)
            pending = Self.gap + (columns[index].isRight ? 0 : space)
        }
        return line
    }

    private static func fitted(_ cell: Cell, _ width: Int, _ layout: Layout) -> String {
        let text = layout.isShort ? cell.short ?? cell.text : cell.text
        guard cell.keepsEnd, covey.columns(text) > width else { return cut(text, to: width) }
        return String(text.suffix(width))
    }
}

extension Table {
    /// The layout for the rows that are there.
    func layout(_ terminal: Terminal) -> Layout { layout(natural(), terminal) }

    /// The layout for rows of which only the widths are known, in full and with short counts.
    func layout(_ natural: Natural, _ terminal: Terminal) -> Layout {
        var layout = Layout(widths: natural.full)
        let least = Layout(widths: columns.indices.map { min(natural.full[$0], columns[$0].least ?? .max) })
        if least.total(indent: indent) > terminal.width {
            layout = Layout(widths: natural.short, isShort: true)
        }
        while layout.total(indent: indent) > terminal.width {
            if shrinkWidest(&layout) || cutHeading(&layout, natural.data) { continue }
            if let index = columns.indices.last(where: { columns[$0].mayGo && layout.widths[$0] != nil }) {
                layout.widths[index] = nil
                // What the others gave up for it they have again, as far as there is room.
                for index in columns.indices where layout.widths[index] != nil {
                    layout.widths[index] = natural.short[index]
                }
                continue
            }
            guard let index = columns.indices.last(where: { (layout.widths[$0] ?? 0) > 1 }) else { break }
            layout.widths[index]? -= 1
        }
        return layout
    }

    /// Widths that are wanted.
    struct Natural: Equatable {
        /// By rows and headings, with counts in full.
        var full: [Int]
        /// The same with short counts.
        var short: [Int]
        /// By the rows alone, with short counts.
        var data: [Int]

        mutating func note(_ row: [Cell]) {
            for (index, cell) in row.enumerated() {
                full[index] = max(full[index], covey.columns(cell.text))
                let short = covey.columns(cell.short ?? cell.text)
                self.short[index] = max(self.short[index], short)
                data[index] = max(data[index], short)
            }
        }
    }

    func natural() -> Natural {
        let titles = columns.map { covey.columns($0.title) }
        var natural = Natural(full: titles, short: titles, data: titles.map { _ in 0 })
        for row in rows { natural.note(row) }
        return natural
    }

    /// A heading says less than the counts below it.
    private func cutHeading(_ layout: inout Layout, _ data: [Int]) -> Bool {
        let wide = columns.indices.filter { index in
            guard columns[index].isRight, let width = layout.widths[index] else { return false }
            return width > max(data[index], Self.leastHeading)
        }
        guard let widest = wide.max(by: { layout.widths[$0]! < layout.widths[$1]! }) else { return false }
        layout.widths[widest]? -= 1
        return true
    }

    private func shrinkWidest(_ layout: inout Layout) -> Bool {
        let shrinkable = columns.indices.filter { index in
            guard let least = columns[index].least, let width = layout.widths[index] else { return false }
            return width > least
        }
        guard let widest = shrinkable.max(by: { layout.widths[$0]! < layout.widths[$1]! }) else { return false }
        layout.widths[widest]? -= 1
        return true
    }
}
