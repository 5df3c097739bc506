import Model

/// Writes marks so that neighbours share a session's name and message ids that count upwards: some 4 bytes each.
///
/// | field   | form     | there if                                                                                       |
/// |---------|----------|------------------------------------------------------------------------------------------------|
/// | step    | unsigned | always: zigzag of the first id less the last one before, times 2, and 1 where the session is new |
/// | session | text     | it is new                                                                                      |
/// | count   | unsigned | always, at least 1: marks whose ids follow one another                                         |
/// | hashes  | 4 bytes  | for each of them                                                                               |
struct MarkWriter {
    /// What is of whole runs, until ``flush()``.
    private(set) var bytes: [UInt8] = []
    private var session: String?
    private var message: UInt16 = 0
    /// The run that is open: what stands before its count, and its hashes.
    private var head: [UInt8] = []
    private var hashes: [UInt8] = []

    private static let mostCountBytes = 3

    var isEmpty: Bool { bytes.isEmpty && hashes.isEmpty }
    /// Bytes that it takes at most.
    var count: Int { bytes.count + head.count + Self.mostCountBytes + hashes.count }

    mutating func append(_ mark: DeliveryMark) {
        let isNew = mark.session != session
        let step = Int16(bitPattern: mark.message &- message)
        if isNew || step != 1 || hashes.isEmpty {
            flush()
            head.append(varint: Int64(step).zigzagged << 1 | (isNew ? 1 : 0))
            if isNew { head.append(text: mark.session) }
        }
        hashes.append(fixed: UInt32(truncatingIfNeeded: mark.hash))
        session = mark.session
        message = mark.message
    }

    /// Call once, at the end.
    mutating func flush() {
        guard !hashes.isEmpty else { return }
        bytes.append(contentsOf: head)
        bytes.append(varint: UInt64(hashes.count / 4))
        bytes.append(contentsOf: hashes)
        head = []
        hashes = []
    }
}

enum MarkReader {
    static func read(from reader: inout ByteReader) throws(FormatError) -> [DeliveryMark] {
        var marks: [DeliveryMark] = []
        var place = MarkPlace()
        while !reader.isAtEnd {
            let session = try place.move(&reader)
            let count = try reader.varint()
            guard count > 0 else { throw .invalid("count of marks") }
            for index in 0..<count {
                if index > 0 { place.message &+= 1 }
                let hash = UInt64(try reader.fixed(UInt32.self))
                marks.append(DeliveryMark(session: session, message: place.message, hash: hash))
            }
        }
        return marks
    }

    /// Of blocks before format 4 (``SegmentHeader/packedVersion``): each mark with a step of its own, and 40 bits of its hash.
    static func readSingle(from reader: inout ByteReader) throws(FormatError) -> [DeliveryMark] {
        var marks: [DeliveryMark] = []
        var place = MarkPlace()
        while !reader.isAtEnd {
            let session = try place.move(&reader)
            let low = UInt64(try reader.fixed(UInt32.self))
            let high = UInt64(try reader.byte())
            marks.append(DeliveryMark(session: session, message: place.message, hash: high << 32 | low))
        }
        return marks
    }
}

/// What both forms of marks go on from.
private struct MarkPlace {
    var session: String?
    var message: UInt16 = 0

    mutating func move(_ reader: inout ByteReader) throws(FormatError) -> String {
        let token = try reader.varint()
        guard token >> 1 <= UInt64(UInt16.max) else { throw .invalid("message id step") }
        if token & 1 == 1 { session = try reader.text(limit: DeliveryMark.sessionBytes, "session") }
        guard let session else { throw .invalid("session") }
        message &+= UInt16(truncatingIfNeeded: (token >> 1).unzigzagged)
        return session
    }
}
