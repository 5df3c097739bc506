package import Environment
import LogFormat
package import Model

/// A stretch of time to be searched over all logs, on any thread.
package struct QueryPlan: Sendable {
    struct Candidate: Sendable {
        let log: LogID
        let place: BlockPlace
        let first: UInt64
        let end: UInt64
        let earliest: Milliseconds
        let latest: Milliseconds
        /// Only then do `earliest` and `latest` bound the times as told.
        let isTrusted: Bool
    }

    let store: StoreID
    let geometry: Geometry
    let tables: [Int: SeriesTable]
    let clocks: ClockTable
    let candidates: [Candidate]
    let from: Milliseconds?
    let to: Milliseconds?
    let newestFirst: Bool
    let limit: Int

    /// Reads, decodes and filters. Blocks. Holds at most twice the limit and one block in memory.
    package func perform(on disk: any Disk, where matches: (Series) -> Bool) -> QueryResult {
        var reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: tables)
        var result = QueryResult(readings: [], isTruncated: false, damage: [], overwritten: false, failure: nil)
        guard limit > 0 else { return result }
        for candidate in candidates {
            if result.readings.count > limit { trim(&result) }
            if result.readings.count == limit, candidate.isTrusted, isBeyond(candidate, result) {
                result.isTruncated = true
                break
            }
            do {
                let found = try reader.readings(
                    of: candidate.log, candidate.first, candidate.end, at: candidate.place, where: matches)
                for case (let offset, let reading?) in found {
                    let time = clocks.time(of: reading.stamp)
                    if let from, time.time < from { continue }
                    if let to, time.time >= to { continue }
                    let stored = StoredReading(log: candidate.log, offset: Offset(offset), reading: reading)
                    result.readings.append(TimedReading(stored: stored, time: time.time, isTrusted: time.isTrusted))
                    if result.readings.count >= 2 * limit + 1024 { trim(&result) }
                }
            } catch {
                switch error {
                case .damaged(let reason): result.note(candidate, reason)
                case .overwritten: result.overwritten = true
                case .disk(let failure): result.failure = failure
                }
            }
        }
        trim(&result)
        return result
    }

    /// Whether nothing in `candidate` can be among the wanted: `readings` is full and in order.
    private func isBeyond(_ candidate: Candidate, _ result: QueryResult) -> Bool {
        guard let last = result.readings.last else { return false }
        return newestFirst ? candidate.latest < last.time : candidate.earliest > last.time
    }

    private func trim(_ result: inout QueryResult) {
        result.readings.sort { left, right in
            let (one, other) = newestFirst ? (right, left) : (left, right)
            if one.time != other.time { return one.time < other.time }
            if one.stored.log != other.stored.log { return one.stored.log < other.stored.log }
            return one.stored.offset < other.stored.offset
        }
        if result.readings.count > limit {
            result.readings.removeLast(result.readings.count - limit)
            result.isTruncated = true
        }
    }
}

/// A reading with the time that it is told with.
package struct TimedReading: Hashable, Sendable {
    package let stored: StoredReading
    package let time: Milliseconds
    /// Whether the clock was right then, or an anchor has put it right since.
    package let isTrusted: Bool
}

/// What a ``QueryPlan`` found.
package struct QueryResult: Sendable {
    /// In the order asked for.
    package internal(set) var readings: [TimedReading]
    /// There was more than the limit.
    package internal(set) var isTruncated: Bool
    /// For ``RingLog/noteDamage(_:)``.
    package internal(set) var damage: [DamagedRange]
    /// Some blocks were overwritten or moved meanwhile: ask again for what they held.
    package internal(set) var overwritten: Bool
    /// The disk did not answer for some blocks.
    package internal(set) var failure: DiskError?

    mutating func note(_ candidate: QueryPlan.Candidate, _ reason: String) {
        damage.append(
            DamagedRange(
                log: candidate.log, range: Offset(candidate.first)..<Offset(candidate.end),
                segment: candidate.place.segment, generation: candidate.place.generation, reason: reason))
    }
}

extension RingLog {
    /// Readings from `from` up to, not including, `to`, over all logs that this ring minted, with `copies` over all others as well; at
    /// most `limit`, the newest where `newestFirst`, else the oldest.
    package func queryPlan(
        from: Milliseconds?, to: Milliseconds?, newestFirst: Bool, limit: Int, copies: Bool = false
    ) -> QueryPlan {
        var candidates: [QueryPlan.Candidate] = []
        var known: [Int: SeriesTable] = [:]
        for log in logOrder where copies || indexes[log]?.origin == .own {
            for entry in indexes[log]?.entries ?? [] {
                let (earliest, latest) = (Milliseconds(entry.earliest), Milliseconds(entry.latest))
                if entry.isTrusted {
                    if let from, latest < from { continue }
                    if let to, earliest >= to { continue }
                }
                known[Int(entry.segment)] = table(of: Int(entry.segment))
                candidates.append(
                    QueryPlan.Candidate(
                        log: log, place: place(of: entry), first: entry.first, end: entry.end, earliest: earliest,
                        latest: latest, isTrusted: entry.isTrusted))
            }
        }
        // What has no certain time comes first, for it can never be left out unread.
        candidates.sort { left, right in
            if left.isTrusted != right.isTrusted { return !left.isTrusted }
            return newestFirst ? left.latest > right.latest : left.earliest < right.earliest
        }
        return QueryPlan(
            store: store, geometry: options.geometry, tables: known, clocks: clocks, candidates: candidates, from: from,
            to: to, newestFirst: newestFirst, limit: limit)
    }
}
