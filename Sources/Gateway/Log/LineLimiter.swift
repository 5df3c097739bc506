// Pure: no clock, no I/O.
import Environment
import Logging

/// Which lines of repeating sources are told: the first ones of each source within an interval. Of the rest, the newest is kept and told
/// when the interval is over, with how many it stands for, so that a source which falls silent leaves no count untold.
struct LineLimiter: Sendable {
    typealias Text = @Sendable () -> String

    /// A line that is to be written, and how many more happened since the source's last one.
    struct Line: Sendable {
        let level: Logger.Level
        let text: Text
        let more: Int
    }

    private struct Source {
        var since: MonotonicInstant
        /// Lines told since.
        var told = 0
        var held = 0
        var newest: (level: Logger.Level, text: Text)?
    }

    /// A source has its say once a minute.
    static let interval = Duration.seconds(60)
    /// Sources that are remembered; further ones share one place. Each costs its newest line.
    static let mostSources = 4096

    private var sources: [String: Source] = [:]
    /// Lines that were held back, ever.
    private(set) var suppressed: UInt64 = 0

    /// - Parameters:
    ///   - count: Events that the line stands for.
    ///   - burst: Lines that the source has within an interval.
    /// - Returns: `nil` where the line is held back.
    mutating func admit(
        _ level: Logger.Level, from name: String, count: Int = 1, burst: Int = 1, now: MonotonicInstant,
        _ text: @escaping Text
    ) -> Line? {
        let key = sources[name] != nil || sources.count < Self.mostSources ? name : "(others)"
        var source = sources[key] ?? Source(since: now)
        defer { sources[key] = source }
        if source.since.duration(to: now) >= Self.interval {
            source.since = now
            source.told = 0
        }
        guard source.told < burst else {
            source.held += count
            source.newest = (level, text)
            suppressed += 1
            return nil
        }
        source.told += 1
        defer {
            source.held = 0
            source.newest = nil
        }
        return Line(level: level, text: text, more: source.held + count - 1)
    }

    /// The lines that were held back and whose interval is over, by source. Forgets sources that have nothing to tell.
    mutating func overdue(now: MonotonicInstant) -> [Line] {
        var lines: [Line] = []
        for (key, source) in sources.sorted(by: { $0.key < $1.key })
        where source.since.duration(to: now) >= Self.interval {
            guard let newest = source.newest else {
                sources[key] = nil
                continue
            }
            lines.append(Line(level: newest.level, text: newest.text, more: source.held - 1))
            sources[key] = Source(since: now, told: 1)
        }
        return lines
    }
}
