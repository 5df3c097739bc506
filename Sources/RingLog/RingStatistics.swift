package import LogFormat
package import Model

/// How the ring stands, for status and benchmarks.
package struct RingStatistics: Hashable, Sendable {
    /// Segments by what they are used for; they add up to the ring.
    package var freeSegments = 0
    package var hotSegments = 0
    package var coldSegments = 0
    package var retiredSegments = 0
    package var setAsideSegments = 0
    /// Since this process started.
    package var bytesWritten = 0
    package var commits = 0
    package var failedCommits = 0
    package var readingsStored = 0
    package var readingsMerged = 0
    /// Readings found damaged since, those found at the start included.
    package var damaged = 0
    /// Own ones of them that came back from peers since this process started.
    package var restored = 0
    /// Own readings that damage has taken, in any process, and that have not come back.
    package var lost = 0
    package var evictedPending = 0
    package var evictedUploaded = 0
    /// Given up for their age, copies among them; they are in the counts of evicted ones as well.
    package var expired = 0
    /// Copies of other logs, stored and given up since the start; the counts above are of own readings alone, but for damage and merging.
    package var copiesStored = 0
    package var evictedCopies = 0
    /// Readings on this disk now, copies included.
    package var readingsHeld = 0
    /// Those of them that are copies of other logs.
    package var copiesHeld = 0
    /// Bytes that the blocks with readings take, per reading; 0 where none is held.
    package var bytesHeldPerReading = 0.0
    /// Blocks in the index.
    package var blocks = 0
    /// Earliest wall estimate held.
    package var oldest: Milliseconds?
    /// Why readings are held in RAM only; `nil` where commits work.
    package var memoryOnly: String?
    package var waitingReadings = 0
}

extension RingLog {
    /// Walks over the whole index: for a status page, not for every commit.
    package var statistics: RingStatistics {
        var all = RingStatistics()
        for segment in segments {
            switch (segment.state, segment.kind) {
            case (.free, _), (.blank, _), (.leaving, _): all.freeSegments += 1
            case (.retired, _): all.retiredSegments += 1
            case (.setAside, _): all.setAsideSegments += 1
            case (_, .hot): all.hotSegments += 1
            case (_, .cold): all.coldSegments += 1
            }
        }
        all.bytesWritten = counters.bytesWritten
        all.commits = counters.commits
        all.failedCommits = counters.failedCommits
        all.readingsStored = counters.readingsStored
        all.readingsMerged = counters.mergedReadings
        all.damaged = counters.damaged
        all.restored = counters.restored
        all.lost = lostReadings
        all.evictedPending = counters.evictedPending
        all.evictedUploaded = counters.evictedUploaded
        all.copiesStored = counters.copiesStored
        all.evictedCopies = counters.evictedCopies
        all.expired = counters.expired
        var bytes = 0
        for log in logOrder {
            var last: (UInt16, UInt16)?
            if indexes[log]?.origin != .own { all.copiesHeld += indexes[log]?.ranges.count ?? 0 }
            for entry in indexes[log]?.entries ?? [] {
                all.readingsHeld += Int(entry.count)
                all.oldest = min(all.oldest ?? Milliseconds(.max), Milliseconds(entry.earliest))
                if last.map({ $0 != (entry.segment, entry.unit) }) ?? true {
                    all.blocks += 1
                    bytes += Int(entry.units) * Geometry.unit
                }
                last = (entry.segment, entry.unit)
            }
        }
        if all.readingsHeld > 0 { all.bytesHeldPerReading = Double(bytes) / Double(all.readingsHeld) }
        all.memoryOnly = health.memoryOnly
        all.waitingReadings = waitingReadings
        return all
    }
}

extension RingLog {
    /// Bytes that this process wrote and that became durable.
    package var bytesWritten: Int { counters.bytesWritten }
    /// Commits of this process that became durable.
    package var commits: Int { counters.commits }
    /// ``RingStatistics/damaged``, without a walk over anything.
    package var damagedReadings: Int { counters.damaged }
    /// ``RingStatistics/restored``, without a walk over anything.
    package var restoredReadings: Int { counters.restored }
    /// ``RingStatistics/memoryOnly``, without a walk over anything.
    package var memoryOnlyReason: String? { health.memoryOnly }
    /// ``RingStatistics/lost``, without a walk over the index.
    package var lostReadings: Int {
        logOrder.reduce(0) { sum, log in
            guard let index = indexes[log], index.origin == .own else { return sum }
            return sum + index.gaps.reduce(0) { $0 + ($1.reason == .damaged ? $1.count : 0) }
        }
    }
}

/// How long an outage a ring outlasts.
package enum RingCapacity {
    /// Bytes of a merged block that one numeric reading is taken for: those of a site take 2 to 3, a noisy series that comes alone 4.
    package static let bytesPerReading = 4.0

    /// Segments that must be free or take commits.
    static let reservedSegments = 5

    /// Hours until the first reading that is not uploaded would have to go, at `readingsPerSecond`.
    package static func hours(
        ringBytes: Int, readingsPerSecond: Double, geometry: Geometry = .standard
    ) -> Double {
        let segments = ringBytes / geometry.segmentBytes - reservedSegments
        guard segments > 0, readingsPerSecond > 0 else { return 0 }
        // Headers, footer and the rest of the last block take some hundredth of a segment.
        let usable = Double(segments * (geometry.segmentBytes - Geometry.headerBytes)) * 0.97
        return usable / (bytesPerReading * readingsPerSecond) / 3600
    }
}
