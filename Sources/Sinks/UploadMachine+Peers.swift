import Environment
import Model

/// What the owner allows of one log.
struct UploadGate: Hashable, Sendable {
    /// `nil` where nothing was said: then a relayed log is paused, any other is not.
    var isPaused: Bool?
    /// Chunks that may still begin; below 1 none, `nil` any number.
    var allowance: Int?
}

/// What peers have to do with it: their logs, and what they delivered.
///
/// | a send of a dropped log ends | then |
/// |---|---|
/// | accepted | told as settled, once; booked where the log is relayed again meanwhile |
/// | refused, abandoned | nothing: whoever has the log now finds out |
/// | unavailable | the sink is paused as ever |
extension UploadMachine {
    mutating func relay(
        _ log: LogID, held: [Range<Offset>], end: Offset, now: MonotonicInstant, _ out: inout [UploadDirective]
    ) {
        var state = logs[log] ?? LogUpload()
        precondition(state.isRelayed || !state.isOpen, "own log \(log) relayed")
        if !order.contains(log) { order.append(log) }
        state.isOpen = true
        state.relay(held, end: end, now: now)
        logs[log] = state
        tellIfFinished(log, &out)
    }

    mutating func drop(_ log: LogID, _ out: inout [UploadDirective]) {
        guard logs[log]?.isRelayed == true else { return }
        for index in jobs.indices.reversed() where jobs[index].log == log {
            for range in jobs[index].accepted { _ = settle(log, range, as: .uploaded, &out) }
            if jobs[index].current == nil { jobs.remove(at: index) } else { jobs[index].drop() }
        }
        erase(log)
    }

    mutating func finishDropped(
        _ job: UploadJob, _ range: Range<Offset>, _ outcome: SendOutcome, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator, _ out: inout [UploadDirective]
    ) {
        guard let epoch = job.current?.epoch else { return }
        var isTold = false
        defer { if !isTold { gates[job.log]?.allowance? += 1 } }
        switch outcome {
        case .accepted:
            if breaker.accepted(epoch: epoch) { out.append(.recovered("the sink accepts again")) }
            if logs[job.log] == nil {
                out.append(.settled(SettledRange(log: job.log, range: range, fate: .uploaded, isRelayed: true)))
            } else if settle(job.log, range, as: .uploaded, &out) {
                isTold = true
                tellProgress(job.log, &out)
            }
        case .refused: break
        case .unavailable(let reason, let retryAfter):
            let text = cut(reason, toBytes: Self.reasonBytes)
            pause(text, retryAfter: retryAfter, epoch: epoch, opens: false, now: now, using: &rng, &out)
        }
    }

    mutating func deliver(
        _ log: LogID, _ range: Range<Offset>, as fate: UploadFate, _ out: inout [UploadDirective]
    ) {
        guard let end = logs[log]?.end, range.lowerBound < end, !range.isEmpty else { return }
        let known = range.lowerBound..<min(range.upperBound, end)
        let pending = logs[log]?.settlements.pending(in: known) ?? []
        guard settle(log, known, as: fate, isByPeer: true, &out), let state = logs[log] else { return }
        if fate == .refused {
            for range in pending.suffix(Self.refusedNamesKept) {
                for place in max(range.count - Self.refusedNamesKept, 0)..<range.count {
                    let offset = range.lowerBound.advanced(by: place)
                    remember(RefusedReading(log: log, offset: offset, reason: "refused to a peer"))
                }
            }
        }
        for index in jobs.indices.reversed() where jobs[index].log == log && jobs[index].range.overlaps(known) {
            jobs[index].trim(to: state.settlements)
            if jobs[index].isDone { settle(jobs.remove(at: index), &out) }
        }
        suspects.removeAll { $0.log == log && state.settlements.pending(in: $0.range).isEmpty }
        tellProgress(log, &out)
    }
}
