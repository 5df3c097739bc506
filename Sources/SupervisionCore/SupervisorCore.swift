// Pure: no clock, no randomness of its own, no concurrency, no unordered iteration. The same events at the same times with the same
// generator give the same directives.

package import Environment

/// The decisions of one supervisor.
///
/// A shell feeds it events and performs the directives in their order. Between events it calls ``step(_:now:using:)`` with a timer event
/// when ``nextDeadline`` comes. Time never goes back from one step to the next.
///
/// After every event the core reconciles: what must stop is cancelled in order, what waits to start is started in order. So the order
/// rules live in one place, ``reconcile(now:)``.
package struct SupervisorCore: Sendable {
    package enum State: Hashable, Sendable {
        case idle
        case running
        case stopping(Outcome)
        case ended(Outcome)
    }

    /// The children from `from` on are to be stopped, and started again once all are gone and the pause is over.
    struct GroupRestart: Hashable, Sendable {
        var from: Int
        var notBefore: MonotonicInstant
    }

    /// A run that was abandoned and has not ended.
    struct Leak: Hashable, Sendable {
        let child: String
        let instance: InstanceID
    }

    /// Names from the root supervisor down to this one.
    package let path: [String]
    package let policy: SupervisorPolicy
    package internal(set) var state = State.idle

    var slots: [Slot] = []
    var groupRestart: GroupRestart?
    /// At most ``SupervisorPolicy/maximumAbandoned``, and those of the last stop.
    var leaks: [Leak] = []
    var window: RestartWindow
    var directives: [Directive] = []
    private var instances: UInt64 = 0

    package init(path: [String], policy: SupervisorPolicy = SupervisorPolicy()) {
        self.path = path
        self.policy = policy
        window = RestartWindow(policy.intensity)
    }

    /// Takes one event and says what to do about it.
    package mutating func step(
        _ event: Event, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) -> [Directive] {
        switch event {
        case .start:
            precondition(state == .idle, "\(path) started while \(state)")
            state = .running
        case .exited(let instance, let exit): exited(instance, exit, now: now, using: &rng)
        case .timer(let beats): timer(beats, now: now, using: &rng)
        case .add(let policy): add(policy, now: now)
        case .remove(let id): remove(id, now: now)
        case .release(let id): release(id, now: now)
        case .quarantine(let id, let reason): quarantine(id, reason: oneLine(reason), now: now)
        case .stop: stop(now: now)
        }
        reconcile(now: now)
        for index in slots.indices where slots[index].since == nil { slots[index].since = now }
        defer { directives = [] }
        return directives
    }

    /// When the next timer event is due, if nothing else happens. May lie in the past.
    package var nextDeadline: MonotonicInstant? {
        if case .ended = state { return nil }
        var earliest = MonotonicInstant.never
        for index in slots.indices where slots[index].due < earliest && canComeDue(index) {
            earliest = slots[index].due
        }
        if let groupRestart, state == .running, !slots.indices[groupRestart.from...].contains(where: isLive) {
            earliest = min(earliest, groupRestart.notBefore)
        }
        return earliest == .never ? nil : earliest
    }

    /// The runs whose signs of life the next timer event at `now` has to bring: those that are due, and those that soon will be, so
    /// that thousands of children do not each wake the supervisor.
    package func awaitedBeats(at now: MonotonicInstant) -> [InstanceID] {
        slots.indices.compactMap { index in
            guard let heartbeat = slots[index].policy.heartbeat, case .running(let run) = slots[index].phase,
                slots[index].due <= now.advanced(by: heartbeat.deadline / 4)
            else { return nil }
            return run.instance
        }
    }

    /// The children in their order.
    package func status() -> [ChildStatus] {
        slots.map { slot in
            ChildStatus(
                id: slot.policy.id, kind: slot.policy.kind, state: slot.phase.state,
                since: slot.since ?? MonotonicInstant(nanoseconds: 0), restarts: max(0, slot.attempts - 1),
                stuck: slot.stuck, abandoned: slot.abandoned, abandonedAlive: leaks(of: slot.policy.id),
                lastFailure: slot.lastFailure, instance: slot.run?.instance)
        }
    }

    /// Whether it has a child of this name, in whatever state.
    package func contains(_ id: String) -> Bool { slots.contains { $0.policy.id == id } }

    /// Whether the child is to be stopped because the supervisor or its group is.
    func isToStop(_ index: Int) -> Bool {
        switch state {
        case .stopping, .ended: true
        case .idle, .running: groupRestart.map { index >= $0.from } ?? false
        }
    }

    func isLive(_ index: Int) -> Bool {
        switch slots[index].phase {
        case .running, .ending: true
        case .waiting, .backingOff, .quarantined, .finished, .stopped: false
        }
    }

    func isWaiting(_ index: Int) -> Bool {
        if case .waiting = slots[index].phase { true } else { false }
    }

    /// Whether what is due for the child may happen when its time comes.
    func canComeDue(_ index: Int) -> Bool {
        switch slots[index].phase {
        case .running: !isToStop(index)
        case .ending: true
        case .backingOff: state == .running
        case .quarantined: state == .running && canRelease(slots[index].policy)
        case .waiting, .finished, .stopped: false
        }
    }

    func leaks(of child: String) -> Int {
        leaks.reduce(0) { $0 + ($1.child == child ? 1 : 0) }
    }

    /// Whether another run of the child may be risked.
    func canRelease(_ policy: ChildPolicy) -> Bool {
        leaks(of: policy.id) < policy.abandonedLimit && leaks.count < self.policy.maximumAbandoned
    }

    mutating func report(_ kind: SupervisionEvent.Kind, of child: String, now: MonotonicInstant) {
        directives.append(.report(SupervisionEvent(path: path, child: child, at: now, kind: kind)))
    }

    // MARK: Order

    /// Cancels what is to stop and starts what waits, as far as the order allows.
    private mutating func reconcile(now: MonotonicInstant) {
        switch state {
        case .idle, .ended: break
        case .stopping(let outcome):
            guard cancelNext(from: 0, .stop, now: now) else { return }
            for index in slots.indices {
                switch slots[index].phase {
                case .waiting, .backingOff: slots[index].phase = .stopped
                case .running, .ending, .quarantined, .finished, .stopped: break
                }
            }
            groupRestart = nil
            state = .ended(outcome)
            directives.append(.end(outcome))
        case .running:
            continueGroupRestart(now: now)
            for index in slots.indices where isWaiting(index) && !isToStop(index) {
                start(index, now: now)
            }
        }
    }

    private mutating func continueGroupRestart(now: MonotonicInstant) {
        guard let restart = groupRestart, cancelNext(from: restart.from, .groupRestart, now: now),
            restart.notBefore <= now
        else { return }
        groupRestart = nil
        for index in slots.indices[restart.from...] {
            switch slots[index].phase {
            case .finished, .stopped: slots[index].phase = .waiting
            case .waiting, .quarantined, .running, .ending, .backingOff: break
            }
        }
    }

    /// Cancels the last live child from `first` on, or all of them where the policy says so. `true` when none is left.
    private mutating func cancelNext(from first: Int, _ ending: Slot.Ending, now: MonotonicInstant) -> Bool {
        var isDone = true
        for index in slots.indices[first...].reversed() where isLive(index) {
            isDone = false
            if case .running(let run) = slots[index].phase { cancel(index, run, ending, now: now) }
            if policy.stopOrder == .reverse { break }
        }
        return isDone
    }

    mutating func cancel(_ index: Int, _ run: Slot.Run, _ ending: Slot.Ending, now: MonotonicInstant) {
        let allowed: Duration?
        if case .failure = ending, let heartbeat = slots[index].policy.heartbeat {
            allowed = heartbeat.grace
        } else {
            allowed = slots[index].policy.shutdownDeadline
        }
        slots[index].phase = .ending(run, deadline: allowed.map { now.advanced(by: $0) }, ending)
        directives.append(.cancel(run.instance))
    }

    private mutating func start(_ index: Int, now: MonotonicInstant) {
        instances += 1
        slots[index].attempts += 1
        let instance = InstanceID(instances)
        slots[index].phase = .running(Slot.Run(instance: instance, startedAt: now, lastBeat: now))
        let (child, attempt) = (slots[index].policy.id, slots[index].attempts)
        directives.append(.start(instance, child: child, attempt: attempt))
        report(.started(attempt: attempt), of: child, now: now)
    }
}
