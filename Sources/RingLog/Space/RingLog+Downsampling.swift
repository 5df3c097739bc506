import LogFormat
package import Model

/// Own readings that no sink has, all of one segment: where new ones need the room, they are the next to go.
package struct NextToGo: Sendable {
    let segment: Int
    let generation: UInt64
    /// By log, oldest first; ascending, disjoint.
    package let parts: [(log: LogID, range: Range<Offset>)]
}

// With ``RingOptions/Retention/downsample`` the owner looks at what goes before it does, and writes less in its place. It is asked two
// segments early: time for that. Where it is too slow for what comes in, readings go as with ``RingOptions/Retention/dropOldest``.
extension RingLog {
    /// Unused segments beyond those that are kept anyway: while they fill, the readings that were named can be read.
    private static let segmentsAhead = 2

    /// What goes next; `nil` where nothing need go soon, what goes is no loss, or merging makes room first: that costs nobody anything, and
    /// what is merged meanwhile would lie elsewhere when it is given up.
    package mutating func nextToGo() -> NextToGo? {
        guard options.retention == .downsample, usable + leavingCount < wantedUnused + Self.segmentsAhead,
            let segment = victim(), !canMerge(segment, keptFrom: keptFrom)
        else { return nil }
        var parts: [(log: LogID, range: Range<Offset>)] = []
        for log in logOrder {
            guard let index = indexes[log], index.origin == .own else { continue }
            for entry in index.entries[index.firstIndex(behind: index.released)...] where Int(entry.segment) == segment
            {
                let range = Offset(max(entry.first, index.released))..<Offset(entry.end)
                if let last = parts.last, last.log == log, last.range.upperBound == range.lowerBound {
                    parts[parts.count - 1].range = last.range.lowerBound..<range.upperBound
                } else {
                    parts.append((log, range))
                }
            }
        }
        guard !parts.isEmpty else { return nil }
        return NextToGo(segment: segment, generation: segments[segment].generation, parts: parts)
    }

    /// Gives up what was named, where it is still there.
    package mutating func giveUp(_ next: NextToGo) -> [RingEvent] {
        if segments[next.segment].generation == next.generation, evictable.contains(next.segment) {
            evict(next.segment)
        }
        return takeEvents()
    }
}
