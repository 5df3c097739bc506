package import Logging
import Glibc
import Model
import Synchronization

/// From which level on log lines are written; a reload moves it for all loggers.
package final class LogThreshold: Sendable {
    private let current: Mutex<Logger.Level>

    package init(_ level: Logger.Level) { current = Mutex(level) }

    package var level: Logger.Level {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}

/// Log lines on standard error. Under systemd each begins with its priority, which the journal takes off and keeps; elsewhere with the time.
package struct LogOutput: LogHandler {
    package var logLevel: Logger.Level {
        get { own ?? threshold.level }
        set { own = newValue }
    }
    package var metadata: Logger.Metadata = [:]
    private let isJournal: Bool
    private let threshold: LogThreshold
    /// Of a logger that was given a level of its own.
    private var own: Logger.Level?

    package init(_ threshold: LogThreshold) {
        self.threshold = threshold
        isJournal = getenv("JOURNAL_STREAM") != nil
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let head = isJournal ? "<\(Self.priority(event.level))>" : "\(Self.time()) \(event.level.rawValue) "
        // One write per line, so that lines of several threads do not mix; a line ends where a log line should.
        let line = head + event.message.description.replacingNewlines + "\n"
        var bytes = Array(line.utf8)
        if bytes.count > Self.longestLine { bytes = Array(bytes.prefix(Self.longestLine - 1)) + [UInt8(ascii: "\n")] }
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static let longestLine = 2048

    private static func time() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Milliseconds(Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000).iso8601
    }

    /// The numbers of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

extension String {
    /// A message may quote what a sensor sent; a line feed in it must not begin a line of its own.
    fileprivate var replacingNewlines: String {
        String(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }
}
