import Environment
import GossipState
import LogFormat
import Membership
import Model
import Replication

// What comes in from peers, and the machines that read it. Each machine's directives are carried out at once, which may step another.
extension GatewayCore {
    mutating func receive(
        _ bytes: [UInt8], asFrame isFrame: Bool, from address: PeerAddress, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard cluster?.hasBegun ?? false else { return }
        guard let content = Envelope.open(bytes) else { return passUnread(bytes, from: address, now: now) }
        switch content {
        case .membership(let payload):
            let event: MembershipEvent = isFrame ? .frame(payload, from: address) : .datagram(payload, from: address)
            stepMembership(event, now: now, &directives)
        case .gossip(let sender, let payload):
            guard cluster?.isPresent(sender) ?? false else { return pass("from a stranger") }
            let peer = sender.node
            let event: GossipEvent = isFrame ? .frame(payload, from: peer) : .datagram(payload, from: peer)
            stepGossip(event, now: now, &directives)
        case .replication(let sender, let payload):
            guard cluster?.isPresent(sender) ?? false else { return pass("from a stranger") }
            guard isFrame else { return pass("not for datagrams") }
            stepReplication(.frame(payload, from: sender.node), now: now, &directives)
        case .keys(let sender, let payload):
            guard cluster?.isPresent(sender) ?? false else { return pass("from a stranger") }
            guard isFrame else { return pass("not for datagrams") }
            stepKeys(.message(payload, from: sender.node), now: now, &directives)
        case .brokers(let sender, let payload):
            guard cluster?.isPresent(sender) ?? false else { return pass("from a stranger") }
            guard isFrame else { return pass("not for datagrams") }
            directives.append(.brokers(.message(payload, from: sender.node)))
        case .queries(let sender, let payload):
            guard cluster?.isPresent(sender) ?? false else { return pass("from a stranger") }
            guard isFrame else { return pass("not for datagrams") }
            receiveQuery(payload, from: sender.node, &directives)
        }
    }

    /// Whoever sent it has the key: what is strange about it is worth a word.
    private mutating func passUnread(_ bytes: [UInt8], from address: PeerAddress, now: MonotonicInstant) {
        if let major = Envelope.otherVersion(bytes) {
            cluster?.otherVersion = (address, major, now)
            return pass("of another major version")
        }
        pass(Envelope.isLaterKind(bytes) ? "of a kind that this version does not know" : "not a message")
    }

    private mutating func pass(_ reason: String) { cluster?.ignored.add(1, for: reason) }

    mutating func lostStream(
        to address: PeerAddress, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard let cluster, cluster.hasBegun else { return }
        let nodes = cluster.membership.members.filter { $0.address == address }.map(\.node)
        stepMembership(.unreachable(address), now: now, &directives)
        for node in nodes {
            stepGossip(.unreachable(node), now: now, &directives)
            stepReplication(.unreachable(node), now: now, &directives)
            directives.append(.brokers(.lost(node)))
            directives.append(.query(.lost(node)))
            self.cluster?.questions.drop(node)
        }
    }

    mutating func stepMembership(
        _ event: MembershipEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard let root = cluster?.gossip.passenger else { return }
        cluster?.membership.passenger = root
        var hasChanged = false
        for directive in cluster?.membership.step(event, now: now, using: &random) ?? [] {
            switch directive {
            case .datagram(let payload, let peer):
                directives.append(.datagram(Envelope.seal(membership: payload), to: peer))
            case .frame(let payload, let peer): directives.append(.frame(Envelope.seal(membership: payload), to: peer))
            case .wake(let moment): cluster?.wakes.membership = moment
            case .changed(let member):
                hasChanged = true
                tell(member, &directives)
            case .passenger(let root, let node): stepGossip(.passenger(root, from: node), now: now, &directives)
            case .keep(let incarnation): keep(incarnation, now: now)
            case .cloned(let address): becomeAnother(than: address, now: now, &directives)
            case .left: directives.append(.left)
            case .alarm(let text): directives.append(.report(Report(.warning, text)))
            }
        }
        if hasChanged { tellMembers(now: now, &directives) }
    }

    /// How a member is, for the journal, where that is another state than it was told to be in.
    private mutating func tell(_ member: Member, _ directives: inout [GatewayDirective]) {
        let node = member.identity.node
        guard cluster?.toldStates.updateValue(member.state, forKey: node) != member.state else { return }
        let who = "gateway \(member.identity.name) at \(member.address.text)"
        let report =
            switch member.state {
            case .alive: Report(.notice, "\(who) is alive")
            case .suspect: Report(.notice, "\(who) does not answer")
            case .dead: Report(.warning, "\(who) is dead: others do its work until it comes back")
            case .left: Report(.notice, "\(who) has left")
            case .forgotten: Report(.notice, "\(who) is forgotten")
            }
        directives.append(.report(report))
        if member.state == .forgotten { cluster?.toldStates[node] = nil }
    }

    private mutating func tellMembers(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        // Who has left will not come back with what it held.
        guard let alive = cluster?.membership.presentNodes, let known = cluster?.membership.lastingNodes else { return }
        guard alive != cluster?.alive || known != cluster?.known else { return }
        cluster?.alive = alive
        cluster?.known = known
        stepGossip(.members(alive: alive, known: known), now: now, &directives)
        stepReplication(.members(alive: alive, known: known), now: now, &directives)
        stepDuty(.members(alive: alive, known: known), now: now, &directives)
        stepKeys(.members(known: known, alive: alive), now: now, &directives)
        tellBrokers(&directives)
    }

    mutating func stepGossip(_ event: GossipEvent, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        carryOut(cluster?.gossip.step(event, now: now, using: &random) ?? [], now: now, &directives)
        learnAcknowledgements(now: now, &directives)
    }

    mutating func carryOut(
        _ news: [GossipDirective], now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard let sender = cluster?.sender else { return }
        // First, for what is carried out below may step the same machine again, whose word is then the newer one.
        for case .wake(let moment) in news { cluster?.wakes.gossip = moment }
        for directive in news {
            switch directive {
            case .wake: break
            case .datagram(let payload, let node):
                guard let peer = cluster?.address(of: node) else { break }
                directives.append(.datagram(Envelope.seal(.gossip, from: sender, payload), to: peer))
            case .frame(let payload, let node):
                guard let peer = cluster?.address(of: node) else { break }
                directives.append(.frame(Envelope.seal(.gossip, from: sender, payload), to: peer))
            case .changed(let name, let writer):
                if writer != sender.node { learn(name, from: writer, now: now, &directives) }
            case .forgotten(let node):
                stepReplication(.forgotten(node), now: now, &directives)
                tellBrokers(&directives)
            }
        }
    }

    /// Who knows what this gateway said: receipts that the next in rank has may be followed by more.
    private mutating func learnAcknowledgements(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        for node in cluster?.gossip.takeAcknowledgers() ?? [] {
            guard let version = cluster?.gossip.acknowledged(by: node) else { return }
            stepDuty(.acknowledged(node, version: version), now: now, &directives)
        }
    }

    /// What a peer has written. Entries that cannot be read are a newer version's, and passed over.
    private mutating func learn(
        _ name: StateName, from writer: NodeID, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        let value = cluster?.gossip.own(writer, name)
        switch name.space {
        case ClusterSpace.holdings:
            guard let log = LogName(key: name.key) else { return pass("unreadable entry") }
            let holdings = value.flatMap { try? Holdings(decoding: $0) }
            if value != nil, holdings == nil { return pass("unreadable entry") }
            stepReplication(.claim(of: writer, log, holdings), now: now, &directives)
            stepDuty(.peerHolds(writer, log, holdings?.ranges), now: now, &directives)
        case ClusterSpace.uploads:
            guard let key = try? UploadKey(bytes: name.key) else { return pass("unreadable entry") }
            let claim = value.flatMap { try? UploadClaim(bytes: $0) }
            if value != nil, claim == nil { return pass("unreadable entry") }
            stepDuty(.uploads(of: writer, key, claim), now: now, &directives)
        case ClusterSpace.sinks:
            guard let sinks = try? SinkStatus.decode(value ?? SinkStatus.encode([])) else {
                return pass("unreadable entry")
            }
            stepDuty(.sinks(of: writer, sinks), now: now, &directives)
        case ClusterSpace.anchors:
            if let value, let anchor = ClockAnchor(key: name.key, value: value) { learn(anchor, now: now) }
        case ClusterSpace.keys:
            let report = value.flatMap { try? KeyReport(bytes: $0) }
            if value != nil, report == nil { return pass("unreadable entry") }
            stepKeys(.reported(writer, report), now: now, &directives)
        case ClusterSpace.brokers: tellBrokers(&directives)
        default: break
        }
    }
}
