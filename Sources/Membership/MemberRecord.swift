import Environment
import Model

/// One member as messages carry it.
///
/// | bytes | field |
/// |---|---|
/// | varint | length of the rest, at least 1 |
/// | 1 | state in the low 3 bits, bit 3: the profile follows |
/// | 16, 8 | node, start |
/// | varint | incarnation |
/// | 16 | accuser, where suspect |
/// | varint | age in seconds, where dead, left or forgotten |
/// | text, text, 1, 1, varint | profile: name, address, major, minor, features |
/// | rest | fields of newer versions, carried on untouched (with a profile only) |
struct MemberRecord: Hashable, Sendable {
    struct Profile: Hashable, Sendable {
        var name: String
        var address: PeerAddress
        var version: ProtocolVersion
        var features: UInt64
        var extra: [UInt8] = []
    }

    var node: NodeID
    var start: StartID
    var incarnation: Incarnation
    var state: MemberState
    /// Who found it silent.
    var accuser: NodeID?
    /// How long it is gone.
    var age: UInt64 = 0
    /// The same for one start; left out where the receivers surely have it.
    var profile: Profile?

    /// What overrules what: the same for every member, whatever the order of arrival.
    struct Order: Comparable {
        let incarnation: Incarnation
        let start: StartID
        let state: MemberState

        static func < (left: Order, right: Order) -> Bool {
            (left.incarnation, left.start, left.state) < (right.incarnation, right.start, right.state)
        }
    }

    var order: Order { Order(incarnation: incarnation, start: start, state: state) }
}

extension Member {
    var order: MemberRecord.Order { .init(incarnation: incarnation, start: identity.start, state: state) }

    func record(accuser: NodeID?, now: MonotonicInstant, withProfile: Bool) -> MemberRecord {
        MemberRecord(
            node: node, start: identity.start, incarnation: incarnation, state: state,
            accuser: state == .suspect ? accuser : nil,
            age: state.isPresent ? 0 : UInt64(max(since.duration(to: now).components.seconds, 0)),
            profile: withProfile
                ? .init(
                    name: identity.name, address: address, version: identity.version, features: identity.features,
                    extra: extra)
                : nil)
    }
}

extension MemberRecord {
    func append(to bytes: inout [UInt8]) {
        let from = bytes.count
        bytes.append(0)
        bytes.append(0)
        appendFields(to: &bytes)
        // The length is at most recordBytes, two bytes of varint; short ones need one.
        let length = bytes.count - from - 2
        if length < 0x80 {
            bytes[from + 1] = UInt8(length)
            bytes.remove(at: from)
        } else {
            bytes[from] = UInt8(truncatingIfNeeded: length) | 0x80
            bytes[from + 1] = UInt8(truncatingIfNeeded: length >> 7)
        }
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(120)
        append(to: &bytes)
        return bytes
    }

    private func appendFields(to bytes: inout [UInt8]) {
        bytes.append(state.rawValue | (profile == nil ? 0 : 8))
        bytes.append(node: node)
        bytes.append(word: start.rawValue)
        bytes.append(varint: incarnation.rawValue)
        if state == .suspect { bytes.append(node: accuser ?? node) }
        if !state.isPresent { bytes.append(varint: age) }
        guard let profile else { return }
        bytes.append(text: profile.name)
        bytes.append(text: profile.address.text)
        bytes.append(profile.version.major)
        bytes.append(profile.version.minor)
        bytes.append(varint: profile.features)
        bytes.append(contentsOf: profile.extra)
    }

    /// `nil` for a record in a state that a newer version knows: it is passed over, the next one is read.
    private static func read(_ reader: inout ByteReader) throws(FormatError) -> MemberRecord? {
        let head = try reader.byte()
        guard let state = MemberState(rawValue: head & 7) else { return nil }
        let node = try reader.node()
        let start = StartID(try reader.word())
        let incarnation = try reader.varint()
        guard incarnation <= MembershipLimits.incarnation else { throw .invalid("incarnation") }
        var record = MemberRecord(node: node, start: start, incarnation: Incarnation(incarnation), state: state)
        if state == .suspect { record.accuser = try reader.node() }
        if !state.isPresent {
            // A hundred years: more is nonsense, and must not overflow an instant.
            record.age = UInt64(try reader.count(limit: 3_155_760_000, "age"))
        }
        guard head & 8 != 0 else { return record }
        let name = try reader.text(limit: MembershipLimits.nameBytes, "name")
        guard let address = PeerAddress(try reader.text(limit: PeerAddress.mostBytes, "address")) else {
            throw .invalid("address")
        }
        let version = ProtocolVersion(major: try reader.byte(), minor: try reader.byte())
        let features = try reader.varint()
        guard reader.end - reader.position <= MembershipLimits.extraBytes else { throw .invalid("extra fields") }
        var extra: [UInt8] = []
        while !reader.isAtEnd { extra.append(try reader.byte()) }
        record.profile = .init(name: name, address: address, version: version, features: features, extra: extra)
        return record
    }

    /// Reads records up to the length 0 that ends them.
    static func readList(_ reader: inout ByteReader) throws(FormatError) -> [MemberRecord] {
        var records: [MemberRecord] = []
        while true {
            let length = try reader.count(limit: MembershipLimits.recordBytes, "record length")
            if length == 0 { return records }
            var part = try reader.part(length)
            if let record = try read(&part) { records.append(record) }
        }
    }
}

extension ByteReader {
    /// As `fixed(UInt64.self)`, which costs several times as much where the compiler leaves it generic: half of what
    /// is decoded are these.
    mutating func word() throws(FormatError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 8) { value |= UInt64(try byte()) << shift }
        return value
    }

    mutating func node() throws(FormatError) -> NodeID {
        NodeID(high: try word(), low: try word())
    }
}

extension [UInt8] {
    mutating func append(word: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    mutating func append(node: NodeID) {
        append(word: node.high)
        append(word: node.low)
    }
}
