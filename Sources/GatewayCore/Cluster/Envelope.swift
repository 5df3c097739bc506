import Model

/// What every message between gateways begins with: one byte for version and kind, then, but for membership's messages, who sends it.
///
/// | byte | meaning |
/// |---|---|
/// | 0, high half | major version of the protocol |
/// | 0, low half | ``Kind`` |
/// | 1–16 | node id of the sender; not with membership, whose messages name it themselves |
/// | 17–24 | start id of the sender; likewise |
///
/// Total: arbitrary bytes give `nil`, never a trap.
enum Envelope {
    static let version: UInt8 = 1

    enum Kind: UInt8 {
        case membership = 1
        case gossip = 2
        case replication = 3
        case keys = 4
        case brokers = 5
        case queries = 6
    }

    struct Sender: Hashable {
        let node: NodeID
        let start: StartID
    }

    static func seal(membership payload: [UInt8]) -> [UInt8] {
        [version << 4 | Kind.membership.rawValue] + payload
    }

    static func seal(_ kind: Kind, from sender: Sender, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(25 + payload.count)
        bytes.append(version << 4 | kind.rawValue)
        bytes.append(fixed: sender.node.high)
        bytes.append(fixed: sender.node.low)
        bytes.append(fixed: sender.start.rawValue)
        bytes.append(contentsOf: payload)
        return bytes
    }

    enum Content: Hashable {
        case membership([UInt8])
        case gossip(Sender, [UInt8])
        case replication(Sender, [UInt8])
        case keys(Sender, [UInt8])
        case brokers(Sender, [UInt8])
        case queries(Sender, [UInt8])
    }

    /// The major version of a message that is of another than this; `nil` for one of this, and for what is no message at all.
    static func otherVersion(_ bytes: [UInt8]) -> UInt8? {
        guard let first = bytes.first, first >> 4 != version, first >> 4 != 0 else { return nil }
        return first >> 4
    }

    /// Whether it is of this version and of a kind that a later minor one has.
    static func isLaterKind(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, first >> 4 == version else { return false }
        return Kind(rawValue: first & 0x0F) == nil
    }

    static func open(_ bytes: [UInt8]) -> Content? {
        guard let first = bytes.first, first >> 4 == version, let kind = Kind(rawValue: first & 0x0F)
        else { return nil }
        if kind == .membership { return .membership(Array(bytes[1...])) }
        var reader = ByteReader(bytes, 1..<bytes.count)
        guard let high = try? reader.fixed(UInt64.self), let low = try? reader.fixed(UInt64.self),
            let start = try? reader.fixed(UInt64.self)
        else { return nil }
        let sender = Sender(node: NodeID(high: high, low: low), start: StartID(start))
        let payload = Array(bytes[reader.position...])
        switch kind {
        case .membership, .gossip: return .gossip(sender, payload)
        case .replication: return .replication(sender, payload)
        case .keys: return .keys(sender, payload)
        case .brokers: return .brokers(sender, payload)
        case .queries: return .queries(sender, payload)
        }
    }
}
