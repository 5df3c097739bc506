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

/// Log lines on standard error. Where that is the journal, each begins with its priority, which the journal takes off and keeps; elsewhere
/// with the time. Metadata follows the message as `key=value`, sorted by key.
package struct LogOutput: LogHandler {
    package var logLevel: Logger.Level {
        get { own ?? threshold.level }
        set { own = newValue }
    }
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let isJournal: Bool
    private let threshold: LogThreshold
    /// Of a logger that was given a level of its own.
    private var own: Logger.Level?

    package init(_ threshold: LogThreshold) {
        self.threshold = threshold
        isJournal = Self.isJournal(
            getenv("JOURNAL_STREAM").map { String(cString: $0) }, descriptor: STDERR_FILENO)
    }

    /// Whether `descriptor` is the stream that systemd means with `$JOURNAL_STREAM` (`DEVICE:INODE`): a child that inherits the variable
    /// with another standard error, a file or a terminal, must not write priorities into it.
    static func isJournal(_ stream: String?, descriptor: Int32) -> Bool {
        guard let parts = stream?.split(separator: ":"), parts.count == 2 else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return UInt64(parts[0]) == UInt64(status.st_dev) && UInt64(parts[1]) == UInt64(status.st_ino)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let head = isJournal ? "<\(Self.priority(event.level))>" : "\(Self.time()) \(event.level.rawValue) "
        // One write per line, so that lines of several threads do not mix.
        let bytes = Self.line(head, event, own: metadata, provided: metadataProvider?.get() ?? [:])
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// One line of at most ``longestLine`` bytes with its line feed, cut at a whole character. Metadata given with the line wins over
    /// what a provider gives, and that over the logger's own.
    static func line(
        _ head: String, _ event: LogEvent, own: Logger.Metadata = [:], provided: Logger.Metadata = [:]
    ) -> [UInt8] {
        var text = head + event.message.description
        var all = own.merging(provided) { _, new in new }.merging(event.metadata ?? [:]) { _, new in new }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(quoted(value.description))" }
        var bytes = Array(text.replacingNewlines.utf8)
        if bytes.count >= longestLine {
            var end = longestLine - 1 - ellipsis.count
            while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            bytes = bytes[..<end] + ellipsis
        }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// Longer ones are cut by the journal too, later.
    static let longestLine = 2048
    private static let ellipsis = Array("…".utf8)

    /// As it is where it is one plain word, else in quotes.
    private static func quoted(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"\"\\=".utf8.contains($0) }
        if isPlain, !value.isEmpty { return value }
        var quoted = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func time() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Milliseconds(Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000).iso8601
    }

    /// The numbers of syslog(3).
    static func priority(_ level: Logger.Level) -> Int {
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
        String(UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }
}
