/// Follows the level from edge to edge, before any debounce, and notices edges that never arrived. Pure.
///
/// | what is seen | what was missed |
/// |---|---|
/// | a gap in the line's sequence numbers | as many edges as the gap is wide |
/// | two edges of one direction in a row (beyond what the gap explains) | one, that between them |
/// | a full buffer without sequence numbers | at least one: the kernel may have dropped any number |
/// | a level that still disagrees with the last edge after ``confirmation`` | one |
struct EdgeTracker {
    /// An edge changes the level first and is reported after; what a level read saw may be reported up to this much
    /// later.
    static let reportDelay: Int64 = 1_000_000
    /// A level that disagrees is only believed when no edge has explained it by then.
    static let confirmation: Int64 = 20_000_000

    /// Whether edges of both directions are reported, so that the level is known from them.
    private let followsLevel: Bool
    /// Where the driver debounces, a repeated direction is a bounce too short to be seen, not a loss.
    private let allowsRepeats: Bool
    private(set) var level: Bool
    private var nextSequence: UInt32 = 1
    private var gapIsCounted = false
    private var disagreesSince: Int64?
    /// Set with the first edge that the first level read had not seen; none after it can be part of that level.
    private var hasMoved = false
    /// When the first level was read; edges before it are part of it.
    private let levelReadFrom: Int64
    private let levelReadUntil: Int64

    /// - Parameters: `from` and `until` enclose the moment at which `level` was read.
    init(followsLevel: Bool, allowsRepeats: Bool, level: Bool, from: Int64, until: Int64) {
        self.followsLevel = followsLevel
        self.allowsRepeats = allowsRepeats
        self.level = level
        levelReadFrom = from
        levelReadUntil = until
    }

    /// What an edge means: how many before it were missed, and whether the first level read had seen it already.
    struct Verdict: Equatable {
        var missed: UInt64 = 0
        var isInFirstLevel = false
    }

    mutating func edge(_ edge: EdgeEvent) -> Verdict {
        disagreesSince = nil
        var verdict = Verdict(missed: sequenceGap(before: edge))
        if isInFirstLevel(edge) {
            verdict.isInFirstLevel = true
            return verdict
        }
        hasMoved = true
        let levelBefore = verdict.missed.isMultiple(of: 2) ? level : !level
        if followsLevel, !allowsRepeats, !gapIsCounted, levelBefore == edge.isRising { verdict.missed += 1 }
        gapIsCounted = false
        level = edge.isRising
        return verdict
    }

    /// The kernel's buffer was found full and edges bear no numbers. Returns how many were missed, as far as can be
    /// told.
    mutating func bufferWasFull() -> UInt64 {
        gapIsCounted = true
        return 1
    }

    enum LevelVerdict: Equatable {
        case agrees
        /// Ask again at this time: an edge may be on its way.
        case disagrees(askAgain: Int64)
        /// An edge was missed; the level that was read is taken over.
        case adopted
    }

    mutating func levelRead(_ read: Bool, at now: Int64) -> LevelVerdict {
        guard followsLevel, read != level else {
            disagreesSince = nil
            return .agrees
        }
        let since = disagreesSince ?? now
        guard now - since >= Self.confirmation else {
            disagreesSince = since
            return .disagrees(askAgain: since + Self.confirmation)
        }
        disagreesSince = nil
        level = read
        return .adopted
    }

    private mutating func sequenceGap(before edge: EdgeEvent) -> UInt64 {
        guard edge.sequence != 0 else { return 0 }
        let gap = edge.sequence &- nextSequence
        // The counter wraps over 0, which means "no number" here.
        nextSequence = edge.sequence == .max ? 1 : edge.sequence + 1
        return gap < UInt32.max / 2 ? UInt64(gap) : 0
    }

    private func isInFirstLevel(_ edge: EdgeEvent) -> Bool {
        if hasMoved { return false }
        if edge.nanoseconds < levelReadFrom { return true }
        return followsLevel && edge.isRising == level && edge.nanoseconds <= levelReadUntil + Self.reportDelay
    }
}
