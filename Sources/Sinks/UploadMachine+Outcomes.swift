import Environment
import Model

/// What follows from a sink's answer.
///
/// | answer | part of one reading | larger part |
/// |---|---|---|
/// | accepted | delivered | delivered |
/// | refused | held against the reading; the second time it is refused | split in halves |
/// | unavailable | kept, sink paused | kept, sink paused |
///
/// | at the end of a chunk, readings refused once | then |
/// |---|---|
/// | with another accepted since | sent alone once more |
/// | with none accepted since | pending, under suspicion until another chunk is accepted |
/// | all of the chunk | the same, and, unless it took something shortly before, the sink is paused: the fault is its own |
extension UploadMachine {
    mutating func finish(
        _ id: SendID, _ outcome: SendOutcome, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator, _ out: inout [UploadDirective]
    ) {
        guard let index = jobs.firstIndex(where: { $0.current?.id == id }), let part = jobs[index].current else {
            return
        }
        breaker.ended(id)
        if jobs[index].isDropped {
            return finishDropped(jobs.remove(at: index), part.range, outcome, now: now, using: &rng, &out)
        }
        switch outcome {
        case .accepted:
            jobs[index].partAccepted()
            trust = Self.refusalsTrusted
            for suspect in suspects.indices where !suspects[suspect].overlaps(jobs[index]) {
                suspects[suspect].isWitnessed = true
            }
            if breaker.accepted(epoch: part.epoch) { out.append(.recovered("the sink accepts again")) }
        case .refused(let reason):
            jobs[index].partRefused(cut(reason, toBytes: Self.reasonBytes))
            trust = max(trust - 1, 0)
            let job = jobs[index]
            // Where verdicts fall another chunk has borne witness, and each answer settles a reading.
            let isUnexplained = job.accepted.isEmpty && job.verdicts.isEmpty && !job.isDone
            if isUnexplained, job.refusedAnswers.isMultiple(of: Self.refusalsPerPause) {
                let words = cut(reason, toBytes: Self.reasonBytes)
                let text = "the sink refuses everything so far of \(name(job)): \(words)"
                pause(text, retryAfter: nil, epoch: part.epoch, opens: true, now: now, using: &rng, &out)
            }
        case .unavailable(let reason, let retryAfter):
            jobs[index].partFailed()
            let text = cut(reason, toBytes: Self.reasonBytes)
            pause(text, retryAfter: retryAfter, epoch: part.epoch, opens: false, now: now, using: &rng, &out)
            // With nothing learnt yet, it is better formed anew: it may have grown.
            if !jobs[index].isSplitting { return settle(jobs.remove(at: index), &out) }
        }
        if let settlements = logs[jobs[index].log]?.settlements { jobs[index].trim(to: settlements) }
        if jobs[index].isDone { conclude(jobs.remove(at: index), epoch: part.epoch, now: now, using: &rng, &out) }
    }

    mutating func abandon(
        _ id: SendID, now: MonotonicInstant, using rng: inout some RandomNumberGenerator,
        _ out: inout [UploadDirective]
    ) {
        guard let index = jobs.firstIndex(where: { $0.current?.id == id }), let part = jobs[index].current else {
            return
        }
        breaker.ended(id)
        jobs[index].partFailed()
        let job = jobs.remove(at: index)
        settle(job, &out)
        guard let first = logs[job.log]?.firstSendable(from: part.range.lowerBound), part.range.contains(first),
            !job.isDropped
        else { return }
        // No loss explains it, so the same range comes up again: not at once.
        let text = "log \(job.log) could not be read at \(part.range.lowerBound)"
        pause(text, retryAfter: nil, epoch: part.epoch, opens: false, now: now, using: &rng, &out)
    }

    private mutating func conclude(
        _ job: UploadJob, epoch: UInt64, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator, _ out: inout [UploadDirective]
    ) {
        suspects.removeAll { $0.overlaps(job) }
        settle(job, &out)
        guard let doubtful = job.doubtful else { return }
        suspects.append(Suspect(log: job.log, range: doubtful))
        if suspects.count > Self.suspectsKept { suspects.removeFirst() }
        guard job.isRefusedWhole, trust == 0 else { return }
        let text = "the sink refuses every reading of \(name(job)): \(job.refusals.first?.reason ?? "no reason")"
        pause(text, retryAfter: nil, epoch: epoch, opens: true, now: now, using: &rng, &out)
    }

    /// Books what is known of a job that ends; the rest is pending again.
    mutating func settle(_ job: UploadJob, _ out: inout [UploadDirective]) {
        var changed = false
        for range in job.accepted where settle(job.log, range, as: .uploaded, &out) { changed = true }
        // Nobody is told of what a peer's delivery has overtaken, so nobody else would give it back.
        if !changed { gates[job.log]?.allowance? += 1 }
        if refuse(job, &out) { changed = true }
        for (range, loss) in job.losses where settle(job.log, range, as: UploadFate(loss), &out) { changed = true }
        if changed { tellProgress(job.log, &out) } else { tellIfFinished(job.log, &out) }
    }

    /// Books the readings that the job found bad, neighbours together.
    private mutating func refuse(_ job: UploadJob, _ out: inout [UploadDirective]) -> Bool {
        var runs: [[RefusedReading]] = []
        for refused in job.verdicts.sorted(by: { $0.offset < $1.offset }) {
            let offset = refused.offset
            let isPending = logs[job.log]?.settlements.firstPending(from: offset) == offset
            guard isPending else { continue }
            if let last = runs.last?.last, last.offset.advanced(by: 1) == offset {
                runs[runs.count - 1].append(refused)
            } else {
                runs.append([refused])
            }
        }
        for run in runs {
            let range = run[0].offset..<run[0].offset.advanced(by: run.count)
            guard settle(job.log, range, as: .refused, &out) else { continue }
            for refused in run {
                remember(refused)
                out.append(.refused(refused.log, refused.offset, reason: refused.reason))
            }
        }
        return !runs.isEmpty
    }

    mutating func remember(_ refused: RefusedReading) {
        refusedNames.append(refused)
        if refusedNames.count > Self.refusedNamesKept { refusedNames.removeFirst() }
    }

    mutating func pause(
        _ reason: String, retryAfter: Duration?, epoch: UInt64, opens: Bool, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator, _ out: inout [UploadDirective]
    ) {
        let isNews = breaker.failed(
            reason, retryAfter: retryAfter, epoch: epoch, opens: opens, now: now, using: &rng)
        if isNews { out.append(.alarm(reason)) }
    }

    private func name(_ job: UploadJob) -> String {
        "\(job.log)/\(job.range.lowerBound)-\(job.range.count)"
    }
}
