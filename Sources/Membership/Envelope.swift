import Model

/// One message with who sends it and for which run of its receiver it is meant.
///
/// Every message begins with its kind (1 byte), the sender's node (16) and start (8), and the receiver's start (8, 0
/// where unknown).
/// Integers are varints, little-endian where fixed. Bytes after the known fields belong to newer versions and are
/// passed over.
struct Envelope: Hashable, Sendable {
    var sender: NodeID
    var start: StartID
    /// The run that the sender means; `nil`: whoever is there.
    var recipient: StartID?
    var message: Message
}

/// | kind | message | fields after the head | way |
/// |---|---|---|---|
/// | 1 | ping | sequence, passenger (blob), records | both |
/// | 2 | ack | sequence, passenger (blob), records | both |
/// | 3 | pingRequest | sequence, node 16, start 8, address (text), records | datagram |
/// | 4 | nack | sequence | datagram |
/// | 5 | relayedAck | sequence, start 8 of who answered | datagram |
/// | 6 | rumours | records | both |
/// | 7 | challenge | nonce 8, node 16 | both |
/// | 8 | proof | nonce 8, milliseconds since start | both |
/// | 9 | cloned | nonce 8 that the receiver proved, address of the elder (text) | both |
/// | 10 | sync | sequence, digest 8 | frame |
/// | 11 | same | sequence | frame |
/// | 12 | state | sequence, flags (bit 0: more follow, bit 1: answer with yours), records | frame |
enum Message: Hashable, Sendable {
    case ping(sequence: UInt64, passenger: [UInt8], [MemberRecord])
    case ack(sequence: UInt64, passenger: [UInt8], [MemberRecord])
    case pingRequest(sequence: UInt64, node: NodeID, start: StartID, address: PeerAddress, [MemberRecord])
    case nack(sequence: UInt64)
    case relayedAck(sequence: UInt64, start: StartID)
    case rumours([MemberRecord])
    case challenge(nonce: UInt64, node: NodeID)
    case proof(nonce: UInt64, uptime: UInt64)
    case cloned(nonce: UInt64, elder: PeerAddress)
    case sync(sequence: UInt64, digest: UInt64)
    case same(sequence: UInt64)
    case state(sequence: UInt64, isLast: Bool, wantsAnswer: Bool, [MemberRecord])

    private var kind: UInt8 {
        switch self {
        case .ping: 1
        case .ack: 2
        case .pingRequest: 3
        case .nack: 4
        case .relayedAck: 5
        case .rumours: 6
        case .challenge: 7
        case .proof: 8
        case .cloned: 9
        case .sync: 10
        case .same: 11
        case .state: 12
        }
    }
}

// MARK: Writing

extension Envelope {
    /// The whole message, but for kinds with records without the 0 that ends them: the sender may add more first.
    var opening: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        bytes.append(message.kindByte)
        bytes.append(node: sender)
        bytes.append(word: start.rawValue)
        bytes.append(word: recipient?.rawValue ?? 0)
        message.append(to: &bytes)
        return bytes
    }

    var bytes: [UInt8] {
        var bytes = opening
        if message.hasRecords { bytes.append(0) }
        return bytes
    }
}

extension Message {
    fileprivate var kindByte: UInt8 { kind }

    var hasRecords: Bool {
        switch self {
        case .ping, .ack, .pingRequest, .rumours, .state: true
        case .nack, .relayedAck, .challenge, .proof, .cloned, .sync, .same: false
        }
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        switch self {
        case .ping(let sequence, let passenger, let records), .ack(let sequence, let passenger, let records):
            bytes.append(varint: sequence)
            bytes.append(blob: passenger)
            for record in records { record.append(to: &bytes) }
        case .pingRequest(let sequence, let node, let start, let address, let records):
            bytes.append(varint: sequence)
            bytes.append(node: node)
            bytes.append(word: start.rawValue)
            bytes.append(text: address.text)
            for record in records { record.append(to: &bytes) }
        case .nack(let sequence), .same(let sequence):
            bytes.append(varint: sequence)
        case .relayedAck(let sequence, let start):
            bytes.append(varint: sequence)
            bytes.append(word: start.rawValue)
        case .rumours(let records):
            for record in records { record.append(to: &bytes) }
        case .challenge(let nonce, let node):
            bytes.append(word: nonce)
            bytes.append(node: node)
        case .proof(let nonce, let uptime):
            bytes.append(word: nonce)
            bytes.append(varint: uptime)
        case .cloned(let nonce, let elder):
            bytes.append(word: nonce)
            bytes.append(text: elder.text)
        case .sync(let sequence, let digest):
            bytes.append(varint: sequence)
            bytes.append(word: digest)
        case .state(let sequence, let isLast, let wantsAnswer, let records):
            bytes.append(varint: sequence)
            bytes.append((isLast ? 0 : 1) | (wantsAnswer ? 2 : 0))
            for record in records { record.append(to: &bytes) }
        }
    }
}

// MARK: Reading

extension Envelope {
    /// Reads one message of at most ``MembershipLimits/frameBytes`` bytes; the caller bounds what arrives as a
    /// datagram.
    init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= MembershipLimits.frameBytes else { throw .invalid("length") }
        var reader = ByteReader(bytes, 0..<bytes.count)
        let kind = try reader.byte()
        sender = try reader.node()
        start = StartID(try reader.word())
        let recipient = try reader.word()
        self.recipient = recipient == 0 ? nil : StartID(recipient)
        message = try Message(kind: kind, &reader)
    }
}

extension Message {
    fileprivate init(kind: UInt8, _ reader: inout ByteReader) throws(FormatError) {
        switch kind {
        case 1, 2:
            let sequence = try reader.varint()
            let passenger = try reader.blob(limit: MembershipLimits.passengerBytes, "passenger")
            let records = try MemberRecord.readList(&reader)
            self =
                kind == 1
                ? .ping(sequence: sequence, passenger: passenger, records)
                : .ack(sequence: sequence, passenger: passenger, records)
        case 3:
            self = .pingRequest(
                sequence: try reader.varint(), node: try reader.node(), start: StartID(try reader.word()),
                address: try reader.address(), try MemberRecord.readList(&reader))
        case 4: self = .nack(sequence: try reader.varint())
        case 5:
            self = .relayedAck(sequence: try reader.varint(), start: StartID(try reader.word()))
        case 6: self = .rumours(try MemberRecord.readList(&reader))
        case 7: self = .challenge(nonce: try reader.word(), node: try reader.node())
        case 8:
            // A hundred years in milliseconds: more is nonsense, and must not overflow an instant.
            let nonce = try reader.word()
            self = .proof(nonce: nonce, uptime: UInt64(try reader.count(limit: 3_155_760_000_000, "uptime")))
        case 9: self = .cloned(nonce: try reader.word(), elder: try reader.address())
        case 10: self = .sync(sequence: try reader.varint(), digest: try reader.word())
        case 11: self = .same(sequence: try reader.varint())
        case 12:
            let sequence = try reader.varint()
            let flags = try reader.byte()
            self = .state(
                sequence: sequence, isLast: flags & 1 == 0, wantsAnswer: flags & 2 != 0,
                try MemberRecord.readList(&reader))
        default: throw .invalid("kind")
        }
    }
}

extension ByteReader {
    fileprivate mutating func address() throws(FormatError) -> PeerAddress {
        guard let address = PeerAddress(try text(limit: PeerAddress.mostBytes, "address")) else {
            throw .invalid("address")
        }
        return address
    }
}
