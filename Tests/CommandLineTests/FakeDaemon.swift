import ControlAPI
import Glibc
import Model
import Testing

@testable import covey

/// A daemon that says what a test wants, on a real socket.
struct FakeDaemon: ControlSurface {
    var statusText = "{}"
    var devicesText = "[]"
    var uploadsText = "[]"
    var peersText = "[]"
    /// One after the other; the last stays.
    var ringTexts = Texts(["{}"])
    var readings: [String] = []
    /// Where `latest` has others than a query.
    var latestReadings: [String]?
    /// Whether `latest` leaves out what no glob matches.
    var filtersLatest = false
    var historyRefusal: ControlError?
    var tails: TailHub?
    /// What it answers to orders, one after the other.
    var orders = Orders([])
    /// Where a query fails after its readings.
    var failure: ControlError?

    func status() async throws -> [UInt8] { Array(statusText.utf8) }
    func devices() async throws -> [UInt8] { Array(devicesText.utf8) }
    func uploads() async throws -> [UInt8] { Array(uploadsText.utf8) }
    func peers() async throws -> [UInt8] { Array(peersText.utf8) }
    func ring() async throws -> [UInt8] { await ringTexts.next() }
    func latest(_ globs: [Glob], history: Int) async throws -> [UInt8] {
        if let historyRefusal, history > 0 { throw historyRefusal }
        let wanted = (latestReadings ?? readings).filter { text in
            guard filtersLatest, !globs.isEmpty, let row = JSONValue(text.utf8).flatMap(ReadingRow.init) else {
                return true
            }
            return globs.contains { $0.matches(row.device) || $0.matches("\(row.device)/\(row.metric)") }
        }
        return Array("[\(wanted.joined(separator: ","))]".utf8)
    }
    func health() async throws -> HealthReport { HealthReport(.ok) }
    func metrics() async throws -> [UInt8] { [] }
    func perform(_ order: ControlOrder) async throws -> [UInt8] { try await orders.next(order) }

    func query(_ request: QueryRequest) async throws -> LineStream {
        let failure = failure
        let rest = Rest(readings.map { Array(($0 + "\n").utf8) })
        return LineStream {
            if let chunk = await rest.next() { return chunk }
            if let failure { throw failure }
            return nil
        }
    }

    func tail(_ globs: [Glob]) async throws -> LineStream {
        guard let tails else { throw ControlError(.unavailable, "no tails here") }
        return try tails.follow(globs)
    }

    private actor Rest {
        private var chunks: [[UInt8]]

        init(_ chunks: [[UInt8]]) {
            self.chunks = chunks.reversed()
        }

        func next() -> [UInt8]? { chunks.popLast() }
    }
}

actor Texts {
    private var texts: [String]

    init(_ texts: [String]) { self.texts = texts }

    func next() -> [UInt8] { Array((texts.count > 1 ? texts.removeFirst() : texts[0]).utf8) }
}

/// Answers to orders, and what was ordered.
actor Orders {
    private var answers: [String]
    private(set) var taken: [ControlOrder] = []

    init(_ answers: [String]) { self.answers = answers }

    func next(_ order: ControlOrder) throws -> [UInt8] {
        taken.append(order)
        guard !answers.isEmpty else { throw ControlError(.conflict, "it cannot be done") }
        return Array(answers.removeFirst().utf8)
    }
}

func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    var template = Array("/tmp/covey-cli-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
        for name in ["api.sock", "key", "covey.toml"] { unlink(folder + "/" + name) }
        rmdir(folder)
    }
    return try await body(folder)
}

/// Runs `body` with the socket's path while `daemon` is served there.
func withDaemon(_ daemon: FakeDaemon, _ body: (String) async throws -> Void) async throws {
    try await withFolder { folder in
        let path = folder + "/api.sock"
        let server = ControlServer(.unix(path: path), version: "1.2.3", surface: daemon)
        let (readiness, continuation) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await server.run { _ in continuation.yield() }
            }
            for await _ in readiness {
                try await body(path)
                break
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

/// Asks such a daemon once.
func ask(
    _ daemon: FakeDaemon, _ arguments: [String], environment: [String: String] = [:], onTerminal columns: Int? = nil
) async throws -> Outcome {
    var outcome = Outcome()
    try await withDaemon(daemon) { path in
        outcome = try await Child.run(arguments + ["--socket", path], environment: environment, onTerminal: columns)
    }
    return outcome
}
