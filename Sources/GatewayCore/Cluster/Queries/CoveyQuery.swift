package import Environment
import LogFormat
package import Model
import Replication
package import RingLog

// Pure: no clock, randomness, I/O or unordered iteration of its own.

/// One query over the covey: merges what is on this gateway's disk with what others have, page by page and in order of time, so that
/// nobody ever holds all of its answer. What this gateway lacks is asked of those who say that they have it, in pages; where one of them
/// fails, the next goes on at the place that was reached, and what nobody brings is named.
///
/// Its owner performs the directives, passes in what comes and then a tick, and takes readings out whenever there are some. It may
/// let as much time pass between that as whoever reads the answer needs: only then is anything waited for.
package struct CoveyQuery: Sendable {
    let wish: QueryWish
    /// Who has which of what, as it was when the query began.
    let elsewhere: [Elsewhere]
    var sources: [QuerySource] = []
    /// Those that are asked no more, in the order in which they failed.
    var failed: [(node: NodeID, reason: Missing.Reason)] = []
    /// Who has turned out to have less of a log than it said, and is asked for no more of it.
    var lacking: [LogName: [NodeID]] = [:]
    package internal(set) var missing: [Missing] = []
    package internal(set) var counts = AskedCounts()
    /// Readings to ask for at a time.
    let pageReadings: Int
    private var own = OwnSource()
    package let ownScope: OwnScope

    /// - Parameters:
    ///   - elsewhere: What is to be had from others, ascending by log; the rest is here.
    ///   - limit: Readings that are wanted in all.
    package init(_ wish: QueryWish, elsewhere: [Elsewhere], limit: Int = .max) {
        self.wish = wish
        self.elsewhere = elsewhere
        var assigned = Assignment(elsewhere: elsewhere)
        for lacking in elsewhere {
            let all = lacking.holders.reduce(into: OffsetRanges()) { $0.formUnion($1.ranges) }
            assigned.assign(all, of: lacking.log)
        }
        let sources = assigned.sources(after: nil, since: nil)
        self.sources = Array(sources.prefix(QueryLimits.sources))
        missing = assigned.missing
        let share = QueryLimits.heldReadings / max(self.sources.count, 1)
        pageReadings = min(max(share, QueryLimits.leastPageReadings), QueryLimits.pageReadings, limit)
        var scopes: [LogID: OffsetRanges] = [:]
        for part in self.sources.flatMap(\.parts) {
            scopes[part.name.log, default: OffsetRanges()].formUnion(part.ranges)
        }
        ownScope = OwnScope(others: scopes.mapValues(\.ranges))
        for source in sources.dropFirst(QueryLimits.sources) { crowd(out: source) }
    }

    /// Takes in one event. Directives are to be carried out in order.
    package mutating func step(
        _ event: CoveyQueryEvent, now: MonotonicInstant, using random: inout some RandomNumberGenerator
    ) -> [CoveyQueryDirective] {
        switch event {
        case .own(let readings, let isLast): own.take(readings, isLast: isLast)
        // What has come counts before what has not, however late it was looked at.
        case .news(.answer(_, let bytes, let peer)): receive(bytes, from: peer, now: now)
        case .news(.lost(let peer)): lose(peer)
        case .tick: expire(now)
        }
        var directives: [CoveyQueryDirective] = []
        if own.wantsMore { directives.append(.readOwn) }
        ask(now, &directives, &random)
        return directives
    }

    /// Whether all has been told that could be had.
    package var isDone: Bool { own.isOver && sources.isEmpty }

    /// The questions that wait for an answer.
    package var openQuestions: [QuestionID] {
        sources.compactMap { if case .asked(let id, _) = $0.state { id } else { nil } }
    }

    /// When a ``CoveyQueryEvent/tick`` is wanted; `nil` where only this gateway's disk is waited for.
    package var wake: MonotonicInstant? {
        sources.reduce(nil) { earliest, source in
            guard source.isEmpty else { return earliest }
            return earliest.orEarlier(source.deadline).orEarlier(source.since?.advanced(by: QueryLimits.waiting))
        }
    }

    // MARK: Telling

    /// The next readings in order, at most `most`; none while something is waited for that may come before all else.
    package mutating func take(_ most: Int) -> [ToldReading] {
        var told: [ToldReading] = []
        while told.count < most, !own.isBlank, sources.allSatisfy({ !$0.isEmpty }) {
            guard let (first, limit) = heads() else { break }
            // As long as it stays ahead of all others.
            while told.count < most, let head = head(of: first), limit.map({ !comes($0, before: head) }) ?? true {
                told.append(pop(first))
            }
            if let first, sources[first].isEmpty { sources[first].drain() }
            sources.removeAll { $0.isEmpty && $0.isLast }
        }
        return told
    }

    /// Whose reading comes first, `nil` for this gateway's own, and where the next one of another is.
    private func heads() -> (first: Int?, limit: QueryPlace?)? {
        var best: (index: Int?, place: QueryPlace)?
        var second: QueryPlace?
        if let place = own.head { best = (nil, place) }
        for index in sources.indices {
            guard let place = sources[index].head else { continue }
            if let leader = best, !comes(place, before: leader.place) {
                if second.map({ comes(place, before: $0) }) ?? true { second = place }
            } else {
                second = best?.place
                best = (index, place)
            }
        }
        return best.map { ($0.index, second) }
    }

    private func comes(_ place: QueryPlace, before other: QueryPlace) -> Bool {
        place.comes(before: other, newestFirst: wish.newestFirst)
    }

    private func head(of source: Int?) -> QueryPlace? { source.map { sources[$0].head } ?? own.head }

    private mutating func pop(_ source: Int?) -> ToldReading {
        guard let source else { return ToldReading(reading: own.pop(), name: nil, clock: nil) }
        return sources[source].pop()
    }
}

package enum CoveyQueryEvent: Sendable {
    /// Answers ``CoveyQueryDirective/readOwn``: the next readings of this disk in order, and whether there are no more.
    case own([TimedReading], isLast: Bool)
    case news(QueryNews)
    case tick
}

package enum CoveyQueryDirective: Sendable {
    /// Read the next page of this gateway's own, within ``CoveyQuery/ownScope``.
    case readOwn
    case send([UInt8], to: NodeID)
}

/// What of the logs a query is to read here: not what others were asked for, even should it come here meanwhile.
package struct OwnScope: Sendable {
    let others: [LogID: [Range<Offset>]]

    package subscript(_ log: LogID) -> LogScope { others[log].map { .except($0) } ?? .all }
}

/// A reading as a query tells it.
package struct ToldReading: Hashable, Sendable {
    package let reading: TimedReading
    /// Whose it is, where it came from a peer.
    package let name: LogName?
    /// By which its time is told, where it came from a peer.
    package let clock: PageClock?
}

/// The clock of the gateway that brought a page; one for all of its readings.
package final class PageClock: Sendable, Hashable {
    package let table: ClockTable

    init(_ anchors: [ClockAnchor]) {
        table = ClockTable(anchors)
    }

    package static func == (left: PageClock, right: PageClock) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// What is on this gateway's disk, a page of it.
private struct OwnSource: Sendable {
    private var page: [TimedReading] = []
    private var next = 0
    private var isLast = false
    private var isAsked = false

    /// Whether a page is needed before anything can be told.
    var isBlank: Bool { next == page.count && !isLast }
    var isOver: Bool { next == page.count && isLast }
    var head: QueryPlace? { next < page.count ? page[next].place : nil }

    var wantsMore: Bool {
        mutating get {
            guard isBlank, !isAsked else { return false }
            isAsked = true
            return true
        }
    }

    mutating func take(_ readings: [TimedReading], isLast: Bool) {
        (page, next, self.isLast, isAsked) = (readings, 0, isLast, false)
    }

    mutating func pop() -> TimedReading {
        defer { next += 1 }
        return page[next]
    }
}
