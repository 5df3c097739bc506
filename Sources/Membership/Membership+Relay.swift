import Environment
import Model

/// A ping that we send for another. It gets the ack, or a nack early enough to know that we were there.
struct Relay: Hashable, Sendable {
    /// Of our ping.
    let sequence: UInt64
    let node: NodeID
    let origin: PeerAddress
    let originStart: StartID
    let originSequence: UInt64
    let nackAt: MonotonicInstant
    let endsAt: MonotonicInstant
    var isNacked = false
}

extension Membership {
    mutating func relay(
        _ originSequence: UInt64, for origin: PeerAddress, _ envelope: Envelope, to node: NodeID, _ start: StartID,
        _ address: PeerAddress, _ now: MonotonicInstant
    ) {
        guard relays.count < MembershipLimits.relays, envelope.recipient == identity.start else {
            counts.stale += 1
            return
        }
        // Before the origin's own time is up, which is one more timeout from when it asked.
        let nackAfter = settings.probeTimeout * 4 / 5
        let relay = Relay(
            sequence: nextSequence(), node: node, origin: origin, originStart: envelope.start,
            originSequence: originSequence, nackAt: now.advanced(by: nackAfter),
            endsAt: now.advanced(by: settings.probeInterval * 2))
        relays.append(relay)
        nextRelayAt = min(nextRelayAt, relay.nackAt)
        let buddy = member(node).map { $0.identity.start == start ? buddyRecords(about: $0, now) : [] } ?? []
        sendWithRumours(
            .ping(sequence: relay.sequence, passenger: passenger, buddy), to: start, at: address)
    }

    mutating func serveRelays(_ now: MonotonicInstant) {
        for index in relays.indices where !relays[index].isNacked && now >= relays[index].nackAt {
            relays[index].isNacked = true
            let relay = relays[index]
            send(.nack(sequence: relay.originSequence), to: relay.originStart, at: relay.origin, by: .datagram)
        }
        relays.removeAll { now >= $0.endsAt }
        nextRelayAt = .never
        for relay in relays { nextRelayAt = min(nextRelayAt, relay.isNacked ? relay.endsAt : relay.nackAt) }
    }
}
