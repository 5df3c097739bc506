package import Environment
import Model

/// Decides what goes to one sink, and when. Pure: no clock, no randomness, no I/O of its own.
///
/// - A send is one contiguous run of one log and never crosses a chunk boundary; at most ``UploadSettings/chunksInFlight`` are under way.
/// - Fresh readings and back-fill are lanes of their own. Each goes in order but for what is under way together, what is being split,
///   and chunks that the sink refuses whole, after which the longest run goes first. They take turns, and back-fill leaves a slot to fresh readings.
/// - After an outage the fresh lane starts at the live end; what waited becomes back-fill.
/// - Refused content is split in halves down to single readings; see ``UploadJob`` for when such a reading counts as refused.
/// - Any other failure keeps everything and pauses the sink; see ``Breaker``.
package struct UploadMachine: Sendable {
    package let settings: UploadSettings

    var logs: [LogID: LogUpload] = [:]
    /// Open logs, oldest first.
    var order: [LogID] = []
    /// What the owner allows of a log, where that is less than everything; known before the log is.
    var gates: [LogID: UploadGate] = [:]
    /// In the order of their start; at most ``UploadSettings/chunksInFlight``.
    var jobs: [UploadJob] = []
    var suspects: [Suspect] = []
    package internal(set) var breaker: Breaker
    /// Refusals that are still put down to the readings alone, as the sink has just taken others.
    var trust = 0
    var bucket: TokenBucket?
    var lastLane = UploadLane.backFill
    var nextSend: UInt64 = 0
    var toldWake: MonotonicInstant?
    /// Newest last.
    var refusedNames: [RefusedReading] = []
    var forgotten = UploadCounts()

    /// Names of refused readings that are kept for the status; the count has no limit.
    static let refusedNamesKept = 64
    /// Chunks under suspicion at a time: enough to get past a stretch of bad ones to a good one, also where peers have brought what is
    /// good around each.
    static let suspectsKept = 64
    /// Refusals of parts of one chunk, none accepted, after which the sink gets a pause: splitting must not become a flood.
    static let refusalsPerPause = 32
    /// Refusals after the sink has taken something that do not yet make the sink itself suspect.
    static let refusalsTrusted = 32
    /// Runs of a log that are compared for the longest: each costs a walk over what is settled.
    static let runsCompared = 256
    /// A sink's words are cut here: they may quote the whole request.
    static let reasonBytes = 200

    package init(settings: UploadSettings = UploadSettings()) {
        precondition(
            settings.chunkReadings > 0 && settings.chunksInFlight > 0,
            "chunks of \(settings.chunkReadings), \(settings.chunksInFlight) in flight")
        self.settings = settings
        breaker = Breaker(settings: settings)
        bucket = settings.readingsPerSecond.map { TokenBucket(readingsPerSecond: $0) }
    }

    /// Takes one event and says what is to be done now, in order.
    package mutating func step(
        _ event: UploadEvent, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) -> [UploadDirective] {
        var out: [UploadDirective] = []
        switch event {
        case .opened(let log, let end, let ready, let isCurrent):
            open(log, end: end, ready: ready, isCurrent: isCurrent, now: now)
            tellIfFinished(log, &out)
        case .extended(let log, let end, let ready):
            logs[log]?.extend(to: end, ready: ready, now: now)
        case .closed(let log):
            logs[log]?.isClosed = true
            logs[log]?.isCurrent = false
            tellIfFinished(log, &out)
        case .lost(let log, let range, let loss):
            lose(log, range, loss, &out)
        case .restored(let log, let ranges, let lost):
            restore(log, ranges, lost: lost, &out)
        case .sendFinished(let id, let outcome):
            finish(id, outcome, now: now, using: &rng, &out)
        case .sendAbandoned(let id):
            abandon(id, now: now, using: &rng, &out)
        case .forgotten(let log):
            forget(log)
        case .relayed(let log, let held, let end):
            relay(log, held: held, end: end, now: now, &out)
        case .dropped(let log):
            drop(log, &out)
        case .delivered(let log, let range):
            deliver(log, range, as: .uploaded, &out)
        case .refusedToPeer(let log, let range):
            deliver(log, range, as: .refused, &out)
        case .paused(let log, let isPaused):
            gates[log, default: UploadGate()].isPaused = isPaused
        case .allow(let log, let chunks):
            gates[log, default: UploadGate()].allowance = chunks.map { $0 - jobs.count { $0.log == log } }
        case .reachedByPeer:
            breaker.hearten(now: now)
        case .tick:
            break
        }
        schedule(now: now, &out)
        return out
    }

    private mutating func open(
        _ log: LogID, end: Offset, ready: Offset, isCurrent: Bool, now: MonotonicInstant
    ) {
        if isCurrent {
            for other in order { logs[other]?.isCurrent = false }
        }
        if !order.contains(log) { order.append(log) }
        var state = logs[log] ?? LogUpload()
        state.isOpen = true
        state.isCurrent = isCurrent
        state.extend(to: end, ready: ready, now: now)
        logs[log] = state
    }

    private mutating func lose(
        _ log: LogID, _ range: Range<Offset>, _ loss: UploadLoss, _ out: inout [UploadDirective]
    ) {
        guard let state = logs[log], !range.isEmpty else { return }
        if state.isRelayed {
            logs[log]?.held = state.held.flatMap { $0.without(range) }
            return
        }
        var rest = [range]
        for index in jobs.indices where jobs[index].log == log && jobs[index].range.overlaps(range) {
            jobs[index].losses.append((range.clamped(to: jobs[index].range), loss))
            rest = rest.flatMap { $0.without(jobs[index].range) }
        }
        var changed = false
        for piece in rest where settle(log, piece, as: UploadFate(loss), &out) { changed = true }
        if changed { tellProgress(log, &out) }
    }

    private mutating func restore(
        _ log: LogID, _ ranges: [Range<Offset>], lost: [LostRange], _ out: inout [UploadDirective]
    ) {
        guard logs[log]?.isRelayed == false else { return }
        for index in jobs.indices where jobs[index].log == log {
            jobs[index].losses = jobs[index].losses.flatMap { known in
                known.range.without(ranges).map { (range: $0, loss: known.loss) }
            }
        }
        let known = knownFates(log, lost)
        if logs[log]?.reopen(ranges, known: known) ?? false { tellProgress(log, &out) }
    }

    /// Books what of `range` is pending, and says what that was. `false` where nothing was.
    mutating func settle(
        _ log: LogID, _ range: Range<Offset>, as fate: UploadFate, isByPeer: Bool = false,
        _ out: inout [UploadDirective]
    ) -> Bool {
        let isRelayed = logs[log]?.isRelayed ?? false
        let settled = logs[log]?.settle(range, as: fate) ?? []
        for run in settled {
            let told = SettledRange(
                log: log, range: run.range, fate: run.kind, isRelayed: isRelayed, isByPeer: isByPeer)
            out.append(.settled(told))
        }
        return !settled.isEmpty
    }

    private mutating func forget(_ log: LogID) {
        guard let state = logs[log], !state.isRelayed else { return }
        precondition(
            state.isFinished && !jobs.contains { $0.log == log },
            "log \(log) forgotten at \(state.settlements.watermark) of \(state.end)")
        forgotten.add(state.counts)
        erase(log)
    }

    mutating func erase(_ log: LogID) {
        logs[log] = nil
        gates[log] = nil
        order.removeAll { $0 == log }
        refusedNames.removeAll { $0.log == log }
        suspects.removeAll { $0.log == log }
    }

    mutating func tellProgress(_ log: LogID, _ out: inout [UploadDirective]) {
        out.append(.progressChanged(log))
        tellIfFinished(log, &out)
    }

    /// Not before its last send is answered, which a peer's delivery may have overtaken.
    mutating func tellIfFinished(_ log: LogID, _ out: inout [UploadDirective]) {
        guard let state = logs[log], state.isOpen, state.isFinished, !state.isFinishTold,
            !jobs.contains(where: { $0.log == log })
        else { return }
        logs[log]?.isFinishTold = true
        out.append(.logFinished(log))
    }
}

extension Range where Bound == Offset {
    /// What is left of it on both sides of `other`.
    func without(_ other: Range<Offset>) -> [Range<Offset>] {
        guard overlaps(other) else { return [self] }
        var pieces: [Range<Offset>] = []
        if lowerBound < other.lowerBound { pieces.append(lowerBound..<other.lowerBound) }
        if other.upperBound < upperBound { pieces.append(other.upperBound..<upperBound) }
        return pieces
    }

    func without(_ others: [Range<Offset>]) -> [Range<Offset>] {
        others.reduce([self]) { rest, other in rest.flatMap { $0.without(other) } }
    }
}
