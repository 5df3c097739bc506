import Environment
import Model

/// How bytes came or go.
enum Way: Hashable, Sendable { case datagram, frame }

/// Where records come from.
struct Source: Sendable {
    let sender: NodeID
    let start: StartID
    let address: PeerAddress
    /// From a page of state: what the sender believes, not what was found out just now.
    let isState: Bool
    /// Whether strangers in it are news to those whom we know, not only to us.
    var bringsNews = true
}

extension Membership {
    mutating func receive(
        _ bytes: [UInt8], from: PeerAddress, by way: Way, _ now: MonotonicInstant,
        _ rng: inout some RandomNumberGenerator
    ) {
        guard way == .frame || bytes.count <= MembershipLimits.datagramBytes,
            let envelope = try? Envelope(decoding: bytes)
        else {
            counts.malformed += 1
            return
        }
        guard envelope.start != identity.start else {
            meetOurselves(envelope.message)
            return
        }
        let isForUs = envelope.recipient == nil || envelope.recipient == identity.start
        switch envelope.message {
        case .ping(let sequence, let passenger, let records):
            receivePing(sequence, passenger, records, envelope, from, way, now, &rng)
        case .ack, .nack, .relayedAck, .proof, .cloned:
            // Answers to an earlier run say nothing to this one.
            guard isForUs else {
                counts.stale += 1
                return
            }
            receiveAnswer(envelope, from, now, &rng)
        case .pingRequest(let sequence, let node, let start, let address, let records):
            mergeAll(records, envelope, from, now, &rng)
            relay(sequence, for: from, envelope, to: node, start, address, now)
        case .rumours(let records):
            mergeAll(records, envelope, from, now, &rng)
        case .challenge(let nonce, let node):
            prove(nonce, node, envelope, from, way, now)
        case .sync(let sequence, let digest):
            receiveSync(sequence, digest, envelope, from, way, now)
        case .same(let sequence):
            seedAnswered(sequence, envelope.sender, now)
            syncAnswered(sequence)
        case .state(let sequence, let isLast, let wantsAnswer, let records):
            receiveState(sequence, isLast: isLast, wantsAnswer: wantsAnswer, records, envelope, from, now, &rng)
        }
    }

    private mutating func receiveAnswer(
        _ envelope: Envelope, _ from: PeerAddress, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        switch envelope.message {
        case .ack(let sequence, let passenger, let records):
            mergeAll(records, envelope, from, now, &rng)
            receiveAck(sequence, passenger, envelope, now)
        case .nack(let sequence): receiveNack(sequence)
        case .relayedAck(let sequence, let start): receiveRelayedAck(sequence, start)
        case .proof(let nonce, let uptime): receiveProof(nonce, uptime, envelope, now, &rng)
        case .cloned(let nonce, let elder): receiveCloned(nonce, elder)
        default: break
        }
    }

    /// Merges, and corrects a sender that told stale things about us.
    mutating func mergeAll(
        _ records: [MemberRecord], _ envelope: Envelope, _ from: PeerAddress, _ now: MonotonicInstant,
        _ rng: inout some RandomNumberGenerator
    ) {
        let source = Source(sender: envelope.sender, start: envelope.start, address: from, isState: false)
        var isWrongAboutUs = false
        for record in records where merge(record, source, now, &rng) { isWrongAboutUs = true }
        guard isWrongAboutUs, phase != .ended else { return }
        send(.rumours([ownRecord(now)]), to: envelope.start, at: from, by: .datagram)
    }

    // MARK: Sending

    func ownRecord(_ now: MonotonicInstant) -> MemberRecord {
        MemberRecord(
            node: identity.node, start: identity.start, incarnation: incarnation,
            state: phase == .leaving ? .left : .alive,
            profile: .init(
                name: identity.name, address: address, version: identity.version, features: identity.features))
    }

    /// Sends a message as it is, without rumours.
    mutating func send(_ message: Message, to recipient: StartID?, at address: PeerAddress, by way: Way) {
        let bytes = Envelope(
            sender: identity.node, start: identity.start, recipient: recipient, message: message
        ).bytes
        directives.append(way == .datagram ? .datagram(bytes, to: address) : .frame(bytes, to: address))
    }

    /// Sends a datagram of a kind that carries records, filled up with rumours.
    mutating func sendWithRumours(_ message: Message, to recipient: StartID?, at address: PeerAddress) {
        var bytes = Envelope(
            sender: identity.node, start: identity.start, recipient: recipient, message: message
        ).opening
        rumours.fill(
            &bytes, limit: MembershipLimits.datagramBytes - 1, transmissions: scale.transmissions)
        bytes.append(0)
        directives.append(.datagram(bytes, to: address))
    }

    /// Who answers a message of ours with our own start is ourselves, under a seed's address.
    private mutating func meetOurselves(_ message: Message) {
        switch message {
        case .state(let sequence, _, _, _), .sync(let sequence, _):
            for index in seeds.indices where seeds[index].sequence == sequence { seeds[index].isOurselves = true }
        default: counts.stale += 1
        }
    }
}
