import LogFormat
package import Model

extension RingLog {
    /// Gives up what was measured before `limit` and is released: nobody misses it but those who ask for the past. What is not released stays,
    /// whatever its age, as does what nobody can date; so a clock that is wrong costs history, and no reading that a sink lacks.
    ///
    /// Blocks go whole, once the newest reading in them is that old, and once their segment is merged or no commit needs it any more.
    package mutating func expire(before limit: Milliseconds) -> [RingEvent] {
        let candidates = Set(evictable.map { UInt16($0) })
        for log in logOrder {
            guard let index = indexes[log] else { continue }
            for range in expired(in: index, before: limit, candidates) {
                let taken = indexes[log]?.remove(range.lowerBound, range.upperBound) ?? []
                for entry in taken {
                    if index.origin == .own { noteEvicted(entry, of: log) }
                    segments[Int(entry.segment)].held -= Int(entry.count)
                    counters.expired += Int(entry.count)
                }
                leave(log, range.lowerBound, range.upperBound, .uploaded)
            }
        }
        census = nil
        freeEmpty()
        return takeEvents()
    }

    /// Offsets, ascending; neighbours are one range.
    private func expired(
        in index: LogIndex, before limit: Milliseconds, _ candidates: Set<UInt16>
    ) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for entry in index.entries {
            guard entry.first < index.released else { break }
            guard entry.isTrusted, entry.latest < limit.rawValue, candidates.contains(entry.segment) else { continue }
            let end = min(entry.end, index.released)
            if let last = ranges.last, last.upperBound == entry.first {
                ranges[ranges.count - 1] = last.lowerBound..<end
            } else {
                ranges.append(entry.first..<end)
            }
        }
        return ranges
    }
}
