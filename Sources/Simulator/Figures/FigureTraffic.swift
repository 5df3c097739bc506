/// What gateways sent, by what it was for.
struct FigureTraffic {
    /// IPv4 and UDP headers.
    static let headerBytes = 28
    /// What authenticated encryption adds to each datagram: key id, counter and tag.
    static let sealBytes = 40
    /// IPv4 and TCP headers of each segment of a stream, its TLS record and the acknowledgement that comes back, per 1,400 bytes.
    static let streamBytes = 40 + 22 + 40
    static let segmentBytes = 1400

    struct Count: Hashable {
        var messages = 0
        /// With everything that is added on the way.
        var bytes = 0
    }

    private(set) var datagrams = Count()
    private(set) var payload = 0
    private(set) var streams = Count()
    /// By the low half of the envelope's first byte; gossip's by 16 · 2 + its own kind.
    private(set) var kinds = [Count](repeating: Count(), count: 64)

    var bytes: Int { datagrams.bytes + streams.bytes }

    mutating func count(datagram bytes: [UInt8]) {
        let onTheWay = bytes.count + Self.headerBytes + Self.sealBytes
        payload += bytes.count
        datagrams.messages += 1
        datagrams.bytes += onTheWay
        note(bytes, onTheWay)
    }

    mutating func count(frame bytes: [UInt8]) {
        let segments = (bytes.count + Self.segmentBytes - 1) / Self.segmentBytes
        let onTheWay = bytes.count + segments * Self.streamBytes
        streams.messages += 1
        streams.bytes += onTheWay
        note(bytes, onTheWay)
    }

    private mutating func note(_ message: [UInt8], _ bytes: Int) {
        guard let first = message.first else { return }
        var kind = Int(first & 0x0F)
        if kind == 2, message.count > 25 { kind = 32 + Int(message[25] & 0x0F) }
        kinds[kind].messages += 1
        kinds[kind].bytes += bytes
    }

    static func name(ofKind kind: Int) -> String {
        switch kind {
        case 1: "membership"
        case 3: "replication"
        case 33: "gossip summary"
        case 34: "gossip page"
        case 35: "gossip wants"
        case 36: "gossip delta"
        case 37: "gossip ack"
        case 38: "gossip alive"
        default: "kind \(kind)"
        }
    }
}
