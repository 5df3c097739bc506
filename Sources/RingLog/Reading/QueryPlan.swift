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
    var after: QueryPlace?
    /// Of what lies from here on in the plan's direction, some blocks are not in the plan.
    var horizon: Milliseconds?

    /// How many blocks it reads at most.
    package var blocks: Int { candidates.count }

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
                    guard isWithin(time.time, candidate.log, Offset(offset)) else { continue }
                    let stored = StoredReading(log: candidate.log, offset: Offset(offset), reading: reading)
                    result.readings.append(TimedReading(stored: stored, time: time.time, isTrusted: time.isTrusted))
                    if result.readings.count >= 2 * limit + 1024 { trim(&result) }
                }
            } catch {
                switch error {
                case .damaged(let reason): result.note(candidate, reason)
                case .overwritten: result.overwritten = true
                case .disk(let failure), .unread(let failure): result.failure = failure
                }
            }
        }
        trim(&result)
        result.end = end(of: result)
        if let horizon {
            let place = QueryPlace(before: horizon, newestFirst: newestFirst)
            let whole = result.readings.count
            result.readings.removeAll { !$0.place.comes(before: place, newestFirst: newestFirst) }
            if result.end == nil || result.readings.count < whole { result.end = place }
            result.isTruncated = true
        }
        return result
    }

    /// The last place that the answer has reached, where there may be more behind it.
    private func end(of result: QueryResult) -> QueryPlace? { result.isTruncated ? result.readings.last?.place : nil }

    private func isWithin(_ time: Milliseconds, _ log: LogID, _ offset: Offset) -> Bool {
        if let from, time < from { return false }
        if let to, time >= to { return false }
        guard let after else { return true }
        return after.comes(before: QueryPlace(time: time, log: log, offset: offset), newestFirst: newestFirst)
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

    package init(stored: StoredReading, time: Milliseconds, isTrusted: Bool) {
        self.stored = stored
        self.time = time
        self.isTrusted = isTrusted
    }
}

/// What a ``QueryPlan`` found.
package struct QueryResult: Sendable {
    /// In the order asked for.
    package internal(set) var readings: [TimedReading]
    /// There was more than the limit.
    package internal(set) var isTruncated: Bool
    /// Where to go on, behind this place; `nil` where the answer is whole.
    package internal(set) var end: QueryPlace?
    /// For ``RingLog/noteDamage(_:)``.
    package internal(set) var damage: [DamagedRange]
    /// Some blocks were overwritten or moved meanwhile: ask again for what they held.
    package internal(set) var overwritten: Bool
    /// The disk did not answer for some blocks.
    package internal(set) var failure: DiskError?

    mutating func note(_ candidate: QueryPlan.Candidate, _ reason: String) {
        damage.append(DamagedRange(candidate.log, candidate.first, candidate.end, at: candidate.place, reason))
    }
}
