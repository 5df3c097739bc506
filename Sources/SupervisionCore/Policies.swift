/// How the failure of one child concerns its siblings.
package enum Strategy: String, Hashable, Sendable {
    /// Only the child that failed is started again.
    case oneForOne = "one_for_one"
    /// All children are stopped, last first, and started again in order.
    case oneForAll = "one_for_all"
    /// The child that failed and those that were added after it are stopped, last first, and started again in order.
    case restForOne = "rest_for_one"
}

/// When an ended child is started again.
package enum Restart: String, Hashable, Sendable {
    /// Always; a plain return counts as a failure.
    case permanent
    /// After a failure only. A group restart (`one_for_all`, `rest_for_one`) starts it again even where it had finished.
    case transient
    /// Never: once ended, for whatever reason, it is forgotten.
    case temporary
}

/// How many restarts are borne in a sliding window of time.
package struct Intensity: Hashable, Sendable {
    /// Restarts within one period that are still borne; the next one is too many. 0 or more.
    package let restarts: Int
    /// Length of the sliding window; more than zero.
    package let period: Duration

    package init(restarts: Int = 5, period: Duration = .seconds(60)) {
        precondition(restarts >= 0 && period > .zero, "intensity of \(restarts) restarts in \(period)")
        self.restarts = restarts
        self.period = period
    }
}

/// What happens when a child fails more often than its intensity bears, or leaves too many abandoned instances behind.
package enum Exceeded: Hashable, Sendable {
    /// The supervisor stops all its children and fails, so that its own parent's strategy applies. Restarts are counted together for
    /// all children of the supervisor that escalate.
    case escalate
    /// Only this child is set aside; its siblings never notice, whatever the strategy. It is released by hand or, where given, after
    /// the cool-down. Restarts are counted for this child alone.
    case quarantine(coolDown: Duration?)
}

/// The promise of a child to give a sign of life.
package struct Heartbeat: Hashable, Sendable {
    /// A child that is silent for this long is stuck and gets cancelled; more than zero.
    package let deadline: Duration
    /// How long a cancelled, stuck child may take to end before it is abandoned and replaced.
    package let grace: Duration

    package init(deadline: Duration, grace: Duration = .seconds(1)) {
        precondition(deadline > .zero && grace >= .zero, "heartbeat deadline \(deadline), grace \(grace)")
        self.deadline = deadline
        self.grace = grace
    }
}

/// In which order several children are stopped.
package enum StopOrder: Hashable, Sendable {
    /// The last one first, each only after the one behind it has ended or was abandoned. Deadlines add up.
    case reverse
    /// All at once: for children that know nothing of each other. The longest deadline counts.
    case together
}

/// What a supervisor does about its children as a whole.
package struct SupervisorPolicy: Hashable, Sendable {
    package let strategy: Strategy
    /// Shared by all children whose ``ChildPolicy/exceeded`` is `escalate`.
    package let intensity: Intensity
    package let stopOrder: StopOrder
    /// Children at one time; adding more is refused. A supervisor of discovered children must not grow without end.
    package let maximumChildren: Int
    /// Abandoned instances still alive under this supervisor: each holds memory, perhaps a thread. At this number a child that is
    /// abandoned is not replaced, but treated by its ``ChildPolicy/exceeded``.
    package let maximumAbandoned: Int
    /// A supervisor without other work wakes this often to show that it still can.
    package let progressInterval: Duration

    package init(
        strategy: Strategy = .oneForOne, intensity: Intensity = Intensity(), stopOrder: StopOrder = .reverse,
        maximumChildren: Int = 64, maximumAbandoned: Int = 64, progressInterval: Duration = .seconds(5)
    ) {
        precondition(
            maximumChildren > 0 && maximumAbandoned > 0 && progressInterval > .zero,
            "\(maximumChildren) children, \(maximumAbandoned) abandoned, progress every \(progressInterval)")
        self.strategy = strategy
        self.intensity = intensity
        self.stopOrder = stopOrder
        self.maximumChildren = maximumChildren
        self.maximumAbandoned = maximumAbandoned
        self.progressInterval = progressInterval
    }
}

/// What a supervisor has to know of one child; how to start it is the shell's.
package struct ChildPolicy: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case worker, supervisor
    }

    /// Unique among its siblings.
    package let id: String
    package let kind: Kind
    package let restart: Restart
    package let exceeded: Exceeded
    /// Counted only where ``exceeded`` is `quarantine`.
    package let intensity: Intensity
    package let backoff: Backoff
    /// How long a cancelled child may take to end before it is abandoned. `nil`: however long it takes, for children whose own
    /// stop is bounded (supervisors).
    package let shutdownDeadline: Duration?
    /// `nil`: the child gives no signs of life, and is never taken for stuck.
    package let heartbeat: Heartbeat?
    /// Abandoned instances of this child that may be alive at once, 1 or more. Reaching it counts as exceeding the intensity.
    package let abandonedLimit: Int
    /// A child with a reason here is not started, but quarantined from the beginning until it is released by hand.
    package let quarantineReason: String?

    package init(
        id: String, kind: Kind = .worker, restart: Restart = .permanent, exceeded: Exceeded = .escalate,
        intensity: Intensity = Intensity(), backoff: Backoff = Backoff(), shutdownDeadline: Duration? = .seconds(1),
        heartbeat: Heartbeat? = nil, abandonedLimit: Int = 2, quarantineReason: String? = nil
    ) {
        precondition(!id.isEmpty && abandonedLimit > 0, "child `\(id)`, \(abandonedLimit) abandoned")
        self.id = id
        self.kind = kind
        self.restart = restart
        self.exceeded = exceeded
        self.intensity = intensity
        self.backoff = backoff
        self.shutdownDeadline = shutdownDeadline
        self.heartbeat = heartbeat
        self.abandonedLimit = abandonedLimit
        self.quarantineReason = quarantineReason
    }
}
