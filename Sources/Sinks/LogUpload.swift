import Environment
import Model

/// What one machine knows of one log.
struct LogUpload: Sendable {
    var settlements = Settlements()
    /// The newest log of this process; all others are back-fill.
    var isCurrent = false
    var isClosed = false
    /// Whether `opened` has named it; progress may be restored before.
    var isOpen = false
    var isFinishTold = false
    /// A peer's log: only what is ``held`` may be sent, and nothing of it counts in the gateway's ledger.
    var isRelayed = false
    /// Of a relayed log, ascending and disjoint.
    var held: [Range<Offset>] = []
    /// Readings that this process counted as damaged, in no order; the oldest are forgotten where there are too many.
    private var damaged: [Range<Offset>] = []
    /// Committed end.
    private(set) var end: Offset = .zero
    /// What may be sent; at most ``end``.
    private(set) var ready: Offset = .zero
    /// Where the fresh lane begins, a chunk boundary; only moves on.
    private(set) var freshStart: Offset = .zero
    /// When ``ready`` reached which offset, ascending; the oldest are merged, which makes readings seem older, never younger.
    private var marks: [(at: MonotonicInstant, ready: Offset)] = []

    /// Enough to know the age of the newest readings to the commit.
    private static let marksKept = 32
    /// A card that has lost more places than this is lost itself.
    private static let damagedKept = 1024

    var isFinished: Bool { isClosed && settlements.watermark >= end }

    var counts: UploadCounts {
        var counts = settlements.counts
        counts.stored = end.rawValue
        counts.pending = end.rawValue - counts.settled
        return counts
    }

    /// Where the fresh lane ends and back-fill begins.
    var laneCut: Offset { isCurrent ? freshStart : ready }

    mutating func restore(_ progress: Settlements) {
        settlements = progress
        end = max(end, progress.top)
    }

    mutating func extend(to newEnd: Offset, ready newReady: Offset, now: MonotonicInstant) {
        end = max(end, newEnd)
        let reached = min(max(ready, newReady), end)
        guard reached > ready else { return }
        ready = reached
        isFinishTold = false
        let oldest = settlements.firstPending(from: freshStart)
        marks.removeAll { $0.ready <= oldest }
        marks.append((now, reached))
        if marks.count > Self.marksKept {
            marks[1].at = marks[0].at
            marks.removeFirst()
        }
    }

    mutating func relay(_ ranges: [Range<Offset>], end newEnd: Offset, now: MonotonicInstant) {
        isRelayed = true
        held = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = held.last, range.lowerBound <= last.upperBound {
                held[held.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                held.append(range)
            }
        }
        let top = held.last?.upperBound ?? .zero
        if newEnd > end { isFinishTold = false }
        extend(to: max(newEnd, top), ready: top, now: now)
    }

    /// The first offset at or above `offset` that is pending and may be sent.
    func firstSendable(from offset: Offset) -> Offset? {
        var cursor = settlements.firstPending(from: offset)
        guard isRelayed else { return cursor < ready ? cursor : nil }
        for range in held where range.upperBound > cursor {
            cursor = settlements.firstPending(from: max(cursor, range.lowerBound))
            if cursor < range.upperBound { return cursor }
        }
        return nil
    }

    /// A loss names readings that existed, even where the end was not known yet.
    mutating func settle(_ range: Range<Offset>, as kind: Settlements.Kind) -> [Settlements.Run] {
        end = max(end, range.upperBound)
        let settled = settlements.settle(range, as: kind)
        if kind == .damaged {
            damaged.append(contentsOf: settled.map(\.range))
            damaged.removeFirst(max(0, damaged.count - Self.damagedKept))
        }
        return settled
    }

    /// Makes what was counted as damaged of the ranges pending. Where an earlier process counted some, nobody knows which: then all of them.
    mutating func reopen(_ ranges: [Range<Offset>], known: [Settlements.Run]) -> Bool {
        let named = damaged
        damaged = named.flatMap { $0.without(ranges) }
        guard settlements.counts.damaged <= named.reduce(0, { $0 + $1.count }) else {
            return reopenSettlements(ranges, known)
        }
        let parts = named.flatMap { part in ranges.map { part.clamped(to: $0) } }.filter { !$0.isEmpty }
        let exact = known.filter { $0.kind != .damaged } + damaged.map { Settlements.Run(range: $0, kind: .damaged) }
        return reopenSettlements(parts.sorted { $0.lowerBound < $1.lowerBound }, exact)
    }

    private mutating func reopenSettlements(_ ranges: [Range<Offset>], _ known: [Settlements.Run]) -> Bool {
        guard !ranges.isEmpty, settlements.reopen(ranges, known: known) else { return false }
        isFinishTold = false
        return true
    }

    /// When the reading at `offset` became ready; `nil` where it is not.
    func readySince(_ offset: Offset) -> MonotonicInstant? {
        marks.first { $0.ready > offset }?.at
    }

    /// When the oldest pending reading of the fresh lane became ready; `nil` where nothing waits that may be sent.
    var freshSince: MonotonicInstant? { readySince(settlements.firstPending(from: laneCut)) }

    /// Moves the start of the fresh lane to the live end where the lane has fallen behind. The newest part of a chunk stays fresh.
    mutating func skipToLiveEnd(settings: UploadSettings, now: MonotonicInstant) {
        guard isCurrent, ready > .zero else { return }
        let oldest = settlements.firstPending(from: freshStart)
        let chunk = settings.chunkReadings
        guard oldest < ready, oldest.distance(to: ready) > settings.freshBacklogChunks * chunk,
            let since = readySince(oldest), since.duration(to: now) >= settings.freshLag
        else { return }
        freshStart = max(freshStart, Offset((ready.rawValue - 1) / UInt64(chunk) * UInt64(chunk)))
    }

    /// The first run within `bounds` that is neither settled nor in `busy` (ascending, disjoint), cut at the chunk boundary.
    func nextRun(in bounds: Range<Offset>, busy: [Range<Offset>], chunk: Int) -> Range<Offset>? {
        var next = firstSendable(from: bounds.lowerBound)
        while let cursor = next, let taken = busy.first(where: { $0.contains(cursor) }) {
            next = firstSendable(from: taken.upperBound)
        }
        guard let cursor = next, cursor < bounds.upperBound else { return nil }
        let size = UInt64(chunk)
        var upper = min(bounds.upperBound, Offset((cursor.rawValue / size + 1) * size))
        if let range = held.first(where: { $0.contains(cursor) }) { upper = min(upper, range.upperBound) }
        if let wall = busy.first(where: { $0.lowerBound > cursor }) { upper = min(upper, wall.lowerBound) }
        if let wall = settlements.runs.first(where: { $0.range.lowerBound > cursor }) {
            upper = min(upper, wall.range.lowerBound)
        }
        return cursor..<upper
    }

    /// Whether a run could still grow: it ends where the ready readings end, within a chunk, and more may come.
    func isPartial(_ run: Range<Offset>, chunk: Int) -> Bool {
        run.upperBound == ready && !ready.rawValue.isMultiple(of: UInt64(chunk)) && !(isClosed && ready == end)
    }
}
