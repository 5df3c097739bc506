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
    /// Single-writer streams: removals up to here were collected by some member. Who holds entries of before that and knows less
    /// is not told of their ends by a delta, and first needs a listing of what stands.
    var collected: UInt64 = 0
    /// A sum over the versions of entries that stand: where it differs at equal versions, an end was missed, as that of a shared
    /// entry by another stream's write that was collected since.
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

    /// What root and buckets sum up.
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
    var collected: UInt64 = 0
    var alive: UInt64 = 0
}

extension WriterRecord {
    var line: Known { Known(writer: id, version: version, collected: collected, alive: alive) }
}
