import ArgumentParser
import ControlAPI
import Model

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Stored readings of a time range, oldest first.",
        discussion: """
            Times are durations back from now (1h, "15 min"), or ISO times, local where they name no zone (2026-11-21T08:15). Without --since \
            the range begins with the oldest reading held.
            """)

    @Argument(
        help: "Patterns over DEVICE/METRIC, or over DEVICE alone: * for any text, ? for one character. None means all.")
    var globs: [String] = []

    @Option(help: ArgumentHelp("From this time on, itself included.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Up to this time, itself not included.", valueName: "time"))
    var until: String?

    @Option(help: ArgumentHelp("At most so many readings, the newest of the range.", valueName: "n"))
    var limit: Int?

    @Option(help: "table, json (one array), csv, or line (InfluxDB line protocol).")
    var format = ReadingFormat.table

    @Option(
        help: ArgumentHelp("Read the ring of a stopped gateway in its data_dir, without a daemon.", valueName: "dir"))
    var dataDir: String?

    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more") }
        if dataDir != nil, daemon.socket != nil {
            throw ValidationError("--data-dir asks no daemon: leave out --socket")
        }
    }

    func run() throws {
        let request = try request(now: .now)
        var printer = ReadingPrinter(format, to: Output(), terminal: .current)
        do {
            if let dataDir {
                let ring = try StoppedRing(directory: dataDir)
                ring.findings.forEach(tell)
                try printer.begin()
                try ring.read(request) { try printer.take($0) }
            } else {
                try daemon.client.lines(request.target, begin: { try printer.begin() }, line: { try printer.take($0) })
            }
            try printer.end()
        } catch let failure as Failure {
            // What came before stays whole: the array is closed, then the failure is told.
            try printer.end()
            throw printer.failure ?? failure
        }
        if let failure = printer.failure { throw failure }
    }

    private func request(now: Milliseconds) throws -> QueryRequest {
        let since = try since.map { try Milliseconds.moment($0, now: now) }
        let until = try until.map { try Milliseconds.moment($0, now: now) }
        if let since, let until, since >= until { throw Failure(.wrongCall, "--since is not before --until") }
        return QueryRequest(globs: globs.map(Glob.init), since: since, until: until, limit: limit)
    }
}

extension QueryRequest {
    /// The target of the request that asks a daemon for it.
    var target: String {
        var others: [(name: String, value: String)] = []
        if let since { others.append(("since", String(since.rawValue))) }
        if let until { others.append(("until", String(until.rawValue))) }
        if let limit { others.append(("limit", String(limit))) }
        return covey.target("/v1/query", globs: globs.map(\.pattern), others)
    }
}
