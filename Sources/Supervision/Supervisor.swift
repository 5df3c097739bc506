package import Environment
package import SupervisionCore
import Synchronization
import Threads

/// A supervisor gave up: a child failed more often than its intensity bears, or its children could not be accepted.
package struct SupervisionFailure: Error, Hashable, CustomStringConvertible {
    /// One line that names the child.
    package let reason: String

    package var description: String { reason }
}

/// Runs children as tasks and restarts, replaces, quarantines and stops them as their specs say.
///
/// ```swift
/// let root = Supervisor("gateway", clock: clock, seed: seed, events: { log($0.description) }, children: [
///     ChildSpec("ring") { context in try await ring.run() },
///     .supervisor("devices", policy: SupervisorPolicy(stopOrder: .together, maximumChildren: 4096)) {
///         devices.map { device in
///             ChildSpec(
///                 device.id, placement: device.blocksThread ? .ownThread : .pool,
///                 heartbeat: Heartbeat(deadline: .seconds(30)), exceeded: .quarantine(coolDown: .seconds(600))
///             ) { context in try await device.run(heartbeat: context.heartbeat) }
///         }
///     },
/// ])
/// try await root.run()  // until the task is cancelled, or a failure nobody could contain
/// ```
///
/// Starting is ordered, but a child's predecessors need not be ready when it starts: what depends on them awaits them. A cancellation
/// handler of a child runs on its supervisor and must not block.
///
/// The decisions are those of ``SupervisorCore``; this actor performs them. It never awaits between a decision and its execution, so the
/// order of the directives is the order of the deeds.
package actor Supervisor {
    struct Child {
        let id: String
        let context: ChildContext
        let task: Task<Void, Never>
        let supervisor: Supervisor?
    }

    /// Names from the root supervisor down to this one.
    package nonisolated let path: [String]
    let clock: any Clock
    var core: SupervisorCore
    var children: [InstanceID: Child] = [:]
    /// When ``run()`` began, or when it was made.
    var since: MonotonicInstant
    private var random: SeededRandom
    private let events: @Sendable (SupervisionEvent) -> Void
    private var specs: [String: ChildSpec] = [:]
    /// Why the children it was made with could not be accepted.
    private var flaw: Refusal?
    private var isStarted = false
    private var timer: (deadline: MonotonicInstant, number: Int, task: Task<Void, Never>)?
    private var timers = 0
    private var outcome: Outcome?
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    private var removalWaiters: [(child: String, wake: CheckedContinuation<Void, Never>)] = []
    private nonisolated let progress: Progress

    /// A root supervisor.
    ///
    /// - Parameters:
    ///   - seed: of the jitter.
    ///   - events: called for everything that happens in the whole tree, in order per supervisor; must not block.
    package init(
        _ id: String, policy: SupervisorPolicy = SupervisorPolicy(), clock: any Clock, seed: UInt64,
        events: @escaping @Sendable (SupervisionEvent) -> Void = { _ in }, children: [ChildSpec]
    ) {
        self.init(path: [id], policy: policy, clock: clock, seed: seed, events: events, children: children)
    }

    private init(
        path: [String], policy: SupervisorPolicy, clock: any Clock, seed: UInt64,
        events: @escaping @Sendable (SupervisionEvent) -> Void, children: [ChildSpec]
    ) {
        self.path = path
        self.clock = clock
        self.events = events
        since = clock.now
        progress = Progress(clock.now)
        core = SupervisorCore(path: path, policy: policy)
        random = SeededRandom(seed: seed)
        for child in children {
            for directive in core.step(.add(child.policy), now: since, using: &random) {
                switch directive {
                case .refuse(let refusal): flaw = flaw ?? refusal
                case .report(let event): events(event)
                case .start, .cancel, .abandon, .forget, .end: break
                }
            }
            specs[child.id] = child
        }
    }

    /// Starts the children and supervises them until the supervisor is stopped, by ``stop()`` or by cancelling the calling task. All
    /// children have ended or were abandoned when it returns. Throws where it had to give up. May be called once.
    package func run() async throws(SupervisionFailure) {
        precondition(!isStarted, "\(path) runs twice")
        isStarted = true
        if let flaw { throw SupervisionFailure(reason: "\(path.joined(separator: "/")): \(flaw)") }
        since = clock.now
        if core.state == .idle { step(.start) }
        await withTaskCancellationHandler {
            await end()
        } onCancel: {
            Task { await self.step(.stop) }
        }
        if case .escalated(let reason) = outcome { throw SupervisionFailure(reason: reason) }
    }

    /// Stops all children in order; returns when they have ended or were abandoned.
    package func stop() async {
        step(.stop)
        await end()
    }

    /// When the supervisor that moved least in this tree last did; at most its ``SupervisorPolicy/progressInterval`` ago while the pool
    /// serves it. From any thread: a watchdog is fed only while this stays fresh.
    package nonisolated var lastProgress: MonotonicInstant { progress.oldest }

    // MARK: Performing

    /// Feeds the core and does what it says. Returns why the event was refused, if it was.
    @discardableResult
    func step(_ event: Event) -> Refusal? {
        var refusal: Refusal?
        var next: [Event] = [event]
        while !next.isEmpty {
            let now = clock.now
            progress.moved(at: now)
            let directives = core.step(next.removeFirst(), now: now, using: &random)
            for directive in directives {
                switch directive {
                case .start(let instance, let child, let attempt):
                    // A child that cannot even begin has failed; the core hears of it after this batch.
                    if let exit = start(instance, child, attempt) { next.append(.exited(instance, exit)) }
                case .cancel(let instance): cancel(instance)
                // Nothing to do: its task stays known, because its end is still to be told.
                case .abandon: break
                case .forget(let child): forget(child)
                case .report(let event): events(event)
                case .refuse(let reason): refusal = refusal ?? reason
                case .end(let outcome): finish(outcome)
                }
            }
        }
        armTimer()
        return refusal
    }

    /// Adds a child behind the others.
    func accept(_ spec: ChildSpec) throws(Refusal) {
        let previous = specs.updateValue(spec, forKey: spec.id)
        if let refusal = step(.add(spec.policy)) {
            specs[spec.id] = previous
            throw refusal
        }
    }

    /// Returns when no child has this name.
    func removed(_ id: String) async {
        guard core.contains(id), outcome == nil else { return }
        await withCheckedContinuation { removalWaiters.append((id, $0)) }
    }

    private func start(_ instance: InstanceID, _ id: String, _ attempt: Int) -> Exit? {
        guard let spec = specs[id] else { preconditionFailure("\(path) starts \(id), which it does not know") }
        let context = ChildContext(path: path + [id], attempt: attempt, supervisor: self, clock: clock)
        var supervisor: Supervisor?
        var thread: ThreadExecutor?
        let work: @Sendable (ChildContext) async throws -> Void
        switch spec.work {
        case .task(let placement, let start):
            work = start
            if placement == .ownThread {
                do { thread = try ThreadExecutor(name: id) } catch { return .failed("\(error)") }
            }
        case .supervisor(let policy, let children):
            let nested = Supervisor(
                path: context.path, policy: policy, clock: clock, seed: random.next(), events: events,
                children: children())
            work = { _ in try await nested.run() }
            supervisor = nested
            progress.watch(nested.progress, as: instance)
        }
        let task = launch(work, context, on: thread) { exit in
            // A task of its own, so that this actor never runs on a child's thread.
            Task { await self.ended(instance, exit) }
        }
        children[instance] = Child(id: id, context: context, task: task, supervisor: supervisor)
        return nil
    }

    private func ended(_ instance: InstanceID, _ exit: Exit) {
        children[instance] = nil
        progress.ignore(instance)
        step(.exited(instance, exit))
    }

    private func cancel(_ instance: InstanceID) {
        children[instance]?.context.cancel()
        children[instance]?.task.cancel()
    }

    private func forget(_ id: String) {
        specs[id] = nil
        for waiter in removalWaiters where waiter.child == id { waiter.wake.resume() }
        removalWaiters.removeAll { $0.child == id }
    }

    // MARK: End

    private func end() async {
        guard outcome == nil else { return }
        await withCheckedContinuation { endWaiters.append($0) }
    }

    private func finish(_ outcome: Outcome) {
        self.outcome = outcome
        timer?.task.cancel()
        timer = nil
        for waiter in endWaiters + removalWaiters.map(\.wake) { waiter.resume() }
        endWaiters = []
        removalWaiters = []
    }

    // MARK: Time

    /// Sees to it that a timer event comes no later than the core needs it, nor than progress has to be shown.
    private func armTimer() {
        guard outcome == nil, isStarted else { return }
        let idle = clock.now.advanced(by: core.policy.progressInterval)
        let deadline = min(core.nextDeadline ?? idle, idle)
        // An earlier timer is left alone: it finds nothing due and sets the next one.
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        timers += 1
        let number = timers
        let task = Task { [clock] in
            do { try await clock.sleep(until: deadline) } catch { return }
            self.fire(number)
        }
        timer = (deadline, number, task)
    }

    private func fire(_ number: Int) {
        guard timer?.number == number else { return }
        timer = nil
        var beats: [InstanceID: MonotonicInstant] = [:]
        for instance in core.awaitedBeats(at: clock.now) { beats[instance] = children[instance]?.context.lastBeat }
        step(.timer(beats: beats))
    }
}

/// Begins a run on the pool or on a thread of its own, which ends with it.
private func launch(
    _ work: @escaping @Sendable (ChildContext) async throws -> Void, _ context: ChildContext,
    on thread: ThreadExecutor?, whenEnded: @escaping @Sendable (Exit) -> Void
) -> Task<Void, Never> {
    Task(executorPreference: thread) {
        do {
            try await work(context)
            whenEnded(.finished)
        } catch {
            whenEnded(.failed("\(error)"))
        }
        thread?.retire()
    }
}
