import Environment
import Model

@testable import Membership

/// Another gateway, played by the test.
struct Peer {
    let node: NodeID
    var start: StartID
    var address: PeerAddress
    var incarnation = Incarnation(1)

    init(_ number: UInt64) {
        node = NodeID(high: number << 32, low: number)
        start = StartID(number * 1000)
        address = PeerAddress("10.1.0.\(number):8472")!
    }

    func record(_ state: MemberState = .alive, _ incarnation: UInt64? = nil, by accuser: Peer? = nil) -> MemberRecord {
        MemberRecord(
            node: node, start: start, incarnation: incarnation.map { Incarnation($0) } ?? self.incarnation,
            state: state, accuser: state == .suspect ? accuser?.node ?? node : nil,
            profile: .init(
                name: "p", address: address, version: ProtocolVersion(major: 1, minor: 2), features: 5))
    }
}

/// A message that the machine under test sent.
struct Sent {
    let message: Message
    let way: Way
    let to: PeerAddress
    let bytes: [UInt8]
}

/// One machine, and time.
struct Rig {
    static let node = NodeID(high: 99 << 32, low: 99)
    static let start = StartID(99_000)
    static let address = PeerAddress("10.1.0.99:8472")!

    var machine: Membership
    var now = MonotonicInstant(nanoseconds: 5_000_000_000)
    var random: SeededRandom
    var wakeAt: MonotonicInstant?
    var sent: [Sent] = []
    var others: [MembershipDirective] = []

    /// A running machine that knows `peers`, has told all news, and has a clean record.
    init(_ peers: [Peer] = [], seed: UInt64 = 1, seeds: [PeerAddress] = [], settings: MembershipSettings = .init()) {
        machine = Membership(
            identity: MemberIdentity(
                node: Self.node, start: Self.start, name: "rig", version: ProtocolVersion(major: 1, minor: 0),
                features: 0),
            address: Self.address, incarnation: Incarnation(0), seeds: seeds, settings: settings)
        random = SeededRandom(seed: seed)
        step(.started)
        if let first = peers.first { hear(.rumours(peers.map { $0.record() }), from: first) }
        machine.rumours.removeAll()
        forgetSent()
    }

    mutating func forgetSent() {
        sent = []
        others = []
    }

    mutating func step(_ event: MembershipEvent) {
        for directive in machine.step(event, now: now, using: &random) {
            switch directive {
            case .datagram(let bytes, let to): note(bytes, .datagram, to)
            case .frame(let bytes, let to): note(bytes, .frame, to)
            case .wake(let at): wakeAt = at
            default: others.append(directive)
            }
        }
    }

    private mutating func note(_ bytes: [UInt8], _ way: Way, _ to: PeerAddress) {
        guard let envelope = try? Envelope(decoding: bytes) else {
            preconditionFailure("the machine sent what it cannot read: \(bytes)")
        }
        sent.append(Sent(message: envelope.message, way: way, to: to, bytes: bytes))
    }

    mutating func hear(_ message: Message, from peer: Peer, by way: Way = .datagram, for start: StartID? = Rig.start) {
        let bytes = Envelope(sender: peer.node, start: peer.start, recipient: start, message: message).bytes
        step(way == .datagram ? .datagram(bytes, from: peer.address) : .frame(bytes, from: peer.address))
    }

    /// Lets time pass, with a tick whenever one was asked for.
    mutating func pass(_ duration: Duration) {
        let end = now.advanced(by: duration)
        while let at = wakeAt, at <= end {
            now = max(at, now)
            wakeAt = nil
            step(.tick)
        }
        now = end
    }

    /// Until the next probe has begun; returns the sequence and whom it asks.
    mutating func nextProbe() -> (sequence: UInt64, node: NodeID) {
        let before = machine.counts.probes
        for _ in 0..<1000 where machine.counts.probes == before {
            guard let at = wakeAt else { break }
            now = max(at, now)
            wakeAt = nil
            step(.tick)
        }
        guard let probe = machine.probe else { preconditionFailure("no probe began") }
        return (probe.sequence, probe.node)
    }

    func messages(_ way: Way) -> [Message] { sent.filter { $0.way == way }.map(\.message) }

    var changes: [Member] {
        others.compactMap { if case .changed(let member) = $0 { member } else { nil } }
    }
}

extension Message {
    var records: [MemberRecord] {
        switch self {
        case .ping(_, _, let records), .ack(_, _, let records), .pingRequest(_, _, _, _, let records),
            .rumours(let records), .state(_, _, _, let records):
            records
        default: []
        }
    }

    var pingSequence: UInt64? { if case .ping(let sequence, _, _) = self { sequence } else { nil } }
    var isPingRequest: Bool { if case .pingRequest = self { true } else { false } }
    var isAck: Bool { if case .ack = self { true } else { false } }
    var isNack: Bool { if case .nack = self { true } else { false } }
}
