// Pure.
import Model

extension GossipWire {
    /// Work is bounded by the number of bytes. A message decodes wholly or not at all.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> GossipMessage {
        guard bytes.count <= GossipLimits.frameBytes else { throw .invalid("length") }
        var reader = ByteReader(bytes, 0..<bytes.count)
        let head = try reader.byte()
        guard let kind = Kind(rawValue: head & ~laterFields) else { throw .invalid("kind") }
        if head & laterFields != 0 {
            for _ in 0..<(try reader.count(limit: GossipLimits.frameBytes, "later fields")) { _ = try reader.byte() }
        }
        switch kind {
        case .summary:
            let life = try life(&reader)
            var buckets: [UInt64] = []
            for _ in 0..<GossipLimits.buckets { buckets.append(try reader.fixed(UInt64.self)) }
            return .summary(life, buckets: buckets)
        case .page:
            let life = try life(&reader)
            let first = try reader.fixed(UInt64.self)
            let last = try reader.fixed(UInt64.self)
            guard first <= last else { throw .invalid("tags") }
            return .page(life, tags: first...last, try lines(&reader))
        case .wants:
            return .wants(try life(&reader), try lines(&reader))
        case .delta:
            let flags = DeltaFlags(rawValue: try reader.byte())
            let life = try life(&reader)
            var sections: [StateSection] = []
            while !reader.isAtEnd {
                guard sections.count < GossipLimits.sections else { throw .invalid("sections") }
                sections.append(try section(&reader))
            }
            return .delta(life, flags: flags, sections)
        case .alive:
            let life = try life(&reader)
            var listings: [StateListing] = []
            while !reader.isAtEnd { listings.append(try listing(&reader)) }
            return .alive(life, listings)
        case .ack:
            let (life, of) = (try life(&reader), try life(&reader))
            let (own, shared) = (try version(&reader), try version(&reader))
            return .ack(life, of: of, own: own, shared: shared)
        }
    }

    private static func life(_ reader: inout ByteReader) throws(FormatError) -> Life {
        let incarnation = Incarnation(try reader.varint())
        return Life(incarnation: incarnation, start: StartID(try reader.fixed(UInt64.self)))
    }

    private static func writer(_ reader: inout ByteReader) throws(FormatError) -> WriterID {
        let flags = try reader.byte()
        guard flags <= 1 else { throw .invalid("stream") }
        let high = try reader.fixed(UInt64.self)
        let node = NodeID(high: high, low: try reader.fixed(UInt64.self))
        return WriterID(node: node, life: try life(&reader), isShared: flags == 1)
    }

    private static func version(_ reader: inout ByteReader) throws(FormatError) -> UInt64 {
        let version = try reader.varint()
        guard version <= GossipLimits.version else { throw .invalid("version") }
        return version
    }

    private static func lines(_ reader: inout ByteReader) throws(FormatError) -> [Known] {
        var lines: [Known] = []
        while !reader.isAtEnd {
            let writer = try writer(&reader)
            let version = try version(&reader)
            let collected = try Self.version(&reader)
            let alive = try reader.fixed(UInt64.self)
            lines.append(Known(writer: writer, version: version, collected: collected, alive: alive))
        }
        return lines
    }

    private static func listing(_ reader: inout ByteReader) throws(FormatError) -> StateListing {
        let writer = try writer(&reader)
        let from = try version(&reader)
        let through = from + (try version(&reader))
        guard through <= GossipLimits.version else { throw .invalid("version") }
        let collected = try version(&reader)
        let count = try reader.count(limit: GossipLimits.frameBytes, "versions")
        var versions: [UInt64] = []
        var last = from
        for _ in 0..<count {
            let step = try version(&reader)
            guard step > 0, step <= through - last else { throw .invalid("version") }
            last += step
            versions.append(last)
        }
        return StateListing(writer: writer, from: from, through: through, collected: collected, versions: versions)
    }

    private static func section(_ reader: inout ByteReader) throws(FormatError) -> StateSection {
        let writer = try writer(&reader)
        let from = try version(&reader)
        let through = from + (try version(&reader))
        let goal = through + (try version(&reader))
        let collected = try version(&reader)
        guard goal <= GossipLimits.version else { throw .invalid("version") }
        let count = try reader.count(limit: GossipLimits.sectionEntries, "entries")
        var entries: [StateSection.Entry] = []
        var last = from
        for _ in 0..<count {
            let entry = try entry(&reader, after: last)
            guard entry.version <= through else { throw .invalid("version") }
            last = entry.version
            entries.append(entry)
        }
        return StateSection(
            writer: writer, from: from, through: through, goal: goal, collected: collected, entries: entries)
    }

    private static func entry(
        _ reader: inout ByteReader, after last: UInt64
    ) throws(FormatError) -> StateSection.Entry {
        let step = try version(&reader)
        guard step > 0 else { throw .invalid("version") }
        let space = try reader.byte()
        let flags = try reader.byte()
        guard flags <= 3 else { throw .invalid("flags") }
        let key = try reader.blob(limit: GossipLimits.keyBytes, "key")
        guard !key.isEmpty else { throw .invalid("key") }
        let element = flags & 2 == 0 ? [] : try reader.blob(limit: GossipLimits.elementBytes, "element")
        let body = try reader.blob(limit: GossipLimits.bodyBytes, "body")
        return StateSection.Entry(
            version: last + step, place: Place(space: space, key: key, element: element), isRemoval: flags & 1 == 1,
            body: body)
    }
}
