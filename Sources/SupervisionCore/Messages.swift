package import Environment

/// One run of one child: unique within its supervisor, never reused.
package struct InstanceID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: InstanceID, right: InstanceID) -> Bool { left.rawValue < right.rawValue }
}

/// How an instance ended.
package enum Exit: Hashable, Sendable {
    /// Its work returned.
    case finished
    /// Its work threw, or could not begin; one line of text says why.
    case failed(String)
}

/// What happens to a supervisor.
package enum Event: Hashable, Sendable {
    /// Start the children, in order. Once.
    case start
    /// An instance ended, also one that was abandoned before.
    case exited(InstanceID, Exit)
    /// ``SupervisorCore/nextDeadline`` has come. `beats` holds the latest signs of life, of those that
    /// ``SupervisorCore/awaitedBeats(at:)`` names at least.
    case timer(beats: [InstanceID: MonotonicInstant])
    /// A new child, behind all others; started at once where the supervisor runs.
    case add(ChildPolicy)
    /// Stop and forget a child.
    case remove(String)
    /// Start a quarantined child again.
    case release(String)
    /// Stop a child and set it aside.
    case quarantine(String, reason: String)
    /// Stop all children and end.
    case stop
}

/// What the shell has to do, in this order.
package enum Directive: Hashable, Sendable {
    /// Begin a run of the child; `attempt` counts its runs from 1.
    case start(InstanceID, child: String, attempt: Int)
    /// Ask the instance to end.
    case cancel(InstanceID)
    /// Wait for the instance no longer. Its end is still to be told, whenever it comes.
    case abandon(InstanceID)
    /// The child is gone for good, and what belongs to it can be forgotten.
    case forget(child: String)
    /// Tell the observers.
    case report(SupervisionEvent)
    /// The event was not acted upon.
    case refuse(Refusal)
    /// The supervisor has ended: no instance is left but abandoned ones. The last directive ever but reports.
    case end(Outcome)
}

/// Why a supervisor did not do what it was asked.
package enum Refusal: Error, Hashable, Sendable {
    /// It has a child of this name.
    case duplicate(String)
    /// It has as many children as its policy allows.
    case full(limit: Int)
    /// It has no child of this name.
    case unknown(String)
    /// The child is not in quarantine.
    case notQuarantined(String)
    /// Too many abandoned instances of the child are still alive.
    case abandonedAlive(String, count: Int)
    /// It is stopping or has ended.
    case notRunning
}

extension Refusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .duplicate(let id): "there is a child named `\(id)` already"
        case .full(let limit): "there are \(limit) children, the limit"
        case .unknown(let id): "there is no child named `\(id)`"
        case .notQuarantined(let id): "`\(id)` is not in quarantine"
        case .abandonedAlive(let id, let count): "\(count) abandoned instances of `\(id)` are still alive"
        case .notRunning: "the supervisor is stopping or has ended"
        }
    }
}

/// How a supervisor ended.
package enum Outcome: Hashable, Sendable {
    /// It was asked to.
    case stopped
    /// A child failed more often than its intensity bears.
    case escalated(reason: String)
}
