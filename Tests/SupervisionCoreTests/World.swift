import Environment
import Model
import SupervisionCore

/// A shell without tasks: it performs directives on a ledger of imagined runs, and checks every rule of order and number on the way.
/// What it finds wrong goes to ``faults``.
struct World {
    struct Run {
        let child: String
        let instance: InstanceID
        /// Ends soon after it is cancelled; otherwise only when the world ends it, if ever.
        let obeys: Bool
        let beats: Bool
        var isCancelled = false
        var isAbandoned = false
    }

    let policy: SupervisorPolicy
    var core: SupervisorCore
    var now = MonotonicInstant(nanoseconds: 0)
    /// For the core.
    var coreRandom: SeededRandom
    /// For what happens in the world.
    var random: SeededRandom
    var runs: [Run] = []
    /// Children in their order, with what is known of them.
    var children: [ChildPolicy] = []
    var trace: [[Directive]] = []
    var faults: [String] = []
    private var outcome: Outcome?
    /// Restarts of children that escalate.
    private var restarts: [MonotonicInstant] = []
    /// Runs that must be gone before any child from the given place on is started.
    private var group: (from: Int, mustBeGone: [InstanceID])?
    private var names = 0

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let strategies: [Strategy] = [.oneForOne, .oneForAll, .restForOne]
        policy = SupervisorPolicy(
            strategy: strategies[Int.random(in: 0..<3, using: &random)],
            intensity: Intensity(
                restarts: Int.random(in: 0...8, using: &random),
                period: .seconds(Int.random(in: 1...60, using: &random))),
            stopOrder: Bool.random(using: &random) ? .reverse : .together, maximumChildren: 6, maximumAbandoned: 4)
        core = SupervisorCore(path: ["root"], policy: policy)
        coreRandom = SeededRandom(seed: seed ^ 0xABCD)
        self.random = random
    }

    /// A life of `steps` random events, then a stop that must come to its end.
    mutating func live(steps: Int) {
        for _ in 0..<Int.random(in: 1...5, using: &random) { send(.add(anyChild())) }
        send(.start)
        for _ in 0..<steps where outcome == nil { happen() }
        send(.stop)
        var patience = 100
        while outcome == nil, patience > 0 {
            patience -= 1
            obey()
            if outcome == nil { passTime(until: core.nextDeadline) }
        }
        if outcome == nil { faults.append("does not end: \(core.status())") }
        // What was abandoned may return at any time, also after the end.
        for run in runs { send(.exited(run.instance, .finished)) }
        if core.status().contains(where: { $0.abandonedAlive > 0 }) { faults.append("abandoned runs miscounted") }
    }

    private mutating func happen() {
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<5: endOne(.failed("broken"))
        case 5: endOne(.finished)
        case 6..<9: obey()
        case 9: send(.add(anyChild()))
        case 10: if let child = children.randomElement(using: &random) { send(.remove(child.id)) }
        case 11: if let child = children.randomElement(using: &random) { send(.release(child.id)) }
        case 12 where Int.random(in: 0..<3, using: &random) == 0:
            if let child = children.randomElement(using: &random) { send(.quarantine(child.id, reason: "by hand")) }
        case 13..<18: passTime(until: core.nextDeadline)
        default: passTime(until: now.advanced(by: .milliseconds(Int.random(in: 0...20_000, using: &random))))
        }
    }

    private mutating func endOne(_ exit: Exit) {
        if let run = runs.randomElement(using: &random) { end(run.instance, exit) }
    }

    /// Lets runs that were cancelled end, if they obey.
    private mutating func obey() {
        for run in runs where run.isCancelled && run.obeys { end(run.instance, .failed("cancelled")) }
    }

    private mutating func end(_ instance: InstanceID, _ exit: Exit) {
        runs.removeAll { $0.instance == instance }
        send(.exited(instance, exit))
    }

    private mutating func passTime(until instant: MonotonicInstant?) {
        guard let instant else { return }
        now = max(now, instant)
        var beats: [InstanceID: MonotonicInstant] = [:]
        for run in runs where run.beats { beats[run.instance] = now }
        send(.timer(beats: beats))
        // Pauses and deadlines of zero may be due at once, one child after the other, but not for ever.
        var patience = 3 * policy.maximumChildren
        while let next = core.nextDeadline, next <= now, patience > 0 {
            send(.timer(beats: beats))
            patience -= 1
        }
        if patience == 0 { faults.append("a timer that does not move on: \(core.status())") }
    }

    private mutating func anyChild() -> ChildPolicy {
        names += 1
        let restarts: [Restart] = [.permanent, .permanent, .permanent, .transient, .temporary]
        let exceeded: Exceeded
        switch Int.random(in: 0..<4, using: &random) {
        case 0: exceeded = .quarantine(coolDown: nil)
        case 1: exceeded = .quarantine(coolDown: .seconds(Int.random(in: 1...30, using: &random)))
        default: exceeded = .escalate
        }
        // Names come again, so that a child can be added after its namesake was removed.
        return ChildPolicy(
            id: "c\(names % 8)", restart: restarts[Int.random(in: 0..<5, using: &random)], exceeded: exceeded,
            intensity: Intensity(restarts: Int.random(in: 0...4, using: &random), period: .seconds(20)),
            backoff: Backoff(initial: .milliseconds(100), maximum: .seconds(5), stableAfter: .seconds(10)),
            shutdownDeadline: .seconds(Int.random(in: 0...5, using: &random)),
            heartbeat: Bool.random(using: &random) ? Heartbeat(deadline: .seconds(3)) : nil, abandonedLimit: 2)
    }

    // MARK: Performing and checking

    private mutating func send(_ event: Event) {
        let before = runs
        let wasRunning = core.state == .running
        let directives = core.step(event, now: now, using: &coreRandom)
        trace.append(directives)
        if case .add(let child) = event, directives.refusal == nil { children.append(child) }
        var silenced: [String] = []
        for directive in directives {
            switch directive {
            case .start(let instance, let child, _): start(instance, child)
            case .cancel(let instance):
                cancel(instance, isOwn: silenced.contains(child(of: instance)) || isAbout(event, child(of: instance)))
            case .abandon(let instance): change(instance) { $0.isAbandoned = true }
            case .forget(let child):
                if let place = children.firstIndex(where: { $0.id == child }) {
                    children.remove(at: place)
                    if let group, place < group.from { self.group?.from -= 1 }
                }
            case .report(let report):
                if case .stuck = report.kind { silenced.append(report.child) }
                check(report, before)
            case .refuse: break
            case .end(let outcome):
                self.outcome = outcome
                if runs.contains(where: { !$0.isAbandoned }) { faults.append("ended with live runs: \(runs)") }
                if !wasRunning, case .stop = event, !before.isEmpty, before.contains(where: { !$0.isAbandoned }) {
                    faults.append("ended at once")
                }
            }
        }
        if policy.stopOrder == .together, case .stopping = core.state, runs.contains(where: { !$0.isCancelled }) {
            faults.append("not all were cancelled together: \(runs)")
        }
    }

    private mutating func start(_ instance: InstanceID, _ child: String) {
        if outcome != nil || core.state == .idle { faults.append("\(child) started out of time") }
        if runs.contains(where: { $0.child == child && !$0.isAbandoned }) { faults.append("two live runs of \(child)") }
        let place = place(of: child)
        if let group, place >= group.from {
            if runs.contains(where: { group.mustBeGone.contains($0.instance) && !$0.isAbandoned }) {
                faults.append("\(child) started before its group was gone")
            }
            // Nothing of a group starts before all of it may.
            self.group = nil
        }
        runs.append(
            Run(
                child: child, instance: instance, obeys: Int.random(in: 0..<4, using: &random) > 0,
                beats: Int.random(in: 0..<3, using: &random) > 0))
        let leaked = runs.filter { $0.child == child && $0.isAbandoned }.count
        if leaked >= children[place].abandonedLimit {
            faults.append("\(child) started beside \(leaked) abandoned runs")
        }
    }

    /// `isOwn`: the child is cancelled for its own sake; otherwise because all, or its group, stop.
    private mutating func cancel(_ instance: InstanceID, isOwn: Bool) {
        let child = child(of: instance)
        guard let run = runs.first(where: { $0.instance == instance }), !run.isCancelled, !run.isAbandoned else {
            faults.append("cancelled in vain: \(child)")
            return
        }
        change(instance) { $0.isCancelled = true }
        if isOwn { return }
        if policy.strategy == .oneForOne, core.state == .running { faults.append("\(child) suffers from a sibling") }
        let behind = runs.filter { place(of: $0.child) > place(of: child) && !$0.isAbandoned }
        if policy.stopOrder == .reverse, !behind.isEmpty { faults.append("\(child) cancelled before \(behind)") }
    }

    private mutating func check(_ event: SupervisionEvent, _ before: [Run]) {
        guard case .restarting(let pause) = event.kind else { return }
        let place = place(of: event.child)
        if pause < .zero || pause > children[place].backoff.maximum { faults.append("a pause of \(pause)") }
        if children[place].exceeded == .escalate {
            restarts = restarts.filter { $0.duration(to: now) <= policy.intensity.period } + [now]
            if restarts.count > policy.intensity.restarts { faults.append("\(restarts.count) restarts in a period") }
        }
        if policy.strategy == .oneForOne { return }
        let from = min(policy.strategy == .oneForAll ? 0 : place, group?.from ?? place)
        let concerned = before.filter { self.place(of: $0.child) >= from && $0.child != event.child }
        group = (from, concerned.map(\.instance))
    }

    private func isAbout(_ event: Event, _ child: String) -> Bool {
        switch event {
        case .remove(child), .quarantine(child, _): true
        default: false
        }
    }

    private func child(of instance: InstanceID) -> String {
        runs.first { $0.instance == instance }?.child ?? "unknown \(instance.rawValue)"
    }

    private func place(of child: String) -> Int { children.firstIndex { $0.id == child } ?? children.count }

    private mutating func change(_ instance: InstanceID, _ body: (inout Run) -> Void) {
        for index in runs.indices where runs[index].instance == instance { body(&runs[index]) }
    }
}
