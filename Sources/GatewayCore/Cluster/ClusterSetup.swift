package import GossipState
package import Membership
package import Model
package import Replication

/// What a core is told about its covey.
package struct ClusterSetup: Sendable {
    package var node: NodeID
    /// The gateway's name, for people: at most ``MembershipLimits/nameBytes`` bytes.
    package var name: String
    /// Where peers reach this gateway.
    package var address: PeerAddress
    /// Where the covey may be found.
    package var seeds: [PeerAddress]
    /// What each of the core's sinks is to the covey, in the core's order.
    package var sinks: [SinkID]
    /// Live gateways that must have a reading on disk before its source is acknowledged, this one among them. Fewer count as enough
    /// where fewer are alive or wanted; what every required sink has counts too.
    package var acks = 1
    /// What this gateway speaks, as it tells its peers. Messages of another minor version are read, of another major one they are not.
    package var version = ClusterSetup.currentVersion
    /// What it can do besides, a bit each; see ``ClusterFeature``.
    package var features = ClusterFeature.queries
    /// How long copies may wait for their block: a fresh reading is on all disks that should have it in two seconds. Where sources are
    /// answered from other disks only, they wait for this too, and a broker with 20 messages in flight sends no more meanwhile. What
    /// `acks` says here is taken for what it says at the others.
    var copyWindow: Duration { acks > 1 ? Self.awaitedCopyWindow : .milliseconds(400) }
    /// 20 blocks a second at most, of a gateway whose peers commit as often.
    private static let awaitedCopyWindow = Duration.milliseconds(50)
    /// Claims of copies are what answers them.
    var replicatorSettings: ReplicatorSettings {
        var settings = replication
        if acks > 1 { settings.claimInterval = min(settings.claimInterval, Self.awaitedCopyWindow) }
        return settings
    }
    /// The id of a key of the covey, by its bytes: a hash. `nil` where the covey has no key of its own, and none to change.
    package var identifyKey: (@Sendable ([UInt8]) -> UInt32)?
    package var membership = MembershipSettings()
    package var gossip = GossipSettings()
    package var replication = ReplicatorSettings()
    package var duty = DutySettings()

    /// 1.1: a change of the covey's key, and questions for readings.
    package static let currentVersion = ProtocolVersion(major: Envelope.version, minor: 1)

    package init(
        node: NodeID, name: String, address: PeerAddress, seeds: [PeerAddress] = [], sinks: [SinkID] = []
    ) {
        self.node = node
        self.name = name
        self.address = address
        self.seeds = seeds
        self.sinks = sinks
    }
}

/// What a gateway can do beyond the first version, a bit each. Part of the protocol.
package enum ClusterFeature {
    /// Takes part in a change of the covey's key.
    package static let keyRotation: UInt64 = 1
    /// Answers questions for its readings: ``QueryFrame``.
    package static let queries: UInt64 = 2
}

/// The parts of the gossiped state. Raw values are part of the protocol.
package enum ClusterSpace {
    /// Key: ``LogName``. What a gateway holds of that log: ``Holdings``.
    package static let holdings = KeySpaceName(1)
    /// Key: ``UploadKey``. What a gateway has uploaded: ``UploadClaim``.
    package static let uploads = KeySpaceName(2)
    /// One key. The sinks that a gateway has: ``SinkStatus``.
    package static let sinks = KeySpaceName(3)
    /// Key: boot id. Wall clock minus uptime of that run of a gateway's kernel.
    package static let anchors = KeySpaceName(4)
    /// One key. How a gateway is: ``PeerHealth``.
    package static let health = KeySpaceName(5)
    /// Key: hash of the name. A device of a gateway, by name.
    package static let devices = KeySpaceName(6)
    /// Key: hash of the series. The newest value of a series: ``PeerValue``.
    package static let latest = KeySpaceName(7)
    /// Key: broker and page. What a gateway reads of a broker that others may read as well; see ``BrokerView``.
    package static let brokers = KeySpaceName(8)
    /// One key. How far a gateway is with a change of the covey's key: ``KeyReport``.
    package static let keys = KeySpaceName(9)

    static let declarations = [holdings, uploads, sinks, anchors, health, devices, latest, brokers, keys].map {
        SpaceDeclaration($0, Eventual.own)
    }
}

extension LogName {
    /// 24 bytes: node, log, each little-endian.
    var key: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        for part in [node.high, node.low, log.rawValue] { bytes.append(fixed: part) }
        return bytes
    }

    /// Reads ``key`` back; `nil` for anything else.
    init?(key: [UInt8]) {
        var reader = ByteReader(key, 0..<key.count)
        guard key.count == 24, let high = try? reader.fixed(UInt64.self), let low = try? reader.fixed(UInt64.self),
            let log = try? reader.fixed(UInt64.self)
        else { return nil }
        self.init(node: NodeID(high: high, low: low), log: LogID(log))
    }
}
