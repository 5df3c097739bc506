import Model

/// Which offsets of one log have come to an end, and how: a contiguous prefix, known by its counts alone, and runs above it.
/// Nothing ever leaves it but what ``reopen(_:known:)`` takes out.
struct Settlements: Hashable, Sendable {
    typealias Kind = UploadFate

    struct Run: Hashable, Sendable {
        var range: Range<Offset>
        let kind: Kind
    }

    /// Everything below is settled: the watermark.
    private(set) var watermark: Offset = .zero
    /// Above the watermark, ascending, disjoint; neighbours of one kind are one run.
    private(set) var runs: [Run] = []
    /// Of the prefix: `uploaded` follows from the watermark.
    private(set) var prefix = UploadCounts()

    init() {}

    /// A state as the codec read it. `nil` where the counts do not fit under the watermark.
    init?(watermark: Offset, refused: UInt64, damaged: UInt64, evicted: [EvictionCount]) {
        prefix.refused = refused
        prefix.damaged = damaged
        for entry in evicted { prefix.addEvicted(entry.count, reason: entry.reason) }
        guard prefix.settled <= watermark.rawValue else { return nil }
        prefix.uploaded = watermark.rawValue - prefix.settled
        self.watermark = watermark
    }

    /// The end of the last settled run.
    var top: Offset { runs.last?.range.upperBound ?? watermark }

    /// Cumulative counts of all that is settled; `stored` and `pending` are left to the caller.
    var counts: UploadCounts {
        runs.reduce(into: prefix) { counts, run in counts.add(UInt64(run.range.count), run.kind) }
    }

    /// Contiguous settled ranges above the watermark that hold something uploaded: what a restart must remember.
    var islands: Int {
        var count = 0
        var end: Offset?
        var isCounted = false
        for run in runs {
            if run.range.lowerBound != end { isCounted = false }
            if run.kind == .uploaded, !isCounted {
                count += 1
                isCounted = true
            }
            end = run.range.upperBound
        }
        return count
    }

    /// Whether a run that begins at `offset` would only lengthen what is settled already.
    func adjoins(_ offset: Offset) -> Bool {
        offset == watermark || runs.contains { $0.range.upperBound == offset }
    }

    /// The first offset at or above `offset` that is not settled.
    func firstPending(from offset: Offset) -> Offset {
        var cursor = max(offset, watermark)
        for run in runs where run.range.contains(cursor) { cursor = run.range.upperBound }
        return cursor
    }

    /// The parts of `range` that are not settled, ascending.
    func pending(in range: Range<Offset>) -> [Range<Offset>] {
        var pieces: [Range<Offset>] = []
        var cursor = max(range.lowerBound, watermark)
        for run in runs where cursor < range.upperBound {
            if run.range.lowerBound >= range.upperBound { break }
            if cursor < run.range.lowerBound { pieces.append(cursor..<run.range.lowerBound) }
            cursor = max(cursor, run.range.upperBound)
        }
        if cursor < range.upperBound { pieces.append(cursor..<range.upperBound) }
        return pieces
    }

    /// Settles what is still pending in `range`; what was settled before stays as it was. Returns what that was, ascending.
    @discardableResult
    mutating func settle(_ range: Range<Offset>, as kind: Kind) -> [Run] {
        let pieces = pending(in: range)
        guard !pieces.isEmpty else { return [] }
        let kind = bounded(kind)
        runs.append(contentsOf: pieces.map { Run(range: $0, kind: kind) })
        runs.sort { $0.range.lowerBound < $1.range.lowerBound }
        var merged: [Run] = []
        merged.reserveCapacity(runs.count)
        for run in runs {
            if let last = merged.last, last.kind == run.kind, last.range.upperBound == run.range.lowerBound {
                merged[merged.count - 1].range = last.range.lowerBound..<run.range.upperBound
            } else {
                merged.append(run)
            }
        }
        var absorbed = 0
        while absorbed < merged.count, merged[absorbed].range.lowerBound == watermark {
            prefix.add(UInt64(merged[absorbed].range.count), merged[absorbed].kind)
            watermark = merged[absorbed].range.upperBound
            absorbed += 1
        }
        runs = Array(merged[absorbed...])
        return pieces.map { Run(range: $0, kind: kind) }
    }

    private func bounded(_ kind: Kind) -> Kind {
        guard case .evicted(let reason) = kind else { return kind }
        let word = cut(reason.isEmpty ? "unknown" : reason, toBytes: UploadCounts.reasonBytes)
        let known = counts.evicted
        return known.count < UploadCounts.reasons - 1 || known.contains { $0.reason == word }
            ? .evicted(reason: word) : .evicted(reason: "other")
    }
}

extension UploadFate {
    init(_ loss: UploadLoss) {
        switch loss {
        case .evicted(let reason): self = .evicted(reason: reason)
        case .damaged: self = .damaged
        }
    }
}

extension Range where Bound == Offset {
    var count: Int { lowerBound.distance(to: upperBound) }
}

/// The longest prefix of whole characters within `limit` bytes.
func cut(_ text: String, toBytes limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var result = ""
    for character in text {
        if result.utf8.count + character.utf8.count > limit { break }
        result.append(character)
    }
    return result
}
