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

    @Option(
        help: "csv, json (one array), jsonl (one object per line), or line (InfluxDB line protocol).",
        completion: .list(ReadingFormat.allValueStrings.filter { $0 != "table" }))
    var format: ReadingFormat

    @Option(
        help: ArgumentHelp("Write to this new file; one that is there is left alone.", valueName: "file"),
        completion: .file())
    var output: String?

    @OptionGroup var ring: RingFileOptions
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        try ring.check(daemon)
        if format == .table { throw ValidationError("--format table is for people: csv, json, jsonl or line") }
    }

    func run() throws {
        let now = Milliseconds.now
        let query = ReadingQuery(request: try range.request(now: now), isForPerson: true)
        let file = ring.file
        let source = try file.map { try StoppedRing($0, withCopies: true) as any ReadingSource } ?? daemon.client
        // Made once there is something to read from.
        let target = try output.map(Output.init(newFile:)) ?? Output()
        try query.run({ source }, ReadingPrinter(format, to: target, terminal: .current, now: now), now)
        try target.finish()
    }
}
