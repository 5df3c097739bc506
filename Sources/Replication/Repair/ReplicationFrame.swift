package import Model

/// One request for a chunk, drawn at random by who asks, so that answers from before a restart are known as such.
package struct FetchID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// One round of asking for holds on a log, drawn at random by who asks, so that grants of an earlier round are known as such.
package struct HoldID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// What replicators say to each other, each in a frame of its own. All may be repeated, late, or never come.
package enum ReplicationFrame: Hashable, Sendable {
    /// Wants the first 64 KiB of the range.
    case request(FetchID, LogName, Range<Offset>)
    /// `covered` begins where the request began. What of it is not `missing` is in `bytes`.
    case answer(FetchID, covered: Range<Offset>, missing: OffsetRanges, bytes: [UInt8])
    /// Too many wait already; ask somebody else.
    case busy(FetchID)
    /// Holds more copies than it should: would like to let go of these ranges.
    case holdRequest(HoldID, LogName, OffsetRanges)
    /// Holds these, should hold them, and has written down that it keeps them.
    case holdGranted(HoldID, LogName, OffsetRanges)
}

/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | kind | one byte: 1 request, 2 answer, 3 busy, 4 hold request, 5 hold granted |
/// | fetch id (1, 2, 3), hold id (4, 5) | 8 bytes |
/// | log (1, 4, 5) | node id 16 bytes, log id 8 bytes |
/// | range (1, 2) | varint lower bound, varint length |
/// | ranges (2 missing, 4, 5) | see ``OffsetRanges`` |
/// | bytes (2) | varint length, bytes |
///
/// What a later version adds behind is passed over.
extension ReplicationFrame {
    private static let version: UInt8 = 1

    /// At most 97 KiB.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version]
        switch self {
        case .request(let id, let log, let range):
            bytes.append(1)
            bytes.append(fixed: id.rawValue)
            bytes.append(log)
            bytes.append(range)
        case .answer(let id, let covered, let missing, let chunk):
            bytes.reserveCapacity(chunk.count + 64)
            bytes.append(2)
            bytes.append(fixed: id.rawValue)
            bytes.append(covered)
            missing.append(to: &bytes, limit: ReplicatorLimits.ranges)
            bytes.append(blob: chunk)
        case .busy(let id):
            bytes.append(3)
            bytes.append(fixed: id.rawValue)
        case .holdRequest(let id, let log, let ranges):
            bytes.append(4)
            bytes.append(fixed: id.rawValue)
            bytes.append(log)
            ranges.append(to: &bytes, limit: ReplicatorLimits.ranges)
        case .holdGranted(let id, let log, let ranges):
            bytes.append(5)
            bytes.append(fixed: id.rawValue)
            bytes.append(log)
            ranges.append(to: &bytes, limit: ReplicatorLimits.ranges)
        }
        return bytes
    }

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == Self.version else { throw .invalid("version of a frame") }
        switch try reader.byte() {
        case 1:
            let id = FetchID(try reader.fixed(UInt64.self))
            let log = try reader.logName()
            self = .request(id, log, try reader.range())
        case 2:
            let id = FetchID(try reader.fixed(UInt64.self))
            let covered = try reader.range()
            let missing = try OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges)
            guard OffsetRanges(covered).contains(missing) else { throw .invalid("missing") }
            let chunk = try reader.blob(limit: ReplicatorLimits.answeredBytes, "chunk")
            self = .answer(id, covered: covered, missing: missing, bytes: chunk)
        case 3:
            self = .busy(FetchID(try reader.fixed(UInt64.self)))
        case 4:
            let id = HoldID(try reader.fixed(UInt64.self))
            let log = try reader.logName()
            self = .holdRequest(id, log, try OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges))
        case 5:
            let id = HoldID(try reader.fixed(UInt64.self))
            let log = try reader.logName()
            self = .holdGranted(id, log, try OffsetRanges(from: &reader, limit: ReplicatorLimits.ranges))
        default: throw .invalid("kind of a frame")
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ log: LogName) {
        append(fixed: log.node.high)
        append(fixed: log.node.low)
        append(fixed: log.log.rawValue)
    }

    fileprivate mutating func append(_ range: Range<Offset>) {
        append(varint: range.lowerBound.rawValue)
        append(varint: range.length)
    }
}

extension ByteReader {
    fileprivate mutating func logName() throws(FormatError) -> LogName {
        let high = try fixed(UInt64.self)
        let low = try fixed(UInt64.self)
        return LogName(node: NodeID(high: high, low: low), log: LogID(try fixed(UInt64.self)))
    }

    /// Not empty.
    fileprivate mutating func range() throws(FormatError) -> Range<Offset> {
        let lower = try offset().rawValue
        let length = try varint()
        guard length > 0, length <= OffsetRanges.greatest, lower + length <= OffsetRanges.greatest else {
            throw .invalid("range")
        }
        return Offset(lower)..<Offset(lower + length)
    }
}
