import ArgumentParser
import ControlAPI
import Model

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Stored readings of a time range, oldest first, or what they come to by window.",
        discussion: """
            Times are durations back from now (1h, "15 min"), or ISO times, local where they name no zone \
            (2026-11-21T08:15). Without --since the range begins with the oldest reading held.
            """)

    @OptionGroup var range: RangeOptions

    @Option(
        help: ArgumentHelp(
            "Of this gateway of the covey alone, by name or by how its node id begins; may stand several times.",
            valueName: "name"))
    var gateway: [String] = []

    @Option(help: ArgumentHelp("At most so many readings, the newest of the range.", valueName: "n"))
    var limit: Int?

    @Option(
        help: ArgumentHelp(
            "One line for each series and window of this length (5min, 1h, 1d) in place of its readings.",
            valueName: "duration"))
    var every: String?

    @Option(
        help: ArgumentHelp(
            "With --every: what is told of a window, separated by commas: count, min, max, mean, first, last "
                + "(default: mean,min,max,count). Of flags the mean is the share that was true.",
            valueName: "list"))
    var aggregate: String?

    @Option(
        help: "table, json (one array), jsonl (one object per line), csv, or line (InfluxDB line protocol).",
        completion: .list(ReadingFormat.allValueStrings))
    var format = ReadingFormat.table

    @Option(
        help: ArgumentHelp("Read the ring of a stopped gateway in its data_dir, without a daemon.", valueName: "dir"),
        completion: .directory)
    var dataDir: String?

    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more") }
        if dataDir != nil, !gateway.isEmpty {
            throw ValidationError("--data-dir reads that gateway's own readings: leave out --gateway")
        }
        if dataDir != nil, daemon.socket != nil {
            throw ValidationError("--data-dir asks no daemon: leave out --socket")
        }
        if every != nil, limit != nil {
            throw ValidationError("--limit counts readings, and --every tells windows: narrow the range with --since")
        }
        if aggregate != nil, every == nil { throw ValidationError("--aggregate is for --every") }
    }

    func run() throws {
        let now = Milliseconds.now
        let windows = try every.map(TimeWindows.init)
        let aggregates = try aggregate.map(Aggregate.list) ?? Aggregate.usual
        let query = ReadingQuery(
            request: try range.request(now: now, limit: limit, gateways: gateway), isForPerson: format == .table)
        let file = dataDir.map(RingFile.init(directory:))
        let source = { try file.map { try StoppedRing($0) as any ReadingSource } ?? daemon.client }
        if let windows {
            try query.run(
                source, WindowPrinter(windows, aggregates, format, to: Output(), terminal: .current, now: now), now)
        } else {
            try query.run(source, ReadingPrinter(format, to: Output(), terminal: .current, now: now), now)
        }
    }
}

/// Which readings: what `query` and `ring export` share.
struct RangeOptions: ParsableArguments {
    @Argument(
        help: "Patterns over DEVICE/METRIC, or over DEVICE alone: * for any text, ? for one character. None means all.",
        completion: Completion.series)
    var globs: [String] = []

    @Option(help: ArgumentHelp("From this time on, itself included.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Up to this time, itself not included.", valueName: "time"))
    var until: String?

    func request(now: Milliseconds, limit: Int? = nil, gateways: [String] = []) throws -> QueryRequest {
        let since = try since.map { try Milliseconds.moment($0, now: now) }
        let until = try until.map { try Milliseconds.moment($0, now: now) }
        if let since, let until, since >= until {
            let times = [since, until].map { LocalTime($0).full }
            throw Failure(.wrongCall, "--since (\(times[0])) is not before --until (\(times[1])); is one the other?")
        }
        if let since, since > now {
            throw Failure(.wrongCall, "--since (\(LocalTime(since).full)) is in the future, where no reading is")
        }
        return QueryRequest(globs: globs.map(Glob.init), since: since, until: until, limit: limit, gateways: gateways)
    }
}

/// Reads what is asked for from wherever it is, and hands it on as it comes.
struct ReadingQuery {
    let request: QueryRequest
    /// Whether it is said in words that there was nothing.
    let isForPerson: Bool

    func run(
        _ open: () throws -> any ReadingSource, _ consumer: some ReadingConsumer, _ now: Milliseconds
    ) throws {
        var consumer = consumer
        defer { Progress.end() }
        do {
            let source = try open()
            try source.read(request, begin: { try consumer.begin() }) { line in
                try consumer.take(line)
                Progress.say { source.progress(consumer, request, now: now) }
            }
            Progress.end()
            try consumer.end()
            if consumer.count == 0, consumer.notes.failure == nil {
                try tellNothing(source, isWhole: !consumer.notes.wasNoted)
            }
        } catch let failure as Failure {
            Progress.end()
            // What came before stays whole: the array is closed, then the failure is told.
            try consumer.end()
            throw consumer.notes.failure ?? failure
        }
        if let failure = consumer.notes.failure { throw failure }
    }

    /// Nothing was found: the call was wrong where nothing could be found; else it is an answer as good as any.
    ///
    /// - Parameter isWhole: Whether all that is known of has been asked.
    private func tellNothing(_ source: any ReadingSource, isWhole: Bool) throws {
        let globs = request.globs.map(\.pattern)
        let complaints = try source.names().complaints(about: globs)
        // Names that other gateways alone have are not known here: they are wrong only where all of time was searched.
        let isAlone = try source.isAlone()
        let isCertain = isAlone || (isWhole && request.since == nil && request.until == nil)
        if isCertain, !complaints.isEmpty, complaints.count == globs.count {
            throw Failure(.wrongCall, complaints.joined(separator: "; "))
        }
        if isAlone, let until = request.until, let oldest = try source.oldest(), until <= oldest {
            throw Failure(
                .wrongCall,
                "--until (\(LocalTime(until).full)) is before the oldest reading held (\(LocalTime(oldest).full))")
        }
        if isForPerson {
            tell(request.since == nil && request.until == nil ? "no readings" : "no readings in that time")
        }
        complaints.forEach(tell)
    }
}

/// Where a query's readings come from.
protocol ReadingSource {
    /// Calls `begin` once there is an answer, then `line` with the JSON of each reading, oldest first, and of what is
    /// told beside them.
    func read(_ request: QueryRequest, begin: () throws -> Void, _ line: (ArraySlice<UInt8>) throws -> Void) throws
    /// What can be asked for.
    func names() throws -> KnownNames
    /// Whether there are no other gateways that may have readings.
    func isAlone() throws -> Bool
    /// The time of the oldest reading held; `nil` where there is none, or it is not known.
    func oldest() throws -> Milliseconds?
    /// How far a query is, in words.
    func progress(_ printer: any ReadingConsumer, _ request: QueryRequest, now: Milliseconds) -> String
}

extension DaemonClient: ReadingSource {
    func read(_ request: QueryRequest, begin: () throws -> Void, _ line: (ArraySlice<UInt8>) throws -> Void) throws {
        Progress.begin("waiting for the daemon")
        try lines(request.target, begin: begin, line: line)
    }

    func names() throws -> KnownNames { try KnownNames(self) }

    func isAlone() throws -> Bool { try document("/v1/peers").elements.isEmpty }

    func oldest() throws -> Milliseconds? {
        try document("/v1/status")["ring"]?["oldest_t"]?.integer.map(Milliseconds.init)
    }

    func progress(_ printer: any ReadingConsumer, _ request: QueryRequest, now: Milliseconds) -> String {
        var text = "\(grouped(printer.count)) readings"
        guard let reached = printer.reached else { return text }
        text += ", at \(LocalTime(reached).brief(now: now))"
        guard let since = request.since else { return text }
        let span = (request.until ?? now).rawValue - since.rawValue
        let part = Double(reached.rawValue - since.rawValue) / Double(max(span, 1))
        return text + " (\(Int(min(max(part, 0), 1) * 100)) %)"
    }
}

extension QueryRequest {
    /// The target of the request that asks a daemon for it.
    var target: String {
        var others: [(name: String, value: String)] = []
        if let since { others.append(("since", String(since.rawValue))) }
        if let until { others.append(("until", String(until.rawValue))) }
        if let limit { others.append(("limit", String(limit))) }
        others += gateways.map { ("gateway", $0) }
        return covey.target("/v1/query", globs: globs.map(\.pattern), others)
    }
}
