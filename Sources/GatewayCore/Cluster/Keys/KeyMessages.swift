package import Model

/// What a gateway tells all others of its share in a change of the key; nothing in it is secret.
///
/// | field | form |
/// |---|---|
/// | number | varint |
/// | node that began it | 16 bytes |
/// | target | 4 bytes: id of the new key |
/// | stage | one byte: ``KeyStage`` |
/// | start | 8 bytes: start id of the gateway that says so |
/// | skipped | varint, then 16 bytes each |
/// | more | ignored: fields of later versions |
package struct KeyReport: Hashable, Sendable {
    /// Gateways that a change goes on without; a covey with more of them away has other worries.
    package static let mostSkipped = 64

    package let id: RotationID
    package let target: UInt32
    package let stage: KeyStage
    /// A gateway whose disk was replaced says nothing until it knows anew.
    package let start: StartID
    /// Ascending.
    package let skipped: [NodeID]

    package init(id: RotationID, target: UInt32, stage: KeyStage, start: StartID, skipped: [NodeID] = []) {
        self.id = id
        self.target = target
        self.stage = stage
        self.start = start
        self.skipped = skipped
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(id)
        bytes.append(fixed: target)
        bytes.append(stage.rawValue)
        bytes.append(fixed: start.rawValue)
        bytes.append(varint: UInt64(min(skipped.count, Self.mostSkipped)))
        for node in skipped.prefix(Self.mostSkipped) { bytes.append(contentsOf: node.record) }
        return bytes
    }

    init(bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        id = try reader.rotationID()
        target = try reader.fixed(UInt32.self)
        // A stage that a later version puts behind these is at least the last one known here.
        stage = KeyStage(rawValue: try reader.byte()) ?? .done
        start = StartID(try reader.fixed(UInt64.self))
        var skipped: [NodeID] = []
        for _ in 0..<(try reader.count(limit: Self.mostSkipped, "gateways")) { skipped.append(try reader.nodeID()) }
        self.skipped = skipped
    }
}

/// What gateways say to each other about a key, on streams alone: what was recorded of those cannot be opened later, even by who
/// learns the key that was in use.
///
/// | field | form |
/// |---|---|
/// | kind | one byte: 1 asks for the key, 2 brings it |
/// | change | varint and 16 bytes: number, node |
/// | key | 4 and 32 bytes: id and key; with kind 2 alone |
/// | more | ignored: fields of later versions |
enum KeyMessage: Hashable {
    case wanted(RotationID)
    case key(RotationID, KeySecret)

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .wanted(let id):
            bytes.append(1)
            bytes.append(id)
        case .key(let id, let key):
            bytes.append(2)
            bytes.append(id)
            bytes.append(fixed: key.id)
            bytes.append(contentsOf: key.bytes)
        }
        return bytes
    }

    init(bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        switch try reader.byte() {
        case 1: self = .wanted(try reader.rotationID())
        case 2:
            let id = try reader.rotationID()
            let name = try reader.fixed(UInt32.self)
            var secret: [UInt8] = []
            for _ in 0..<KeySecret.byteCount { secret.append(try reader.byte()) }
            self = .key(id, KeySecret(id: name, bytes: secret))
        default: throw .invalid("kind")
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ id: RotationID) {
        append(varint: id.number)
        append(contentsOf: id.node.record)
    }
}

extension ByteReader {
    fileprivate mutating func nodeID() throws(FormatError) -> NodeID {
        NodeID(high: try fixed(UInt64.self), low: try fixed(UInt64.self))
    }

    fileprivate mutating func rotationID() throws(FormatError) -> RotationID {
        RotationID(number: try varint(), node: try nodeID())
    }
}
