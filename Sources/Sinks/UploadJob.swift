import Model

/// One chunk on its way: a single send, or the halves into which refusals have split it.
///
/// A reading counts as refused once the sink has refused it alone *twice* and accepted another one in between. So neither a sink that
/// refuses everything for a while nor the moment in which it is mended costs a good reading.
struct UploadJob: Sendable {
    let log: LogID
    let range: Range<Offset>
    let lane: UploadLane
    /// Still to be delivered, ascending.
    private(set) var parts: [Range<Offset>]
    private(set) var current: (id: SendID, range: Range<Offset>, epoch: UInt64)?
    private(set) var accepted: [Range<Offset>] = []
    /// Readings that were refused alone, once; the first ``witnessed`` of them before something else was accepted.
    private(set) var refusals: [RefusedReading] = []
    private var witnessed = 0
    /// Readings whose next refusal is the second.
    private var onTrial: [Range<Offset>]
    /// Readings that were refused twice.
    private(set) var verdicts: [RefusedReading] = []
    /// Answers that refused, of parts of any size.
    private(set) var refusedAnswers = 0
    /// What was lost while it was under way; applied when it ends, so that what the sink took counts as uploaded.
    var losses: [(range: Range<Offset>, loss: UploadLoss)] = []
    /// Its log is forgotten; only the send under way is still waited for.
    private(set) var isDropped = false

    /// - Parameter onTrial: what was refused before, and another chunk accepted since.
    init(log: LogID, range: Range<Offset>, lane: UploadLane, onTrial: [Range<Offset>] = []) {
        self.log = log
        self.range = range
        self.lane = lane
        self.onTrial = onTrial
        parts = [range]
    }

    var isSplitting: Bool { refusedAnswers > 0 }
    var isDone: Bool { parts.isEmpty && current == nil }
    /// Nothing but refusals, and no verdict yet.
    var isRefusedWhole: Bool { accepted.isEmpty && verdicts.isEmpty && !refusals.isEmpty }

    /// The smallest range around the readings that were refused once, with nothing accepted since; `nil` where there are none.
    var doubtful: Range<Offset>? {
        guard let low = refusals.map(\.offset).min(), let high = refusals.map(\.offset).max() else { return nil }
        return low..<high.advanced(by: 1)
    }

    /// Takes the next part. Once something was accepted, in order. Before that, the smallest and the largest in turn: the smallest
    /// finds the good among alternating bad ones in a few steps, the largest the good half behind a run of bad ones.
    mutating func begin(_ id: SendID, epoch: UInt64) -> Range<Offset> {
        var index = 0
        if accepted.isEmpty {
            for candidate in parts.indices {
                let isBetter =
                    refusedAnswers.isMultiple(of: 2)
                    ? parts[candidate].count < parts[index].count : parts[candidate].count > parts[index].count
                if isBetter { index = candidate }
            }
        }
        let part = parts.remove(at: index)
        current = (id, part, epoch)
        return part
    }

    mutating func partAccepted() {
        guard let part = takeCurrent() else { return }
        accepted.append(part)
        witnessed = refusals.count
        startTrials()
    }

    mutating func partRefused(_ reason: String) {
        guard let part = takeCurrent() else { return }
        refusedAnswers += 1
        if part.count > 1 {
            let middle = part.lowerBound.advanced(by: part.count / 2)
            insert([part.lowerBound..<middle, middle..<part.upperBound])
        } else {
            let refused = RefusedReading(log: log, offset: part.lowerBound, reason: reason)
            if onTrial.contains(where: { $0.contains(part.lowerBound) }) {
                verdicts.append(refused)
            } else {
                refusals.append(refused)
            }
        }
        startTrials()
    }

    mutating func partFailed() {
        guard let part = takeCurrent() else { return }
        insert([part])
    }

    /// A peer delivered `range`: what of it waits here need not go, whatever the sink thought of it.
    mutating func deliver(_ range: Range<Offset>) {
        parts = parts.flatMap { $0.without(range) }
        let kept = refusals.enumerated().filter { !range.contains($0.element.offset) }
        witnessed = kept.count { $0.offset < witnessed }
        refusals = kept.map(\.element)
        startTrials()
    }

    /// Ends with the answer that is waited for.
    mutating func drop() {
        isDropped = true
        parts = []
        accepted = []
        refusals = []
        verdicts = []
        losses = []
        witnessed = 0
    }

    /// When all else is delivered, what was refused before something was accepted gets its second chance.
    private mutating func startTrials() {
        guard parts.isEmpty, witnessed > 0 else { return }
        let again = refusals[..<witnessed].map { $0.offset..<$0.offset.advanced(by: 1) }
        refusals.removeFirst(witnessed)
        witnessed = 0
        onTrial.append(contentsOf: again)
        insert(again.sorted { $0.lowerBound < $1.lowerBound })
    }

    private mutating func takeCurrent() -> Range<Offset>? {
        defer { current = nil }
        return current?.range
    }

    private mutating func insert(_ ranges: [Range<Offset>]) {
        guard let first = ranges.first else { return }
        let place = parts.firstIndex { $0.lowerBound > first.lowerBound } ?? parts.endIndex
        parts.insert(contentsOf: ranges, at: place)
    }
}

/// Readings that were refused once with nothing accepted since; most often a whole chunk. They stand aside until another chunk is
/// accepted, and then get their second chance.
struct Suspect: Hashable, Sendable {
    let log: LogID
    let range: Range<Offset>
    var isWitnessed = false

    func overlaps(_ job: UploadJob) -> Bool { log == job.log && range.overlaps(job.range) }
}
