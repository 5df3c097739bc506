import Environment

/// What is asked of a supervisor from outside.
extension SupervisorCore {
    mutating func add(_ policy: ChildPolicy, now: MonotonicInstant) {
        switch state {
        case .stopping, .ended: return refuse(.notRunning)
        case .idle, .running: break
        }
        if slots.contains(where: { $0.policy.id == policy.id }) { return refuse(.duplicate(policy.id)) }
        if slots.count >= self.policy.maximumChildren { return refuse(.full(limit: self.policy.maximumChildren)) }
        slots.append(Slot(policy))
        if let reason = slots[slots.count - 1].lastFailure {
            report(.quarantined(reason: reason, coolDown: nil), of: policy.id, now: now)
        } else if !canRelease(policy) {
            // Removing a child and adding it again must not be a way around the limit.
            setAside(slots.count - 1, reason: abandonedReason(policy), now: now)
        }
    }

    mutating func remove(_ id: String, now: MonotonicInstant) {
        guard let index = index(of: id) else { return }
        switch slots[index].phase {
        case .running(let run): cancel(index, run, .removal, now: now)
        case .ending(let run, let deadline, _): slots[index].phase = .ending(run, deadline: deadline, .removal)
        case .waiting, .backingOff, .quarantined, .finished, .stopped: forget(index, .removed, now: now)
        }
    }

    mutating func release(_ id: String, now: MonotonicInstant) {
        guard let index = index(of: id) else { return }
        guard case .quarantined = slots[index].phase else { return refuse(.notQuarantined(id)) }
        guard canRelease(slots[index].policy) else { return refuse(.abandonedAlive(id, count: leaks(of: id))) }
        letGo(index, now: now)
    }

    mutating func quarantine(_ id: String, reason: String, now: MonotonicInstant) {
        guard let index = index(of: id) else { return }
        switch slots[index].phase {
        case .running(let run): cancel(index, run, .quarantine(reason: reason), now: now)
        case .ending(_, _, .removal): refuse(.unknown(id))
        case .ending(let run, let deadline, _):
            slots[index].phase = .ending(run, deadline: deadline, .quarantine(reason: reason))
        case .waiting, .backingOff, .finished, .stopped: setAside(index, reason: reason, coolDown: nil, now: now)
        case .quarantined: slots[index].phase = .quarantined(until: nil)
        }
    }

    mutating func stop(now: MonotonicInstant) {
        switch state {
        case .idle, .running: state = .stopping(.stopped)
        case .stopping, .ended: break
        }
    }

    /// Out of quarantine with a clean slate, to be started in its turn.
    mutating func letGo(_ index: Int, now: MonotonicInstant) {
        slots[index].window.clear()
        slots[index].failures = 0
        slots[index].phase = .waiting
        report(.released, of: slots[index].policy.id, now: now)
    }

    /// Into quarantine, with the cool-down of the child's own policy.
    mutating func setAside(_ index: Int, reason: String, now: MonotonicInstant) {
        switch slots[index].policy.exceeded {
        case .quarantine(let coolDown): setAside(index, reason: reason, coolDown: coolDown, now: now)
        case .escalate: setAside(index, reason: reason, coolDown: nil, now: now)
        }
    }

    mutating func setAside(_ index: Int, reason: String, coolDown: Duration?, now: MonotonicInstant) {
        slots[index].phase = .quarantined(until: coolDown.map { now.advanced(by: $0) })
        slots[index].lastFailure = reason
        report(.quarantined(reason: reason, coolDown: coolDown), of: slots[index].policy.id, now: now)
    }

    /// Removes a child that has no run under way.
    mutating func forget(_ index: Int, _ kind: SupervisionEvent.Kind, now: MonotonicInstant) {
        precondition(slots[index].run == nil, "\(path) forgets a live child: \(slots[index])")
        let id = slots[index].policy.id
        slots.remove(at: index)
        if let from = groupRestart?.from, index < from { groupRestart?.from = from - 1 }
        report(kind, of: id, now: now)
        directives.append(.forget(child: id))
    }

    func abandonedReason(_ policy: ChildPolicy) -> String {
        "\(leaks(of: policy.id)) abandoned runs are still alive, \(leaks.count) under the supervisor"
    }

    /// The place of a child that may be acted upon; refuses where there is none.
    private mutating func index(of id: String) -> Int? {
        switch state {
        case .stopping, .ended:
            refuse(.notRunning)
            return nil
        case .idle, .running: break
        }
        guard let index = slots.firstIndex(where: { $0.policy.id == id }) else {
            refuse(.unknown(id))
            return nil
        }
        return index
    }

    private mutating func refuse(_ refusal: Refusal) {
        directives.append(.refuse(refusal))
    }
}
