import Environment
import Logging
import Model
import Synchronization

/// The most lines that a gateway writes, whatever happens to it: a journal on an SD card costs flash too, and drowns what matters.
/// What is above is counted, and told once the window is over. Critical lines always pass.
final class LogCeiling: Sendable {
    /// Lines within one window: more than a site that is well writes in a day.
    static let lines = 100
    /// Errors have room of their own: they say what was given up, such as each quarantined device of a site, and must not drown in warnings.
    static let errors = 400
    static let window = Duration.seconds(10)

    private struct State {
        var since: MonotonicInstant
        var written = 0
        var errors = 0
        var held = 0
        var totals: [Logger.Level: UInt64] = [:]
        var suppressed: UInt64 = 0
    }

    private let clock: any Environment.Clock
    private let state: Mutex<State>

    init(clock: any Environment.Clock) {
        self.clock = clock
        state = Mutex(State(since: clock.now))
    }

    /// The same logger below this ceiling.
    func over(_ logger: Logger) -> Logger {
        var logger = logger
        logger.handler = Handler(inner: logger.handler, ceiling: self)
        return logger
    }

    /// Lines written, by level, and lines that were left out.
    var counts: (written: [Logger.Level: UInt64], suppressed: UInt64) {
        state.withLock { ($0.totals, $0.suppressed) }
    }

    /// Tells of lines that were left out in a window that is over; to be called now and then, as the next line may be hours away.
    func flush(to logger: Logger) {
        // Any line would do it; this one asks without being one.
        if let held = state.withLock({ turn(&$0) }) { tell(held, logger.handler) }
    }

    private func pass(_ event: LogEvent, to handler: any LogHandler) {
        let (held, isAdmitted) = state.withLock { state in
            let held = turn(&state)
            guard hasRoom(event.level, &state) else {
                state.held += 1
                state.suppressed += 1
                return (held, false)
            }
            state.totals[event.level, default: 0] += 1
            return (held, true)
        }
        if let held { tell(held, handler) }
        if isAdmitted { handler.log(event: event) }
    }

    private func hasRoom(_ level: Logger.Level, _ state: inout State) -> Bool {
        switch level {
        case .critical: return true
        case .error:
            state.errors += 1
            return state.errors <= Self.errors
        default:
            state.written += 1
            return state.written <= Self.lines
        }
    }

    /// Begins a new window where the old one is over; gives what that one held back.
    private func turn(_ state: inout State) -> Int? {
        guard state.since.duration(to: clock.now) >= Self.window else { return nil }
        defer {
            state.since = clock.now
            state.written = 0
            state.errors = 0
            state.held = 0
        }
        return state.held > 0 ? state.held : nil
    }

    private func tell(_ held: Int, _ handler: any LogHandler) {
        let handler = (handler as? Handler)?.inner ?? handler
        handler.log(
            event: LogEvent(
                level: .warning,
                message:
                    "\(held) log lines were left out: more than \(Self.lines), or \(Self.errors) errors, came within \(Self.window.text)",
                metadata: nil, source: nil, file: #fileID, function: #function, line: #line))
    }

    private struct Handler: LogHandler {
        var inner: any LogHandler
        let ceiling: LogCeiling

        var logLevel: Logger.Level {
            get { inner.logLevel }
            set { inner.logLevel = newValue }
        }
        var metadata: Logger.Metadata {
            get { inner.metadata }
            set { inner.metadata = newValue }
        }
        var metadataProvider: Logger.MetadataProvider? {
            get { inner.metadataProvider }
            set { inner.metadataProvider = newValue }
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { inner[metadataKey: key] }
            set { inner[metadataKey: key] = newValue }
        }

        func log(event: LogEvent) { ceiling.pass(event, to: inner) }
    }
}
