package import SupervisionCore

/// Where a child's work runs.
package enum Placement: Hashable, Sendable {
    /// On the shared pool: for work that awaits and never blocks its thread.
    case pool
    /// On a thread of its own, as long as the run lives: for work that may block (C calls, blocking reads, long loops). Only the
    /// child's task and its structured child tasks run there; a `Task { … }` that it starts goes to the pool. An actor that the
    /// child awaits runs there too meanwhile, so a child that blocks must not do so beside a child task of its own that awaits one.
    case ownThread
}

/// How one child of a supervisor is started and treated.
package struct ChildSpec: Sendable {
    enum Work: Sendable {
        case task(Placement, @Sendable (ChildContext) async throws -> Void)
        case supervisor(SupervisorPolicy, @Sendable () -> [ChildSpec])
    }

    package let policy: ChildPolicy
    let work: Work

    package var id: String { policy.id }

    /// A worker: `start` is its whole run. It ends by returning or throwing, and is asked to end by the cancellation of its task.
    ///
    /// - Parameters:
    ///   - id: unique among its siblings.
    ///   - heartbeat: with it the work must call ``ChildContext/heartbeat()`` more often than the deadline.
    ///   - shutdownDeadline: how long it may take to end after its cancellation before it is abandoned.
    ///   - intensity: counted for this child alone, where `exceeded` is `quarantine`.
    ///   - abandonedLimit: abandoned runs (with `ownThread`: leaked threads) that may be alive at once; reaching it counts as
    ///     exceeding the intensity.
    ///   - quarantined: a reason not to start it until it is released by hand.
    package init(
        _ id: String, restart: Restart = .permanent, placement: Placement = .pool, heartbeat: Heartbeat? = nil,
        shutdownDeadline: Duration = .seconds(1), backoff: Backoff = Backoff(), exceeded: Exceeded = .escalate,
        intensity: Intensity = Intensity(), abandonedLimit: Int = 2, quarantined reason: String? = nil,
        start: @escaping @Sendable (ChildContext) async throws -> Void
    ) {
        policy = ChildPolicy(
            id: id, kind: .worker, restart: restart, exceeded: exceeded, intensity: intensity, backoff: backoff,
            shutdownDeadline: shutdownDeadline, heartbeat: heartbeat, abandonedLimit: abandonedLimit,
            quarantineReason: reason)
        work = .task(placement, start)
    }

    /// A supervisor below this one. `children` is asked at each of its starts, so that it can give what is wanted by then; children
    /// added to it at run time are forgotten when it restarts. It has no deadline to stop in: its children have theirs.
    package static func supervisor(
        _ id: String, policy: SupervisorPolicy = SupervisorPolicy(), restart: Restart = .permanent,
        backoff: Backoff = Backoff(), exceeded: Exceeded = .escalate, intensity: Intensity = Intensity(),
        children: @escaping @Sendable () -> [ChildSpec]
    ) -> ChildSpec {
        ChildSpec(
            policy: ChildPolicy(
                id: id, kind: .supervisor, restart: restart, exceeded: exceeded, intensity: intensity,
                backoff: backoff, shutdownDeadline: nil),
            work: .supervisor(policy, children))
    }

    private init(policy: ChildPolicy, work: Work) {
        self.policy = policy
        self.work = work
    }
}
