// Pure.
import Model

/// The bytes of messages between members. The first byte names the kind; kinds that are not known are passed over.
enum GossipMessage: Hashable, Sendable {
    /// Sums of the writers' digests by bucket: asks for pages of those that differ.
    case summary(Life, buckets: [UInt64])
    /// How far the sender knows each writer whose tag is in `tags`; asks for what it lacks, and to be asked for what
    /// the receiver lacks.
    case page(Life, tags: ClosedRange<UInt64>, [Known])
    /// Streams of which the sender lacks something, and how far it knows them; ends an exchange where it is empty.
    case wants(Life, [Known])
    /// `answers`: an exchange's answer. `hasMore`: the sender holds more than it sent. `wantsAck`: say how far you know
    /// the sender's streams.
    case delta(Life, flags: DeltaFlags, [StateSection])
    /// What the sender knows to stand of streams of which the receiver has missed ends.
    case alive(Life, [StateListing])
    /// How far the sender knows the receiver's streams: of that life, single-writer and shared.
    case ack(Life, of: Life, own: UInt64, shared: UInt64)
}

struct DeltaFlags: OptionSet, Hashable, Sendable {
    let rawValue: UInt8
    static let answers = DeltaFlags(rawValue: 1)
    static let hasMore = DeltaFlags(rawValue: 2)
    static let wantsAck = DeltaFlags(rawValue: 4)
}

enum GossipWire {
    enum Kind: UInt8 {
        case summary = 0x11
        case page = 0x12
        case wants = 0x13
        case delta = 0x14
        case ack = 0x15
        case alive = 0x16
    }

    /// In the byte of the kind: a varint and so many bytes come next, fields of a later version, that are passed over. Most messages are
    /// lists up to their end, behind which nothing can be added.
    static let laterFields: UInt8 = 0x80

    /// A bound: kind, flags, life.
    static let messageHeaderBytes = 20
    /// A bound: flags, node, life, four versions, count.
    static let sectionHeaderBytes = 1 + 16 + 18 + 4 * 9 + 2
    /// A bound for one line of a page.
    static let knownBytes = 1 + 16 + 18 + 2 * 9

    static func append(_ life: Life, to bytes: inout [UInt8]) {
        bytes.append(varint: life.incarnation.rawValue)
        bytes.append(fixed: life.start.rawValue)
    }

    static func append(_ writer: WriterID, to bytes: inout [UInt8]) {
        bytes.append(writer.isShared ? 1 : 0)
        bytes.append(fixed: writer.node.high)
        bytes.append(fixed: writer.node.low)
        append(writer.life, to: &bytes)
    }

    static func append(_ known: Known, to bytes: inout [UInt8]) {
        append(known.writer, to: &bytes)
        bytes.append(varint: known.version)
        bytes.append(varint: known.collected)
        bytes.append(fixed: known.alive)
    }

    static func append(_ cell: StateCell, at place: Place, after version: UInt64, to bytes: inout [UInt8]) {
        bytes.append(varint: cell.version - version)
        bytes.append(place.space)
        bytes.append((cell.isRemoval ? 1 : 0) | (place.element.isEmpty ? 0 : 2))
        bytes.append(blob: place.key)
        if !place.element.isEmpty { bytes.append(blob: place.element) }
        bytes.append(blob: cell.body)
    }

    static func sectionHeader(_ record: WriterRecord, from: UInt64, through: UInt64, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        append(record.id, to: &bytes)
        bytes.append(varint: from)
        bytes.append(varint: through - from)
        bytes.append(varint: max(record.version, record.goal, through) - through)
        bytes.append(varint: record.collected)
        bytes.append(varint: UInt64(count))
        return bytes
    }

    static func delta(_ life: Life, _ flags: DeltaFlags, sections: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [Kind.delta.rawValue, flags.rawValue]
        append(life, to: &bytes)
        return bytes + sections
    }

    /// Not for deltas, whose sections are written as they are chosen.
    static func encode(_ message: GossipMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        switch message {
        case .summary(let life, let buckets):
            bytes.append(Kind.summary.rawValue)
            append(life, to: &bytes)
            for bucket in buckets { bytes.append(fixed: bucket) }
        case .page(let life, let tags, let lines):
            bytes.append(Kind.page.rawValue)
            append(life, to: &bytes)
            bytes.append(fixed: tags.lowerBound)
            bytes.append(fixed: tags.upperBound)
            for line in lines { append(line, to: &bytes) }
        case .wants(let life, let lines):
            bytes.append(Kind.wants.rawValue)
            append(life, to: &bytes)
            for line in lines { append(line, to: &bytes) }
        case .alive(let life, let listings):
            bytes.append(Kind.alive.rawValue)
            append(life, to: &bytes)
            for listing in listings {
                append(listing.writer, to: &bytes)
                bytes.append(varint: listing.from)
                bytes.append(varint: listing.through - listing.from)
                bytes.append(varint: listing.collected)
                bytes.append(varint: UInt64(listing.versions.count))
                var last = listing.from
                for version in listing.versions {
                    bytes.append(varint: version - last)
                    last = version
                }
            }
        case .delta(let life, let flags, _):
            return delta(life, flags, sections: [])
        case .ack(let life, let of, let own, let shared):
            bytes.append(Kind.ack.rawValue)
            append(life, to: &bytes)
            append(of, to: &bytes)
            bytes.append(varint: own)
            bytes.append(varint: shared)
        }
        return bytes
    }
}

extension GossipWire {
    /// What a line of a page takes.
    static func size(_ known: Known) -> Int {
        33 + width(known.writer.life.incarnation.rawValue) + width(known.version) + width(known.collected)
    }

    /// Bytes of a variable-length integer.
    static func width(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }
}
