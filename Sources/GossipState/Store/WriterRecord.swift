// Pure.
import Environment
import Model

/// Where an entry is kept.
struct Place: Hashable, Sendable {
    let space: UInt8
    let key: [UInt8]
    let element: [UInt8]
}

/// What is known of one stream of writes.
struct WriterRecord: Sendable {
    let id: WriterID
    let tag: UInt64
    let heardAt: MonotonicInstant
    /// All that is alive of the stream up to here is known: what is missing below is dead.
    var version: UInt64 = 0
    /// A member had the stream up to here when it sent us a part: up to here superseded entries may still be missing.
    var goal: UInt64 = 0
    /// Single-writer streams: removals up to here may have been collected, so that who knows less than that cannot be told of
    /// them by a delta.
    var collected: UInt64 = 0
    /// Shared streams: a sum over the versions of entries that stand. What ended an entry may have been another stream's write
    /// that was collected since, so versions alone do not say who knows of its end.
    var alive: UInt64 = 0
    /// Ascending; those whose entry has since moved on or gone are stale.
    var log: [(version: UInt64, place: Place)] = []
    /// Entries of this stream in tables.
    var live = 0
    var counts: [UInt8: Int] = [:]
    /// News above this is being spread, for so many rounds more.
    var newsAbove: UInt64 = 0
    var roundsLeft = 0
    var newsSince = MonotonicInstant(nanoseconds: 0)

    init(id: WriterID, now: MonotonicInstant) {
        self.id = id
        tag = id.tag
        heardAt = now
    }

    /// What root and buckets sum up. A single-writer stream's collections are no news: who knows its removals collects
    /// them itself.
    var digest: UInt64 { mix(tag, mix(version, alive)) }

    var bucket: Int { Int(tag >> 59) }

    /// The first slot above `version`.
    func slot(above version: UInt64) -> Int {
        var low = 0
        var high = log.count
        while low < high {
            let middle = (low + high) / 2
            if log[middle].version <= version { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// How far one member knows a stream, as pages tell it.
struct Known: Hashable, Sendable {
    let writer: WriterID
    var version: UInt64
    /// Of a single-writer stream.
    var collected: UInt64 = 0
    /// Of a shared stream.
    var alive: UInt64 = 0
}

extension WriterRecord {
    var line: Known { Known(writer: id, version: version, collected: collected, alive: alive) }
}
