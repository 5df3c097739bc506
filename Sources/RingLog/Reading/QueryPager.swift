import Environment
package import Model

/// Follows a query through time, page by page, so that nobody ever holds all of its answer. Pages end within a millisecond, whose readings
/// come again with the next page and are told once.
package struct QueryPager: Sendable {
    private struct Place: Hashable {
        let log: LogID
        let offset: Offset
    }

    /// Readings of one page: they are held and sorted together.
    private static let pageReadings = 4096

    /// Where the next page begins; `nil` for the oldest reading held.
    package private(set) var from: Milliseconds?
    /// Whether the last page has been taken.
    package private(set) var isDone = false
    private var told: Set<Place> = []

    package init(from: Milliseconds?) {
        self.from = from
    }

    /// What to ask the next page's plan for.
    package var limit: Int { Self.pageReadings + told.count }

    /// Takes the answer to a plan made with ``from``, ``limit`` and oldest first; returns what was not told before.
    package mutating func take(_ result: QueryResult) -> [TimedReading] {
        let fresh = result.readings.filter { !told.contains(Self.place($0)) }
        isDone = !result.isTruncated || fresh.isEmpty
        if let end = result.readings.last?.time {
            let last = Set(result.readings.reversed().prefix { $0.time == end }.map(Self.place))
            told = end == from ? told.union(last) : last
            from = end
        }
        return fresh
    }

    private static func place(_ reading: TimedReading) -> Place {
        Place(log: reading.stored.log, offset: reading.stored.offset)
    }
}

extension QueryResult {
    /// The newest readings that can be had at once: they are held in memory together.
    package static let newestReadings = 1_000_000

    /// What a person should know of this answer, a sentence each.
    package var notes: [String] {
        var notes = damage.map { damage in
            let count = damage.range.lowerBound.distance(to: damage.range.upperBound)
            return "segment \(damage.segment): \(count) readings of log \(damage.log) are missing: \(damage.reason)"
        }
        if let failure { notes.append("some readings are missing: \(failure.message)") }
        if overwritten { notes.append("some readings are missing: they were overwritten meanwhile") }
        return notes
    }
}
