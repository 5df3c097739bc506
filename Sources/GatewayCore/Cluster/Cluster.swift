package import Environment
package import GossipState
package import Membership
package import Model
package import Replication

/// A gateway's share in its covey: the machines that know, and what passes between them and the rest of the core.
package struct Cluster: Sendable {
    package internal(set) var setup: ClusterSetup
    package let start: StartID
    package internal(set) var membership: Membership
    package internal(set) var gossip: GossipState
    package internal(set) var replicator: Replicator
    package internal(set) var duty: DutyRoster
    /// Messages that were passed over, by what was wrong with them.
    package internal(set) var ignored = ReasonCounts()

    /// Who spoke another major version last: its messages mean nothing here.
    package internal(set) var otherVersion: (address: PeerAddress, major: UInt8, at: MonotonicInstant)?

    /// What peers ask for of the readings here.
    package internal(set) var questions = QuestionDesk()

    /// When each machine wants its tick.
    var wakes = Wakes()
    /// The ring's record of the incarnation has this version; nothing is said before it is durable.
    var incarnationVersion: UInt64 = 0
    /// Without a disk nothing becomes durable: then this is when to speak all the same.
    var beginsBy: MonotonicInstant?
    var hasBegun = false
    /// When this gateway has heard of all sinks that any peer requires.
    var releasesAt: MonotonicInstant?
    /// How each member was last told to be.
    var toldStates: [NodeID: MemberState] = [:]
    /// Those that were alive, and those that were known, when the machines were told last.
    var alive: [NodeID] = []
    var known: [NodeID] = []
    /// The current log and how much of it the machines know to be durable.
    var told: (log: LogName, end: Offset)?
    /// Up to where sources of that log were answered when it was looked last, should they want several disks.
    var answered: (log: LogName, end: Offset)?
    /// Sinks as they were published last.
    var sinks: [SinkStatus] = []
    /// Until when each sink is left in peace.
    var waits: [MonotonicInstant?]
    /// Holds that become durable with a version of the ring's records.
    var keptHolds: [(id: HoldID, version: UInt64)] = []
    /// Which logs may have come closer to their release.
    var unsettled: [LogName] = []
    /// What may be said of each log once what was found at the start is known to be durable.
    var withheld: [LogName: Holdings] = [:]
    var bulletin = Bulletin()
    /// To whom the first key is spoken, as the shell was told last.
    var fluent: [PeerAddress] = []
    /// Holders that are to hear of this step's news at once.
    var pushes: [NodeID] = []

    struct Wakes: Sendable {
        var membership: MonotonicInstant?
        var gossip: MonotonicInstant?
        var replication: MonotonicInstant?
        var duty: MonotonicInstant?
        var keys: MonotonicInstant?

        var next: MonotonicInstant? {
            membership.orEarlier(gossip).orEarlier(replication).orEarlier(duty).orEarlier(keys)
        }
    }

    /// - Parameter incarnation: The one that was kept last; 0 at the first start of all.
    init(_ setup: ClusterSetup, incarnation: Incarnation, start: StartID) {
        self.setup = setup
        self.start = start
        let identity = MemberIdentity(
            node: setup.node, start: start, name: setup.name, version: setup.version,
            features: setup.features | (setup.identifyKey == nil ? 0 : ClusterFeature.keyRotation))
        membership = Membership(
            identity: identity, address: setup.address, incarnation: incarnation, seeds: setup.seeds,
            settings: setup.membership)
        gossip = GossipState(
            node: setup.node, start: start, incarnation: membership.incarnation, spaces: ClusterSpace.declarations,
            settings: setup.gossip)
        replicator = Replicator(node: setup.node, settings: setup.replicatorSettings)
        duty = DutyRoster(node: setup.node, settings: setup.duty)
        waits = setup.sinks.map { _ in nil }
    }

    package var node: NodeID { setup.node }
    var sender: Envelope.Sender { Envelope.Sender(node: node, start: start) }

    /// Whether a message of that process counts: a member that is not gone.
    func isPresent(_ sender: Envelope.Sender) -> Bool {
        guard let member = membership.member(sender.node) else { return false }
        return member.state.isPresent && member.identity.start == sender.start
    }

    func address(of node: NodeID) -> PeerAddress? { membership.member(node)?.address }
}
