package import Environment
package import Model

/// What the membership machine is told, and what it asks for.

package enum MembershipEvent: Sendable {
    /// The first event; everything before it is passed over.
    case started
    /// The moment of the last ``MembershipDirective/wake(at:)`` has come. An early or additional one does no harm.
    case tick
    /// `from` is where an answer goes.
    case datagram([UInt8], from: PeerAddress)
    /// From a stream; `from` is what ``MembershipDirective/frame(_:to:)`` must be given to answer.
    case frame([UInt8], from: PeerAddress)
    /// A frame to that address could not be delivered.
    case unreachable(PeerAddress)
    /// Say good-bye; ``MembershipDirective/left`` follows within ``MembershipSettings/leaveTime``.
    case leave
    /// Nobody shall count this dead or left member as known any more; passed on to all. No effect on one that is
    /// present.
    case forget(NodeID)
    /// Replaces the seeds; at most ``MembershipLimits/seeds`` are kept.
    case seeds([PeerAddress])
}

package enum MembershipDirective: Hashable, Sendable {
    /// At most ``MembershipLimits/datagramBytes`` bytes; may be lost, doubled, late.
    case datagram([UInt8], to: PeerAddress)
    /// At most ``MembershipLimits/frameBytes`` bytes over a stream, opened where none stands.
    case frame([UInt8], to: PeerAddress)
    /// Replaces every earlier one: a ``MembershipEvent/tick`` is wanted then.
    case wake(at: MonotonicInstant)
    /// The state, address or identity of a member is another than before. A new member comes first as what it is
    /// known to be.
    case changed(Member)
    /// What rode on a ping or ack of a member, 1 to ``MembershipLimits/passengerBytes`` bytes.
    case passenger([UInt8], from: NodeID)
    /// Write this down soon and give it to the next start.
    case keep(Incarnation)
    /// An older process, reached there, is alive with this node's id. This machine has stopped; go on under a new
    /// node id.
    case cloned(PeerAddress)
    /// The good-bye is said; this machine has stopped.
    case left
    /// For people: something that should not be.
    case alarm(String)
}

/// Counted since start; for metrics and tests.
package struct MembershipCounts: Hashable, Sendable {
    /// Probes begun, dead members' excluded.
    package internal(set) var probes: UInt64 = 0
    /// Probes that found no answer on any way.
    package internal(set) var failedProbes: UInt64 = 0
    /// How often a member came under suspicion here, by own doubt or by rumour, and how often one was held for dead.
    package internal(set) var suspicions: UInt64 = 0
    package internal(set) var deaths: UInt64 = 0
    /// How often this member contradicted rumours about itself.
    package internal(set) var refutations: UInt64 = 0
    /// Datagrams and frames that could not be understood; passed over.
    package internal(set) var malformed: UInt64 = 0
    /// Messages for an earlier run of this node, or late answers; passed over.
    package internal(set) var stale: UInt64 = 0
    /// Steps that came much later than asked for.
    package internal(set) var late: UInt64 = 0
    /// Whole states sent because a peer knew something else.
    package internal(set) var statesSent: UInt64 = 0
}
