import Model

/// What was counted as damaged and can be read again, as after a passing fault of the disk or from a peer's copy: it is pending once more.
/// The one case in which the watermark goes back.
///
/// | the readings are | then |
/// |---|---|
/// | above the watermark, damaged | pending |
/// | below it, where any were counted damaged | pending; what lies between becomes runs. Some may have been sent: a double is better than a loss |
/// | anything else | as they were |
extension Settlements {
    /// - Parameter ranges: What has come back: ascending, disjoint.
    /// - Parameter known: Fates below the watermark that are known; the others there were uploaded.
    /// - Returns: Whether anything is pending that was not.
    mutating func reopen(_ ranges: [Range<Offset>], known: [Run]) -> Bool {
        let lost = counted(known)
        let below =
            prefix.damaged > 0 ? ranges.map { $0.clamped(to: .zero..<watermark) }.filter { !$0.isEmpty } : []
        let start = below.first?.lowerBound ?? watermark
        let unfolded = start..<watermark
        let pieces =
            lost.map { Run(range: $0.range.clamped(to: unfolded), kind: $0.kind) }
            + Run(range: unfolded, kind: .uploaded).cut(by: below) + runs.flatMap { $0.without(ranges) }
        guard let anew = Self(watermark: start, counts: UploadCounts(), pieces) else { return false }
        let above = runs.reduce(0) { $0 + $1.count - $1.without(ranges).reduce(0) { $0 + $1.count } }
        let reopened = ranges.reduce(0) { $0 + anew.pendingCount(in: $1) - pendingCount(in: $1) }
        guard reopened > 0 else { return false }
        // Below the start is what is counted beyond the pieces, and of what came back no more was counted damaged than is not gone still.
        var rest = UploadCounts()
        for fate in counts.fates where fate != .uploaded {
            rest.add(counts[fate] - min(counts[fate], anew.counts[fate]), fate)
        }
        let gone = lost.reduce(0) { $1.kind == .damaged ? $0 + $1.count : $0 }
        let likely = above + min(reopened - above, Int(prefix.damaged) - gone)
        let tooMany = Int(rest.settled) - Int(start.rawValue)
        _ = rest.take(UInt64(min(max(likely, tooMany), reopened)), .damaged)
        guard let whole = Self(watermark: start, counts: rest, pieces) else { return false }
        self = whole
        return true
    }

    private func pendingCount(in range: Range<Offset>) -> Int { pending(in: range).reduce(0) { $0 + $1.count } }

    private init?(watermark: Offset, counts: UploadCounts, _ pieces: [Run]) {
        self.init(
            watermark: watermark, refused: counts.refused, damaged: counts.damaged, evicted: counts.evicted)
        for piece in pieces { settle(piece.range, as: piece.kind) }
    }

    /// What of `known` the prefix can have counted so: what is gone here now, the sink may have had before.
    private func counted(_ known: [Run]) -> [Run] {
        var budget = prefix
        return known.compactMap { run in
            let range = run.range.clamped(to: .zero..<watermark)
            let count = UInt64(range.count)
            guard budget[run.kind] >= count, budget.take(count, run.kind) > 0 else { return nil }
            return Run(range: range, kind: run.kind)
        }
    }
}

extension Settlements.Run {
    var count: Int { range.count }

    /// What is left of it beside damaged readings that came back.
    fileprivate func without(_ ranges: [Range<Offset>]) -> [Self] { kind == .damaged ? cut(by: ranges) : [self] }

    /// `others` are ascending and disjoint.
    fileprivate func cut(by others: [Range<Offset>]) -> [Self] {
        range.without(others).filter { !$0.isEmpty }.map { Self(range: $0, kind: kind) }
    }
}
