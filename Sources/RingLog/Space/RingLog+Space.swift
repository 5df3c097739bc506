import LogFormat
import Model

extension RingLog {
    /// Segments that can be opened now.
    var usable: Int {
        segments.count { $0.state.isUnused }
    }

    var canRoll: Bool { usable > 0 || emptyRetired != nil }

    /// A retired segment that holds nothing: its life ended with its first commit. Where no other is left it is opened anew, as then everything in
    /// it is written again, and is believed after a sync that went well.
    private var emptyRetired: Int? {
        segments.indices.first { segments[$0].state == .retired && segments[$0].held == 0 }
    }

    var leavingCount: Int { segments.count { $0.state == .leaving } }

    /// With ``RingOptions/Retention/rejectNew``: whether new readings are refused. Two segments are kept for small records.
    var isFull: Bool { !releasedSinceCut && usable + leavingCount <= 2 && !hasMergeable }

    /// Opens a segment: a ready one where there is one, the longest unused first.
    mutating func takeFree(kind: SegmentKind) -> Int? {
        let ready = segments.indices.filter { segments[$0].state == .free }
        let blank = segments.indices.first { if case .blank = segments[$0].state { true } else { false } }
        guard let next = ready.min(by: { segments[$0].generation < segments[$1].generation }) ?? blank ?? emptyRetired
        else { return nil }
        if segments[next].state == .retired { pendingEvents.append(.reused(segment: next)) }
        generation += 1
        segments[next] = Segment(state: .open, kind: kind, generation: generation)
        return next
    }

    /// Hot segments from this generation on are kept whatever else: the newest two, and all down to a complete snapshot,
    /// so that recovery finds every small record.
    var keptFrom: UInt64 {
        let generations = segments.filter { $0.kind == .hot && $0.state != .free && $0.state != .leaving && $0.isOurs }
            .sorted { $0.generation > $1.generation }
        var seen = 0
        for segment in generations {
            seen += 1
            if seen >= 2, generations.prefix(seen).contains(where: { $0.hasSnapshot }) { return segment.generation }
        }
        return 0
    }

    var hasMergeable: Bool {
        let kept = keptFrom
        return segments.indices.contains { canMerge($0, keptFrom: kept) }
    }

    func canMerge(_ index: Int, keptFrom: UInt64) -> Bool {
        let segment = segments[index]
        return segment.kind == .hot && (segment.state == .sealed || segment.state == .retired) && segment.held > 0
            && !segment.cannotMerge && segment.generation < keptFrom
    }

    /// Frees sealed segments that hold nothing any more.
    mutating func freeEmpty() {
        let kept = keptFrom
        let isRecorded = records.dirty.isEmpty && inFlight == nil
        for index in segments.indices where segments[index].state == .sealed && segments[index].held == 0 {
            guard index != background.source, index != background.headAfter?.segment else { continue }
            guard segments[index].kind == .cold || segments[index].generation < kept else { continue }
            segments[index].state = isRecorded ? .free : .leaving
        }
    }

    /// Evicts until there is a free segment for each kind, or one while merging will free others.
    mutating func keepRoom() {
        releasedSinceCut = false
        guard usable + leavingCount < mostUnused else { return }
        let wanted = wantedUnused
        while usable + leavingCount < wanted, let victim = victim() { evict(victim) }
    }

    /// Where nothing may be dropped, released segments must go one earlier, or readings would be refused beside them.
    private var mostUnused: Int { options.retention.mayDrop ? 2 : 3 }

    /// Unused segments to be had, by eviction where there are fewer.
    var wantedUnused: Int { hasMergeable && cold != nil ? 1 : mostUnused }

    /// The segment whose loss costs least. The first row that names one decides; "oldest": cold before hot, then by generation.
    ///
    /// | copies that are pending take        | the victim is the oldest that may go and                   |
    /// |-------------------------------------|------------------------------------------------------------|
    /// | -                                   | holds nothing pending: it is released                      |
    /// | more than their share of the ring   | holds copies for at least half of what it holds pending    |
    /// | -                                   | holds anything                                             |
    ///
    /// The last two rows count where readings that no sink has may be dropped. ``store(_:first:readings:anchors:)`` refuses copies
    /// beyond their share once there is no room, so that where both lie mixed in all segments own readings keep their part as well.
    mutating func victim() -> Int? {
        let candidates = evictable
        let census = pendingCensus()
        func older(_ left: Int, _ right: Int) -> Bool {
            let (one, other) = (segments[left], segments[right])
            if (one.kind == .cold) != (other.kind == .cold) { return one.kind == .cold }
            return one.generation < other.generation
        }
        if let released = candidates.filter({ !census.isPending($0) }).min(by: older) { return released }
        guard options.retention.mayDrop else { return nil }
        if census.copiesPart > options.copiesShare,
            let copies = candidates.filter({ census.holdsMostlyCopies($0) }).min(by: older)
        {
            return copies
        }
        return candidates.min(by: older)
    }

    /// Segments that hold something and may be emptied.
    var evictable: [Int] {
        let kept = keptFrom
        return segments.indices.filter { index in
            let segment = segments[index]
            return segment.state == .sealed && segment.held > 0 && index != background.source
                && (segment.kind == .cold || segment.generation < kept)
        }
    }

    /// A start needs a segment to write to before it can record what it gives up. What nobody's log left behind in a free segment may
    /// have filled the last ones again; of copies no record is needed.
    mutating func makeRoomAtStart() {
        guard usable < 2 else { return }
        let own = ownSegments()
        var victims = evictable.filter { !own.contains($0) }
            .sorted { segments[$0].generation > segments[$1].generation }
        // What is left on the disk of such a segment the next start gives up again, should this one be cut short.
        while usable < 2, let victim = victims.popLast() {
            evict(victim)
            segments[victim].state = .free
        }
    }

    /// Segments that hold own readings.
    private func ownSegments() -> Set<Int> {
        var found: Set<Int> = []
        for log in logOrder where indexes[log]?.origin == .own {
            for entry in indexes[log]?.entries ?? [] { found.insert(Int(entry.segment)) }
        }
        return found
    }

    /// What goes must be recorded as gone before it can be overwritten: a power cut in between would leave a footer that tells of blocks
    /// which are there no more, and of a copy this ring would claim to peers what it has not.
    mutating func evict(_ segment: Int) {
        for log in logOrder {
            guard let index = indexes[log] else { continue }
            for entry in index.entries where Int(entry.segment) == segment {
                if index.origin == .own { noteEvicted(entry, of: log) }
                _ = indexes[log]?.remove(entry.first, entry.end, segment: UInt16(segment))
                let edge = min(max(index.released, entry.first), entry.end)
                leave(log, entry.first, edge, .uploaded)
                leave(log, edge, entry.end, .evicted)
            }
        }
        segments[segment].held = 0
        segments[segment].state = .leaving
        census = nil
    }

    mutating func leave(_ log: LogID, _ lower: UInt64, _ upper: UInt64, _ reason: GapReason) {
        guard lower < upper else { return }
        addGap(log, lower, upper, reason)
        let count = Int(upper - lower)
        switch (indexes[log]?.origin, reason) {
        case (.own?, .evicted): counters.evictedPending += count
        case (.own?, _): counters.evictedUploaded += count
        default: counters.evictedCopies += count
        }
        if case .evicted(log, let range, reason == .evicted)? = pendingEvents.last, range.upperBound == Offset(lower) {
            pendingEvents[pendingEvents.count - 1] = .evicted(
                log: log, range: range.lowerBound..<Offset(upper), pending: reason == .evicted)
        } else {
            pendingEvents.append(.evicted(log: log, range: Offset(lower)..<Offset(upper), pending: reason == .evicted))
        }
    }

    /// Takes what readers found unreadable out of the index: a gap each, which the next commit records.
    package mutating func noteDamage(_ damage: [DamagedRange]) -> [RingEvent] {
        for found in damage {
            guard segments.indices.contains(found.segment), segments[found.segment].generation == found.generation,
                let taken = indexes[found.log]?.remove(
                    found.range.lowerBound.rawValue, found.range.upperBound.rawValue, segment: UInt16(found.segment))
            else { continue }
            for part in taken {
                segments[found.segment].held -= Int(part.count)
                // What kept it from being merged may have been just this.
                segments[found.segment].cannotMerge = false
                counters.damaged += Int(part.count)
                addGap(found.log, part.first, part.end, .damaged)
                pendingEvents.append(
                    .damaged(log: found.log, range: Offset(part.first)..<Offset(part.end), reason: found.reason))
            }
        }
        census = nil
        freeEmpty()
        return takeEvents()
    }
}

extension Segment {
    /// Whether it holds something of this ring's.
    var isOurs: Bool {
        switch state {
        case .blank, .setAside: false
        default: true
        }
    }
}
