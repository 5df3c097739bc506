import Environment
import Model

/// What children do by themselves: end, fail, fall silent.
extension SupervisorCore {
    mutating func exited(
        _ instance: InstanceID, _ exit: Exit, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) {
        if let leak = leaks.firstIndex(where: { $0.instance == instance }) {
            let child = leaks.remove(at: leak).child
            report(.returned(alive: leaks(of: child)), of: child, now: now)
            return
        }
        guard let index = slots.indices.first(where: { slots[$0].run?.instance == instance }) else { return }
        switch slots[index].phase {
        case .running(let run): ended(index, run, exit, now: now, using: &rng)
        case .ending(let run, _, let ending): settle(index, run, ending, now: now, using: &rng)
        case .waiting, .backingOff, .quarantined, .finished, .stopped:
            preconditionFailure("\(path): an instance without a run in \(slots[index])")
        }
    }

    mutating func timer(
        _ beats: [InstanceID: MonotonicInstant], now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) {
        // A slot may vanish on the way: walk from the end.
        for index in slots.indices.reversed() where slots[index].due != .never {
            if !beats.isEmpty { refresh(index, beats, now: now) }
            guard slots[index].due <= now, canComeDue(index) else { continue }
            switch slots[index].phase {
            case .running(let run): fellSilent(index, run, run.lastBeat.duration(to: now), now: now)
            case .ending(let run, _, let ending):
                abandon(index, run, now: now)
                settle(index, run, ending, now: now, using: &rng)
            case .backingOff: slots[index].phase = .waiting
            case .quarantined: letGo(index, now: now)
            case .waiting, .finished, .stopped: break
            }
        }
    }

    private mutating func refresh(_ index: Int, _ beats: [InstanceID: MonotonicInstant], now: MonotonicInstant) {
        guard case .running(var run) = slots[index].phase, let beat = beats[run.instance] else { return }
        run.lastBeat = max(run.lastBeat, min(beat, now))
        slots[index].phase = .running(run)
    }

    /// A run ended that nobody had cancelled.
    private mutating func ended(
        _ index: Int, _ run: Slot.Run, _ exit: Exit, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator
    ) {
        let child = slots[index].policy
        if case .failed(let reason) = exit {
            return failed(index, run, reason: oneLine(reason), now: now, using: &rng)
        }
        if isToStop(index) { return settle(index, run, stopEnding, now: now, using: &rng) }
        switch child.restart {
        case .permanent: failed(index, run, reason: "ended, though it is permanent", now: now, using: &rng)
        case .transient:
            slots[index].phase = .finished
            report(.finished, of: child.id, now: now)
        case .temporary:
            slots[index].phase = .finished
            forget(index, .finished, now: now)
        }
    }

    /// A cancelled run is gone, or given up.
    private mutating func settle(
        _ index: Int, _ run: Slot.Run, _ ending: Slot.Ending, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator
    ) {
        let child = slots[index].policy
        switch ending {
        case .failure(let reason): return failed(index, run, reason: reason, now: now, using: &rng)
        case .removal:
            slots[index].phase = .stopped
            return forget(index, .removed, now: now)
        case .quarantine(let reason): return setAside(index, reason: reason, coolDown: nil, now: now)
        case .stop:
            slots[index].phase = .stopped
            report(.stopped, of: child.id, now: now)
        case .groupRestart:
            slots[index].phase = .stopped
            report(.stopped, of: child.id, now: now)
            if child.restart == .temporary {
                forget(index, .removed, now: now)
            } else if isLeaked(run), !canRelease(child) {
                tooMuch(index, reason: abandonedReason(child), now: now)
            } else if state == .running {
                slots[index].phase = .waiting
            }
        }
    }

    private var stopEnding: Slot.Ending { state == .running ? .groupRestart : .stop }

    private mutating func fellSilent(_ index: Int, _ run: Slot.Run, _ silence: Duration, now: MonotonicInstant) {
        slots[index].stuck += 1
        report(.stuck(silence: silence), of: slots[index].policy.id, now: now)
        cancel(index, run, .failure("silent for \(silence.text)"), now: now)
    }

    private mutating func abandon(_ index: Int, _ run: Slot.Run, now: MonotonicInstant) {
        let child = slots[index].policy.id
        slots[index].abandoned += 1
        leaks.append(Leak(child: child, instance: run.instance))
        directives.append(.abandon(run.instance))
        report(.abandoned(alive: leaks(of: child)), of: child, now: now)
    }

    /// A run failed; decides what follows for it and its group.
    private mutating func failed(
        _ index: Int, _ run: Slot.Run, reason: String, now: MonotonicInstant,
        using rng: inout some RandomNumberGenerator
    ) {
        let child = slots[index].policy
        slots[index].phase = .stopped
        slots[index].lastFailure = reason
        report(.failed(reason: reason), of: child.id, now: now)
        // Siblings of a failed child often fail with it: that is its failure, not theirs.
        if isToStop(index) { return settle(index, run, stopEnding, now: now, using: &rng) }
        if child.restart == .temporary { return forget(index, .removed, now: now) }
        if isLeaked(run), !canRelease(child) { return tooMuch(index, reason: abandonedReason(child), now: now) }
        guard bearsRestart(index, now: now) else { return tooMuch(index, reason: reason, now: now) }
        if run.startedAt.duration(to: now) >= child.backoff.stableAfter { slots[index].failures = 0 }
        let pause = child.backoff.pause(after: slots[index].failures, using: &rng)
        slots[index].failures += 1
        report(.restarting(after: pause), of: child.id, now: now)
        restart(index, at: now.advanced(by: pause))
    }

    private func isLeaked(_ run: Slot.Run) -> Bool { leaks.contains { $0.instance == run.instance } }

    private mutating func restart(_ index: Int, at instant: MonotonicInstant) {
        switch policy.strategy {
        case .oneForOne: slots[index].phase = .backingOff(until: instant)
        case .oneForAll, .restForOne:
            let from = policy.strategy == .oneForAll ? 0 : index
            slots[index].phase = .waiting
            // A child that a group restart concerns already does not come here: `from` can only widen it.
            let notBefore = groupRestart.map { max($0.notBefore, instant) } ?? instant
            groupRestart = GroupRestart(from: from, notBefore: notBefore)
        }
    }

    private mutating func bearsRestart(_ index: Int, now: MonotonicInstant) -> Bool {
        switch slots[index].policy.exceeded {
        case .escalate: window.bears(restartAt: now)
        case .quarantine: slots[index].window.bears(restartAt: now)
        }
    }

    private mutating func tooMuch(_ index: Int, reason: String, now: MonotonicInstant) {
        let child = slots[index].policy
        switch child.exceeded {
        case .quarantine: setAside(index, reason: reason, now: now)
        case .escalate:
            let reason = "\(child.id): \(reason)"
            slots[index].phase = .stopped
            report(.escalated(reason: reason), of: child.id, now: now)
            state = .stopping(.escalated(reason: reason))
        }
    }
}
