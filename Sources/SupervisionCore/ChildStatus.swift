package import Environment

/// What can be seen of one child.
package struct ChildStatus: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, CaseIterable {
        case running
        /// Between the end of one run and the start of the next, together with its group.
        case restarting
        /// In the pause after its failure.
        case backingOff = "backing-off"
        /// Cancelled because it gave no sign of life.
        case stuck
        /// Cancelled, not ended yet.
        case stopping
        case quarantined
        case stopped
        case finished
    }

    package let id: String
    package let kind: ChildPolicy.Kind
    package let state: State
    /// When it entered this state.
    package let since: MonotonicInstant
    /// Runs after the first one.
    package let restarts: Int
    /// How often it was found silent.
    package let stuck: Int
    /// Instances that were abandoned, ever.
    package let abandoned: Int
    /// Of those, how many live on.
    package let abandonedAlive: Int
    /// Why it last failed or was quarantined.
    package let lastFailure: String?
    /// The run that is under way, if any.
    package let instance: InstanceID?
}
