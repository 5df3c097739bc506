import LogFormat
package import Model

extension RingLog {
    /// Readings from `from` up to, not including, `to`, over all logs that this ring minted, with `copies` over all others as well; at
    /// most `limit`, the newest where `newestFirst`, else the oldest.
    package func queryPlan(
        from: Milliseconds?, to: Milliseconds?, newestFirst: Bool, limit: Int, copies: Bool = false
    ) -> QueryPlan {
        queryPlan(from: from, to: to, newestFirst: newestFirst, limit: limit) { log in
            copies || indexes[log]?.origin == .own ? .all : .nothing
        }
    }

    /// Readings of what `scope` says of each log, behind `after` in the order of time.
    ///
    /// - Parameter blocks: The plan has so many blocks of those that lie apart in time at most, and its answer ends before the next
    ///   one. Those whose time is not certain, and those that reach back to where the answer begins, always are in it.
    package func queryPlan(
        from: Milliseconds?, to: Milliseconds?, newestFirst: Bool, limit: Int, after: QueryPlace? = nil,
        blocks: Int = .max, scope: (LogID) -> LogScope
    ) -> QueryPlan {
        let bound = after?.nextTime(newestFirst: newestFirst)
        let from = newestFirst ? from : [from, bound].compactMap(\.self).max()
        let start = newestFirst ? [bound, to].compactMap(\.self).min() : from
        var list = CandidateList(newestFirst: newestFirst, start: start, most: blocks)
        for log in logOrder {
            let part = scope(log)
            if case .nothing = part { continue }
            for entry in indexes[log]?.entries ?? [] {
                let (earliest, latest) = (Milliseconds(entry.earliest), Milliseconds(entry.latest))
                if entry.isTrusted {
                    if let from, latest < from { continue }
                    if let to, earliest >= to { continue }
                    if newestFirst, let bound, earliest > bound { continue }
                }
                guard list.takes(earliest, latest, isTrusted: entry.isTrusted) else { continue }
                for entry in part.parts(of: entry) {
                    list.append(
                        QueryPlan.Candidate(
                            log: log, place: place(of: entry), first: entry.first, end: entry.end, earliest: earliest,
                            latest: latest, isTrusted: entry.isTrusted))
                }
            }
        }
        list.cut()
        var known: [Int: SeriesTable] = [:]
        for candidate in list.all where known[candidate.place.segment] == nil {
            known[candidate.place.segment] = table(of: candidate.place.segment)
        }
        return QueryPlan(
            store: store, geometry: options.geometry, tables: known, clocks: clocks, candidates: list.all, from: from,
            to: to, newestFirst: newestFirst, limit: limit, after: after, horizon: list.horizon)
    }
}

/// The first blocks of a query in the order of time. Never holds much more than it shall, however many there are.
private struct CandidateList {
    private(set) var all: [QueryPlan.Candidate] = []
    /// Where what was left out begins.
    private(set) var horizon: Milliseconds?
    private let newestFirst: Bool
    /// Where the answer begins.
    private let start: Milliseconds?
    private let most: Int

    init(newestFirst: Bool, start: Milliseconds?, most: Int) {
        self.newestFirst = newestFirst
        self.start = start
        self.most = most
    }

    /// Whether it is before the horizon.
    func takes(_ earliest: Milliseconds, _ latest: Milliseconds, isTrusted: Bool) -> Bool {
        guard isTrusted, let horizon else { return true }
        return newestFirst ? latest > horizon : earliest < horizon
    }

    mutating func append(_ candidate: QueryPlan.Candidate) {
        all.append(candidate)
        if all.count / 2 >= most, all.count.nonzeroBitCount == 1 { cut() }
    }

    /// What has no certain time comes first, for it can never be left out unread; then what reaches back to the start, without which the
    /// answer would not begin; then `most` others.
    mutating func cut() {
        all.sort { left, right in
            if left.isTrusted != right.isTrusted { return !left.isTrusted }
            return newestFirst ? left.latest > right.latest : left.earliest < right.earliest
        }
        let needed = all.prefix(while: isNeeded).count
        guard all.count - needed > most else { return }
        let first = all[needed + most]
        horizon = newestFirst ? first.latest : first.earliest
        all.removeSubrange((needed + most)...)
    }

    private func isNeeded(_ candidate: QueryPlan.Candidate) -> Bool {
        guard candidate.isTrusted else { return true }
        guard let start else { return false }
        return newestFirst ? candidate.latest >= start : candidate.earliest <= start
    }
}
