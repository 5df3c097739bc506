package import Model

/// A message that a broker may deliver again: remembered beside the readings it brought, so that a redelivery is known.
package struct DeliveryMark: Hashable, Sendable {
    /// Name of the session, at most ``sessionBytes`` bytes of UTF-8.
    package let session: String
    /// The broker's message id.
    package let message: UInt16
    /// Hash of topic and payload; 32 bits of it are kept. A message that is no redelivery is taken for one where the broker says that it may
    /// be, its id is that of a remembered mark, and chance makes the hashes equal: one of four billion such messages.
    package let hash: UInt64

    /// A session is named by the configuration, in a few letters.
    package static let sessionBytes = 255
    static let hashMask: UInt64 = 0xFFFF_FFFF

    package init(session: String, message: UInt16, hash: UInt64) {
        self.session = session
        self.message = message
        self.hash = hash & Self.hashMask
    }

    /// The payload's hash says enough for a table; the session's name would only cost time.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
        hasher.combine(message)
    }
}

/// Names a small record of which the latest value counts. The ring carries it and does not look inside.
package struct StateKey: Hashable, Comparable, Sendable {
    /// The owner's choice; sorts first.
    package let kind: UInt8
    /// At most ``nameBytes`` bytes of UTF-8.
    package let name: String

    /// A device and a metric name together, and something to spare.
    package static let nameBytes = 384
    /// A record must fit beside readings in a block.
    package static let valueBytes = 1024

    package init(_ kind: UInt8, _ name: String) {
        self.kind = kind
        self.name = name
    }

    package static func < (left: StateKey, right: StateKey) -> Bool {
        (left.kind, left.name) < (right.kind, right.name)
    }
}

/// Why a range will never come. Raw values are part of the stored format.
package enum GapReason: UInt8, Hashable, Sendable, CaseIterable {
    /// Overwritten before every required sink had it: a counted loss.
    case evicted = 1
    /// Found unreadable: a counted loss.
    case damaged = 2
    /// Overwritten after every required sink had it: no loss.
    case uploaded = 3
}

/// A named range of a log that this gateway does not hold and will not get back by itself.
package struct Gap: Hashable, Sendable {
    package let log: LogID
    /// Never empty.
    package let range: Range<Offset>
    package let reason: GapReason

    package init(log: LogID, range: Range<Offset>, reason: GapReason) {
        self.log = log
        self.range = range
        self.reason = reason
    }
}

/// Fixes the wall time of everything that one run of the kernel stamped while its clock was not yet right.
package struct ClockAnchor: Hashable, Sendable {
    package let boot: BootID
    /// Wall clock minus uptime, once it was known; Unix epoch.
    package let wallOffset: Microseconds

    package init(boot: BootID, wallOffset: Microseconds) {
        self.boot = boot
        self.wallOffset = wallOffset
    }
}

/// What is known of one log beside its readings.
package struct LogRecord: Hashable, Sendable {
    package let log: LogID
    /// One past the last offset known to have been used.
    package let end: Offset
    /// Whether it will never be appended to again. Of a copy only its own gateway knows that.
    package let isClosed: Bool
    /// Whose log it is, where this ring holds a copy of it; `nil` where this ring minted it.
    package let node: NodeID?

    package init(log: LogID, end: Offset, isClosed: Bool, node: NodeID? = nil) {
        self.log = log
        self.end = end
        self.isClosed = isClosed
        self.node = node
    }
}

/// One small record that rides in a block beside readings.
package enum Record: Hashable, Sendable {
    case state(StateKey, [UInt8])
    case gap(Gap)
    case log(LogRecord)
    case anchor(ClockAnchor)
    /// Came with readings of the same block.
    case mark(DeliveryMark)
    /// Came with readings of an earlier segment, and is repeated so that it outlives it.
    case repeatedMark(DeliveryMark)

    /// Bytes that it takes in a block at most, what frames it included.
    package var mostBytes: Int {
        switch self {
        case .state(let key, let value): 8 + key.name.utf8.count + value.count
        case .gap: 32
        case .log(let record): record.node == nil ? 24 : 40
        case .anchor: 32
        case .mark(let mark), .repeatedMark(let mark): 16 + mark.session.utf8.count
        }
    }
}

extension Record {
    /// Raw values are part of the stored format. A reader that does not know a tag takes the block for damaged and passes it over.
    enum Tag: UInt8 {
        case state = 1
        case gap = 2
        case log = 3
        case anchor = 4
        /// A log of which this ring holds a copy; since format 2 (``SegmentHeader/copiesVersion``).
        case copiedLog = 5
    }

    /// Marks are written by ``MarkWriter`` instead, which shares session names.
    func write(to bytes: inout [UInt8]) {
        switch self {
        case .state(let key, let value):
            bytes.append(Tag.state.rawValue)
            bytes.append(key.kind)
            bytes.append(text: key.name)
            bytes.append(blob: value)
        case .gap(let gap):
            bytes.append(Tag.gap.rawValue)
            bytes.append(fixed: gap.log.rawValue)
            bytes.append(varint: gap.range.lowerBound.rawValue)
            bytes.append(varint: gap.range.upperBound.rawValue &- gap.range.lowerBound.rawValue)
            bytes.append(gap.reason.rawValue)
        case .log(let record):
            bytes.append((record.node == nil ? Tag.log : Tag.copiedLog).rawValue)
            if let node = record.node {
                bytes.append(fixed: node.high)
                bytes.append(fixed: node.low)
            }
            bytes.append(fixed: record.log.rawValue)
            bytes.append(varint: record.end.rawValue)
            bytes.append(record.isClosed ? 1 : 0)
        case .anchor(let anchor):
            bytes.append(Tag.anchor.rawValue)
            bytes.append(fixed: anchor.boot.high)
            bytes.append(fixed: anchor.boot.low)
            bytes.append(signed: anchor.wallOffset.rawValue)
        case .mark, .repeatedMark:
            preconditionFailure("a mark among the records")
        }
    }

    static func read(from reader: inout ByteReader) throws(FormatError) -> Record {
        switch Tag(rawValue: try reader.byte()) {
        case .state:
            let kind = try reader.byte()
            let name = try reader.text(limit: StateKey.nameBytes, "state name")
            return .state(StateKey(kind, name), try reader.blob(limit: StateKey.valueBytes, "state value"))
        case .gap:
            let log = LogID(try reader.fixed(UInt64.self))
            let range = try OffsetRange.read(from: &reader)
            guard let reason = GapReason(rawValue: try reader.byte()) else { throw .invalid("gap reason") }
            return .gap(Gap(log: log, range: range, reason: reason))
        case .log:
            return .log(try log(of: nil, from: &reader))
        case .copiedLog:
            let node = NodeID(high: try reader.fixed(UInt64.self), low: try reader.fixed(UInt64.self))
            return .log(try log(of: node, from: &reader))
        case .anchor:
            let boot = BootID(high: try reader.fixed(UInt64.self), low: try reader.fixed(UInt64.self))
            let offset = try reader.signed()
            guard offset.magnitude <= ClockContext.mostMicroseconds else { throw .invalid("wall offset") }
            return .anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(offset)))
        case nil:
            throw .invalid("record tag")
        }
    }

    private static func log(of node: NodeID?, from reader: inout ByteReader) throws(FormatError) -> LogRecord {
        let log = LogID(try reader.fixed(UInt64.self))
        let end = try reader.varint()
        guard end <= 2 * OffsetRange.most else { throw .invalid("end of a log") }
        return LogRecord(log: log, end: Offset(end), isClosed: try reader.byte() != 0, node: node)
    }
}

enum OffsetRange {
    /// An offset is a count of readings, so 2^62 is beyond every real one, and sums of two cannot overflow.
    static let most: UInt64 = 1 << 62

    static func read(from reader: inout ByteReader) throws(FormatError) -> Range<Offset> {
        let first = try reader.varint()
        let count = try reader.varint()
        guard first <= most, count > 0, count <= most else { throw .invalid("offset range") }
        return Offset(first)..<Offset(first + count)
    }
}
