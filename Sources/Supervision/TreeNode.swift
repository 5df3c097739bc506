package import Environment
package import Model
package import SupervisionCore

/// A supervisor or a worker as it stood when the tree was asked for, with what is below it in order.
package struct TreeNode: Hashable, Sendable {
    package var id: String
    package var kind: ChildPolicy.Kind
    /// Of a supervisor that runs.
    package var strategy: Strategy?
    package var state: ChildStatus.State
    /// Runs after the first one.
    package var restarts: Int
    /// How often it was found silent and cancelled.
    package var stuck: Int
    /// Runs that did not end in time, ever.
    package var abandoned: Int
    /// Why it last failed or was quarantined; one line.
    package var lastFailure: String?
    /// When it entered this state.
    package var since: MonotonicInstant
    package var children: [TreeNode]

    package init(
        id: String, kind: ChildPolicy.Kind, strategy: Strategy? = nil, state: ChildStatus.State, restarts: Int = 0,
        stuck: Int = 0, abandoned: Int = 0, lastFailure: String? = nil, since: MonotonicInstant,
        children: [TreeNode] = []
    ) {
        self.id = id
        self.kind = kind
        self.strategy = strategy
        self.state = state
        self.restarts = restarts
        self.stuck = stuck
        self.abandoned = abandoned
        self.lastFailure = lastFailure
        self.since = since
        self.children = children
    }

    init(_ status: ChildStatus) {
        self.init(
            id: status.id, kind: status.kind, state: status.state, restarts: status.restarts, stuck: status.stuck,
            abandoned: status.abandoned, lastFailure: status.lastFailure, since: status.since)
    }

    /// The nodes below, by name.
    package subscript(id: String) -> TreeNode? { children.first { $0.id == id } }

    /// One object: `id`, `kind`, `strategy`, `state`, `state_ms` (milliseconds in this state at `now`), `restarts`, `stuck`, `abandoned`,
    /// `last_failure` (text or null) and, for supervisors, `children`.
    package func write(to json: inout JSONWriter, now: MonotonicInstant) {
        json.object { json in
            json.key("id")
            json.string(id)
            json.key("kind")
            json.string(kind.rawValue)
            if let strategy {
                json.key("strategy")
                json.string(strategy.rawValue)
            }
            json.key("state")
            json.string(state.rawValue)
            json.key("state_ms")
            json.integer(since.duration(to: now).nanoseconds / 1_000_000)
            json.key("restarts")
            json.integer(restarts)
            json.key("stuck")
            json.integer(stuck)
            json.key("abandoned")
            json.integer(abandoned)
            json.key("last_failure")
            if let lastFailure { json.string(lastFailure) } else { json.null() }
            if kind == .supervisor {
                json.key("children")
                json.array { json in
                    for child in children { child.write(to: &json, now: now) }
                }
            }
        }
    }
}
