import ArgumentParser
import Model

struct RingExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "All readings that a ring holds, its copies of other gateways' among them.",
        discussion: """
            With --data-dir or --ring out of the file; else a running gateway is asked, which tells those of its whole covey. \
            Each reading comes with its gateway, node, log and offset.
            """)

    @OptionGroup var range: RangeOptions

    /// What programs read.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case csv, json, jsonl, line

        fileprivate var ofReadings: ReadingFormat {
            switch self {
            case .csv: .csv
            case .json: .json
            case .jsonl: .jsonLines
            case .line: .line
            }
        }
    }

    @Option(
        help: "csv, json (one array), jsonl (one object per line), or line (InfluxDB line protocol).",
        completion: .list(Format.allCases.map(\.rawValue)))
    var format: Format

    @Option(
        help: ArgumentHelp("Write to this new file; one that is there is left alone.", valueName: "file"),
        completion: .file())
    var output: String?

    @OptionGroup var ring: RingFileOptions
    @OptionGroup var daemon: DaemonOptions

    func validate() throws { try ring.check(daemon) }

    func run() throws {
        let now = Milliseconds.now
        let query = ReadingQuery(request: try range.request(now: now), isForPerson: true)
        let file = ring.file
        let source = try file.map { try StoppedRing($0, withCopies: true) as any ReadingSource } ?? daemon.client
        // Made once there is something to read from.
        let target = try output.map(Output.init(newFile:)) ?? Output()
        try query.run({ source }, ReadingPrinter(format.ofReadings, to: target, terminal: .current, now: now), now)
        try target.finish()
    }
}
