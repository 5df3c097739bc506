/// What a cell means, shown by colour where there is one.
enum Tone {
    case plain, good, warning, bad, dim

    init(state: String) {
        switch state {
        case "ok", "good", "running", "connected", "idle", "alive", "uploading", "up": self = .good
        case "failed", "quarantined", "dead", "down", "bad", "refused": self = .bad
        case "–", "stopped", "left", "disabled": self = .dim
        default: self = .warning
        }
    }

    private var code: String {
        switch self {
        case .plain: ""
        case .good: "32"
        case .warning: "33"
        case .bad: "31"
        case .dim: "2"
        }
    }

    func dressed(_ text: String, _ terminal: Terminal) -> String {
        terminal.hasColour && self != .plain ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

struct Cell {
    let text: String
    let tone: Tone

    init(_ text: String, _ tone: Tone = .plain) {
        self.text = printable(text)
        self.tone = tone
    }

    /// A state, coloured by its word.
    init(state: String) { self.init(state, Tone(state: state)) }
}

/// Rows under headings, never wider than the terminal: columns that may shrink do, the widest first, and their text is cut.
struct Table {
    struct Column {
        let title: String
        let isRight: Bool
        /// It keeps at least so many columns; `nil` where it never shrinks.
        let least: Int?

        static func left(_ title: String, least: Int? = nil) -> Column {
            Column(title: title, isRight: false, least: least)
        }
        static func right(_ title: String) -> Column { Column(title: title, isRight: true, least: nil) }
    }

    let columns: [Column]
    var rows: [[Cell]] = []
    let indent: Int
    /// What is said below a row, by the row's index: long text that no column has room for.
    private var notes: [Int: String] = [:]

    private static let gap = 2

    init(_ columns: [Column], indent: Int = 0) {
        self.columns = columns
        self.indent = indent
    }

    /// Widths for the rows that are there.
    func widths(_ terminal: Terminal) -> [Int] {
        var widths = columns.indices.map { index in
            rows.reduce(covey.columns(columns[index].title)) { max($0, covey.columns($1[index].text)) }
        }
        while total(widths) > terminal.width {
            let shrinkable = columns.indices.filter { index in columns[index].least.map { widths[index] > $0 } ?? false
            }
            // Nothing left that may shrink: the last column gives way, so that no line ever wraps.
            guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else {
                guard let index = columns.indices.last(where: { widths[$0] > 1 }) else { break }
                widths[index] -= 1
                continue
            }
            widths[widest] -= 1
        }
        return widths
    }

    func lines(_ terminal: Terminal) -> [String] {
        let widths = widths(terminal)
        var lines = [heading(widths, terminal)]
        for (index, row) in rows.enumerated() {
            lines.append(line(row, widths, terminal))
            guard let note = notes[index] else { continue }
            let text = cut(String(repeating: " ", count: indent + Self.gap) + "! " + note, to: terminal.width)
            lines.append(Tone.warning.dressed(text, terminal))
        }
        return lines
    }

    /// Says something below the last row; nothing if there is nothing.
    mutating func note(_ text: String?) {
        guard let text, !text.isEmpty else { return }
        notes[rows.count - 1] = printable(text)
    }

    func heading(_ widths: [Int], _ terminal: Terminal) -> String {
        line(columns.map { Cell($0.title, .dim) }, widths, terminal)
    }

    func line(_ cells: [Cell], _ widths: [Int], _ terminal: Terminal) -> String {
        var line = String(repeating: " ", count: indent)
        for (index, cell) in cells.enumerated() {
            let text = cut(cell.text, to: widths[index])
            let space = String(repeating: " ", count: widths[index] - covey.columns(text))
            let isLast = index == cells.count - 1
            let dressed = cell.tone.dressed(text, terminal)
            line += columns[index].isRight ? space + dressed : dressed + (isLast ? "" : space)
            if !isLast { line += String(repeating: " ", count: Self.gap) }
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    private func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + Self.gap * (widths.count - 1) + indent }
}
