package import Model
import Replication
import RingLog

/// One question for a page, drawn at random by who asks, so that answers to others are known as such.
package struct QuestionID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Which stored readings of others are asked for, whoever has them.
package struct QueryWish: Hashable, Sendable {
    /// A reading is wanted if one of them matches its series; none means all. ``QueryLimits/globs`` at most.
    package let globs: [Glob]
    /// Inclusive.
    package let from: Milliseconds?
    /// Exclusive.
    package let to: Milliseconds?
    package let newestFirst: Bool

    package init(globs: [Glob], from: Milliseconds?, to: Milliseconds?, newestFirst: Bool) {
        self.globs = globs
        self.from = from
        self.to = to
        self.newestFirst = newestFirst
    }

    func matches(_ series: Series) -> Bool { globs.isEmpty || globs.contains { $0.matches(series) } }
}

/// Asks one holder for the next page of what it has of some logs.
struct PeerQuestion: Hashable, Sendable {
    struct Part: Hashable, Sendable {
        let name: LogName
        var ranges: OffsetRanges
    }

    let wish: QueryWish
    /// Each log once.
    var parts: [Part]
    /// What comes up to here, itself included, has been told.
    var after: QueryPlace?
    /// Readings at most.
    var limit: Int
}

/// What gateways say to each other about questions, each in a frame of its own. All may be repeated, late, or never come.
enum QueryFrame: Hashable, Sendable {
    case question(QuestionID, PeerQuestion)
    /// `held`: for each part of the question what of it the holder has and speaks of. Of that, all that the question is about up to
    /// `end`, or all at all where that is `nil`, is in `bytes`, a ``ReadingPage``, or nothing where those are empty.
    case answer(QuestionID, held: [OffsetRanges], end: QueryPlace?, bytes: [UInt8])
    /// Too many wait already; ask again, or somebody else.
    case busy(QuestionID)
    /// Cannot be answered; ask somebody else.
    case refused(QuestionID)
}

/// | field | form |
/// |---|---|
/// | version | one byte, 1 |
/// | kind | one byte: 1 question, 2 answer, 3 busy, 4 refused |
/// | id | 8 bytes |
/// | flags (1) | one byte: 1 newest first, 2 has `from`, 4 has `to`, 8 has `after` |
/// | from, to (1) | signed varint each, Unix milliseconds |
/// | after (1), end (2) | signed varint of Unix milliseconds, log id 8 bytes, varint offset |
/// | limit (1) | varint |
/// | globs (1) | varint count, texts behind their length |
/// | parts (1) | varint count; each: node id 16 bytes, log id 8 bytes, ranges: see ``OffsetRanges`` |
/// | flags (2) | one byte: 1 has `end` |
/// | held (2) | varint count; ranges each |
/// | bytes (2) | varint length, bytes |
///
/// What a later version adds behind is passed over.
extension QueryFrame {
    private static let version: UInt8 = 1

    /// Whether the bytes ask something, and do not answer.
    static func isQuestion(_ bytes: [UInt8]) -> Bool { bytes.count > 1 && bytes[0] == version && bytes[1] == 1 }

    /// Of whichever kind it is.
    static func id(of bytes: [UInt8]) -> QuestionID? {
        guard bytes.count > 2, bytes[0] == version else { return nil }
        var reader = ByteReader(bytes, 2..<bytes.count)
        guard let id = try? reader.fixed(UInt64.self) else { return nil }
        return QuestionID(id)
    }

    /// At most 66 KiB.
    var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version]
        switch self {
        case .question(let id, let question):
            bytes.append(1)
            bytes.append(fixed: id.rawValue)
            question.append(to: &bytes)
        case .answer(let id, let held, let end, let page):
            bytes.reserveCapacity(page.count + 256)
            bytes.append(2)
            bytes.append(fixed: id.rawValue)
            bytes.append(end == nil ? 0 : 1)
            if let end { bytes.append(end) }
            bytes.append(varint: UInt64(held.count))
            for ranges in held { ranges.append(to: &bytes, limit: QueryLimits.ranges) }
            bytes.append(blob: page)
        case .busy(let id):
            bytes.append(3)
            bytes.append(fixed: id.rawValue)
        case .refused(let id):
            bytes.append(4)
            bytes.append(fixed: id.rawValue)
        }
        return bytes
    }

    init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard try reader.byte() == Self.version else { throw .invalid("version of a question") }
        let kind = try reader.byte()
        let id = QuestionID(try reader.fixed(UInt64.self))
        switch kind {
        case 1: self = .question(id, try PeerQuestion(from: &reader))
        case 2:
            let end = try reader.byte() & 1 == 0 ? nil : try reader.place()
            var held: [OffsetRanges] = []
            for _ in 0..<(try reader.count(limit: QueryLimits.parts, "parts")) {
                held.append(try OffsetRanges(from: &reader, limit: QueryLimits.ranges))
            }
            self = .answer(id, held: held, end: end, bytes: try reader.blob(limit: 64 << 10, "page"))
        case 3: self = .busy(id)
        case 4: self = .refused(id)
        default: throw .invalid("kind of a question")
        }
    }
}

extension PeerQuestion {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(
            (wish.newestFirst ? 1 : 0) | (wish.from == nil ? 0 : 2) | (wish.to == nil ? 0 : 4) | (after == nil ? 0 : 8))
        if let from = wish.from { bytes.append(signed: from.rawValue) }
        if let to = wish.to { bytes.append(signed: to.rawValue) }
        if let after { bytes.append(after) }
        bytes.append(varint: UInt64(limit))
        bytes.append(varint: UInt64(wish.globs.count))
        for glob in wish.globs { bytes.append(text: glob.pattern) }
        bytes.append(varint: UInt64(parts.count))
        for part in parts {
            for word in [part.name.node.high, part.name.node.low, part.name.log.rawValue] { bytes.append(fixed: word) }
            part.ranges.append(to: &bytes, limit: QueryLimits.ranges)
        }
    }

    fileprivate init(from reader: inout ByteReader) throws(FormatError) {
        let flags = try reader.byte()
        let from = flags & 2 == 0 ? nil : Milliseconds(try reader.signed())
        let to = flags & 4 == 0 ? nil : Milliseconds(try reader.signed())
        let after = flags & 8 == 0 ? nil : try reader.place()
        let limit = try reader.count(limit: QueryLimits.pageReadings, "limit")
        guard limit > 0 else { throw .invalid("limit") }
        var globs: [Glob] = []
        for _ in 0..<(try reader.count(limit: QueryLimits.globs, "globs")) {
            globs.append(Glob(try reader.text(limit: QueryLimits.globBytes, "glob")))
        }
        var parts: [Part] = []
        var ranges = 0
        for _ in 0..<(try reader.count(limit: QueryLimits.parts, "parts")) {
            let high = try reader.fixed(UInt64.self)
            let low = try reader.fixed(UInt64.self)
            let name = LogName(node: NodeID(high: high, low: low), log: LogID(try reader.fixed(UInt64.self)))
            let part = Part(name: name, ranges: try OffsetRanges(from: &reader, limit: QueryLimits.ranges))
            ranges += part.ranges.ranges.count
            guard ranges <= QueryLimits.questionRanges, !parts.contains(where: { $0.name.log == name.log }) else {
                throw .invalid("parts")
            }
            parts.append(part)
        }
        let wish = QueryWish(globs: globs, from: from, to: to, newestFirst: flags & 1 == 1)
        self.init(wish: wish, parts: parts, after: after, limit: limit)
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ place: QueryPlace) {
        append(signed: place.time.rawValue)
        append(fixed: place.log.rawValue)
        append(varint: place.offset.rawValue)
    }
}

extension ByteReader {
    fileprivate mutating func place() throws(FormatError) -> QueryPlace {
        let time = Milliseconds(try signed())
        let log = LogID(try fixed(UInt64.self))
        return QueryPlace(time: time, log: log, offset: Offset(try varint()))
    }
}
