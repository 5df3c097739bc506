import ArgumentParser
import Model

/// The forms that readings are printed in.
enum ReadingFormat: String, ExpressibleByArgument {
    case table, json, csv, line
    /// One JSON object per line, for what has no end; `covey tail --json`, not for `--format`.
    case jsonLines

    static let allValueStrings = ["table", "json", "csv", "line"]

    init?(argument: String) {
        guard Self.allValueStrings.contains(argument) else { return nil }
        self.init(rawValue: argument)
    }
}

/// Prints readings as they come, in one of the forms, and tells beside them what the stream says of itself.
struct ReadingPrinter {
    private let format: ReadingFormat
    private let output: Output
    private var table: ReadingTable
    /// Held back until there are enough of them to set the widths.
    private var waiting: [ReadingRow] = []
    private var isMeasured = false
    private var hasBegun = false
    /// Readings printed so far, and the time of the last one.
    private(set) var count = 0
    private(set) var reached: Milliseconds?
    /// Whether something was told beside the readings.
    private(set) var wasNoted = false
    /// Why the answer broke off, where the daemon has said so.
    private(set) var failure: Failure?

    /// Rows that set the widths of all: enough to have seen the names, few enough to start at once.
    private static let measuredRows = 500
    /// Readings between two looks at the time that the query has reached, where the form does not need it.
    private static let sampled = 4096

    init(_ format: ReadingFormat, to output: Output, terminal: Terminal, now: Milliseconds = .now) {
        self.format = format
        self.output = output
        table = ReadingTable(terminal, now: now)
    }

    mutating func begin() throws {
        hasBegun = true
        if format == .json { try output.write("[") }
        if format == .csv { try output.line(ReadingRow.csvHeader) }
    }

    /// Takes one line of the stream.
    mutating func take(_ line: ArraySlice<UInt8>) throws {
        if Self.marks.contains(where: { line.starts(with: $0.utf8) }), let told = JSONValue(line), told["device"] == nil
        {
            return note(told)
        }
        switch format {
        case .json:
            try output.write(count == 0 ? "\n" : ",\n")
            try output.write(line)
            if count % Self.sampled == 0 { reached = JSONValue(line).flatMap(ReadingRow.init)?.time ?? reached }
        case .jsonLines:
            try output.write(line)
            try output.write("\n")
        case .table, .csv, .line:
            guard let row = JSONValue(line).flatMap(ReadingRow.init) else {
                return tell("a line that is no reading was left out")
            }
            reached = row.time
            switch format {
            case .csv: try output.line(row.csv)
            case .line: try output.line(row.lineProtocol)
            case .table, .json, .jsonLines: try show(row)
            }
        }
        count += 1
    }

    /// Shows what is held back for the widths; whoever follows a stream calls it when nothing more waits.
    mutating func flush() throws {
        try showWaiting()
        try output.flush()
    }

    /// Ends what was begun, once.
    mutating func end() throws {
        guard hasBegun else { return }
        hasBegun = false
        if format == .json { try output.write(count == 0 ? "]\n" : "\n]\n") }
        try flush()
    }

    // MARK: Parts

    /// How lines begin that tell of the stream itself.
    private static let marks = ["{\"error\"", "{\"note\"", "{\"dropped\""]

    private mutating func note(_ told: JSONValue) {
        if let count = told["dropped"]?.integer {
            tell("\(count) readings are missing here: they came faster than they were read")
        }
        if let text = told["note"]?.string {
            wasNoted = true
            tell(text)
        }
        guard let text = told["error"]?.string else { return }
        failure = Failure(.notWell, "the answer is not whole: \(text)" + (told["hint"]?.string.map { "; \($0)" } ?? ""))
    }

    private mutating func show(_ row: ReadingRow) throws {
        waiting.append(row)
        if isMeasured || waiting.count >= Self.measuredRows { try showWaiting() }
    }

    private mutating func showWaiting() throws {
        guard !waiting.isEmpty else { return }
        for line in table.lines(waiting) { try output.line(line) }
        waiting = []
        isMeasured = true
    }
}
