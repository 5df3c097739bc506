import ArgumentParser
import Model

/// The forms that readings are printed in.
enum ReadingFormat: String, ExpressibleByArgument {
    case table, json
    /// One JSON object per line.
    case jsonLines = "jsonl"
    case csv, line

    static let allValueStrings = ["table", "json", "jsonl", "csv", "line"]

    init?(argument: String) { self.init(rawValue: argument) }
}

/// What takes the readings of a stream, one after the other.
protocol ReadingConsumer {
    /// Readings taken so far, and the time of one of the last.
    var count: Int { get }
    var reached: Milliseconds? { get }
    var notes: StreamNotes { get }

    mutating func begin() throws
    /// Takes one line of the stream.
    mutating func take(_ line: ArraySlice<UInt8>) throws
    /// Ends what was begun, once.
    mutating func end() throws
}

/// What a stream says of itself, told to the person beside the answer.
struct StreamNotes {
    /// Whether something was told.
    private(set) var wasNoted = false
    /// Why the answer broke off, where the daemon has said so.
    private(set) var failure: Failure?

    /// How lines begin that tell of the stream itself.
    private static let marks = ["{\"error\"", "{\"note\"", "{\"dropped\""]

    /// Whether the line was about the stream, and no reading.
    mutating func take(_ line: ArraySlice<UInt8>) -> Bool {
        guard Self.marks.contains(where: { line.starts(with: $0.utf8) }), let told = JSONValue(line),
            told["device"] == nil
        else { return false }
        if let count = told["dropped"]?.integer {
            tell("\(count) readings are missing here: they came faster than they were read")
        }
        if let text = told["note"]?.string {
            wasNoted = true
            tell(text)
        }
        guard let text = told["error"]?.string else { return true }
        failure = Failure(
            .notWell, "the answer is not whole: \(text)" + (told["hint"]?.string.map { "; \($0)" } ?? ""))
        return true
    }
}

/// Prints readings as they come, in one of the forms, and tells beside them what the stream says of itself.
struct ReadingPrinter: ReadingConsumer {
    private let format: ReadingFormat
    private let output: Output
    private var table: ReadingTable
    /// Held back until there are enough of them to set the widths.
    private var waiting: [ReadingRow] = []
    private var isMeasured = false
    private var hasBegun = false
    private(set) var count = 0
    private(set) var reached: Milliseconds?
    private(set) var notes = StreamNotes()

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

    mutating func take(_ line: ArraySlice<UInt8>) throws {
        if notes.take(line) { return }
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

    mutating func end() throws {
        guard hasBegun else { return }
        hasBegun = false
        if format == .json { try output.write(count == 0 ? "]\n" : "\n]\n") }
        try flush()
    }

    // MARK: Parts

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
