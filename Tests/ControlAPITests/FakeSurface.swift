import ControlAPI
import Model
import Synchronization

/// A gateway that says what a test wants.
final class FakeSurface: ControlSurface {
    typealias Call = @Sendable () async throws -> [UInt8]

    private let onStatus: Call
    private let onQuery: @Sendable (QueryRequest) async throws -> LineStream
    private let onTail: @Sendable ([Glob]) async throws -> LineStream
    private let report: HealthReport

    init(
        health: HealthReport = HealthReport(.ok), status: @escaping Call = { Array(#"{"health":"ok"}"#.utf8) },
        query: @escaping @Sendable (QueryRequest) async throws -> LineStream = { _ in lines([]) },
        tail: @escaping @Sendable ([Glob]) async throws -> LineStream = { _ in lines([]) }
    ) {
        onStatus = status
        onQuery = query
        onTail = tail
        report = health
    }

    func status() async throws -> [UInt8] { try await onStatus() }
    func devices() async throws -> [UInt8] { Array(#"[{"id":"soil-3"}]"#.utf8) }
    func uploads() async throws -> [UInt8] { Array(#"[{"name":"cloud"}]"#.utf8) }
    func peers() async throws -> [UInt8] { Array("[]".utf8) }
    func ring() async throws -> [UInt8] { Array(#"{"logs":[]}"#.utf8) }
    func latest(_ globs: [Glob], history: Int) async throws -> [UInt8] {
        var json = JSONWriter()
        json.array { json in
            for glob in globs { json.string(glob.pattern) }
            if history > 0 { json.integer(history) }
        }
        return json.bytes
    }
    func query(_ request: QueryRequest) async throws -> LineStream { try await onQuery(request) }
    func tail(_ globs: [Glob]) async throws -> LineStream { try await onTail(globs) }
    func health() async throws -> HealthReport { report }
    func perform(_ order: ControlOrder) async throws -> [UInt8] {
        if case .forget("alive") = order { throw ControlError(.conflict, "it is alive") }
        return Array(#"{"did":"\#(order)"}"#.utf8)
    }
    func metrics() async throws -> [UInt8] { Array("covey_received_total 7\n".utf8) }
}

/// A stream of these chunks.
func lines(_ chunks: [String]) -> LineStream {
    let rest = Counter()
    return LineStream {
        let index = rest.next()
        return index < chunks.count ? Array(chunks[index].utf8) : nil
    }
}

final class Counter: Sendable {
    private let count = Mutex(0)

    /// How often it was called before.
    func next() -> Int {
        count.withLock { count in
            count += 1
            return count - 1
        }
    }

    var value: Int { count.withLock { $0 } }
}

/// Something that happens once, and can be awaited.
final class Happening: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func happen() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

/// Waits until the task is cancelled, and says so.
func waitForever(_ cancelled: Happening? = nil) async throws -> [UInt8]? {
    let never = Happening()
    await withTaskCancellationHandler {
        await never.wait()
    } onCancel: {
        cancelled?.happen()
    }
    throw CancellationError()
}
