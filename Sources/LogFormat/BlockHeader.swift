package import Model

/// The first ``bytes`` bytes of every block.
package struct BlockHeader: Hashable, Sendable {
    /// Raw values are part of the stored format.
    package enum Kind: UInt8, Hashable, Sendable {
        /// One commit.
        case hot = 1
        /// Merged readings.
        case cold = 2
        /// A part of a segment's footer.
        case footer = 3
        /// The last part of a footer, at the very end of the segment.
        case footerEnd = 4
    }

    package var kind: Kind
    /// Every record that must outlive older segments has been repeated in this segment, up to and with this block.
    package var endsSnapshot: Bool
    /// Checksum of the block before in this segment; of the first block: ``chainStart(of:)``.
    package var previous: UInt32
    package var generation: UInt64
    /// How many blocks of this segment come before.
    package var index: Int
    /// Length in units of ``Geometry/unit``.
    package var units: Int
    /// Bytes after the header that mean something; the rest of the block is zeros.
    package var payload: Int
    package var readings: Int
    /// Of the first run; 0 where the block holds no readings.
    package var first: Offset
    /// Earliest and latest wall estimate; both 0 where the block holds no readings.
    package var times: ClosedRange<Milliseconds>

    package static let bytes = 64
    /// A reading takes at least one byte of a block.
    package static let mostReadings = 65_536
    /// `CvB1`.
    static let magic: UInt32 = 0x3142_7643

    package init(
        kind: Kind, endsSnapshot: Bool = false, previous: UInt32, generation: UInt64, index: Int, units: Int = 0,
        payload: Int = 0, readings: Int = 0, first: Offset = .zero,
        times: ClosedRange<Milliseconds> = Milliseconds(0)...Milliseconds(0)
    ) {
        self.kind = kind
        self.endsSnapshot = endsSnapshot
        self.previous = previous
        self.generation = generation
        self.index = index
        self.units = units
        self.payload = payload
        self.readings = readings
        self.first = first
        self.times = times
    }

    /// What the first block of a segment has in place of a block before: never the same for two lives of one segment.
    package static func chainStart(of generation: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: generation &* 0x9E37_79B9_7F4A_7C15 >> 32)
    }

    /// Fills `payload`, `units` and the checksum in, and pads to whole units. `block` starts with ``bytes`` bytes kept
    /// free for the header. Returns the checksum.
    func seal(_ block: inout [UInt8], store: StoreID) -> UInt32 {
        let payload = block.count - Self.bytes
        let units = Geometry.units(covering: block.count)
        block.put(fixed: Self.magic, at: 0)
        block.put(fixed: store.bits, at: 8)
        block.put(fixed: previous, at: 12)
        block.put(fixed: generation, at: 16)
        block.put(fixed: UInt32(index), at: 24)
        block.put(fixed: UInt16(units), at: 28)
        block[30] = kind.rawValue
        block[31] = endsSnapshot ? 1 : 0
        block.put(fixed: UInt32(payload), at: 32)
        block.put(fixed: UInt32(readings), at: 36)
        block.put(fixed: first.rawValue, at: 40)
        block.put(fixed: UInt64(bitPattern: times.lowerBound.rawValue), at: 48)
        block.put(fixed: UInt64(bitPattern: times.upperBound.rawValue), at: 56)
        let checksum = CRC32C.checksum(block, 8..<block.count)
        block.put(fixed: checksum, at: 4)
        block.append(contentsOf: repeatElement(0, count: units * Geometry.unit - block.count))
        return checksum
    }
}

/// What a reader finds where a block may begin.
package enum BlockState: Hashable, Sendable {
    /// Whole, of this ring. `checksum` is what the next block's `previous` repeats.
    case whole(BlockHeader, checksum: UInt32)
    /// The first bytes say a block of this ring begins here, but it is not whole. `generation` is what it claims.
    case broken(generation: UInt64)
    /// Not the beginning of a block of this ring.
    case other

    /// The ring that a block at the start of `bytes` says it is of, whole or not; `nil` where there is no block.
    package static func storeBits(_ bytes: [UInt8]) -> UInt32? {
        var reader = ByteReader(bytes, 0..<12)
        guard let magic = try? reader.fixed(UInt32.self), magic == BlockHeader.magic,
            (try? reader.fixed(UInt32.self)) != nil
        else { return nil }
        return try? reader.fixed(UInt32.self)
    }

    /// Looks at `position` of `bytes`, where `limit` is the most units that may follow.
    package static func read(_ bytes: [UInt8], at position: Int, store: StoreID, limit: Int) -> BlockState {
        var reader = ByteReader(bytes, position..<position + BlockHeader.bytes)
        do {
            guard try reader.fixed(UInt32.self) == BlockHeader.magic else { return .other }
            let checksum = try reader.fixed(UInt32.self)
            guard try reader.fixed(UInt32.self) == store.bits else { return .other }
            let previous = try reader.fixed(UInt32.self)
            let generation = try reader.fixed(UInt64.self)
            let index = Int(try reader.fixed(UInt32.self))
            let units = Int(try reader.fixed(UInt16.self))
            let kind = BlockHeader.Kind(rawValue: try reader.byte())
            let flags = try reader.byte()
            let payload = Int(try reader.fixed(UInt32.self))
            let readings = Int(try reader.fixed(UInt32.self))
            let first = Offset(try reader.fixed(UInt64.self))
            let earliest = Milliseconds(Int64(bitPattern: try reader.fixed(UInt64.self)))
            let latest = Milliseconds(Int64(bitPattern: try reader.fixed(UInt64.self)))
            let length = BlockHeader.bytes + payload
            guard let kind, (1...max(limit, 1)).contains(units), length <= units * Geometry.unit,
                position + length <= bytes.count, readings <= BlockHeader.mostReadings, earliest <= latest,
                CRC32C.checksum(bytes, position + 8..<position + length) == checksum
            else { return .broken(generation: generation) }
            let header = BlockHeader(
                kind: kind, endsSnapshot: flags & 1 == 1, previous: previous, generation: generation, index: index,
                units: units, payload: payload, readings: readings, first: first, times: earliest...latest)
            return .whole(header, checksum: checksum)
        } catch {
            return .other
        }
    }
}

/// Consecutive readings of one log inside one block.
package struct Run: Hashable, Sendable {
    package var log: LogID
    package var first: Offset
    /// Readings, at least 1.
    package var count: Int
    /// Earliest and latest wall estimate among them.
    package var earliest: Milliseconds
    package var latest: Milliseconds
    /// Whether all were stamped by a clock known to be right, so that no anchor moves them.
    package var isTrusted: Bool

    package init(
        log: LogID, first: Offset, count: Int, earliest: Milliseconds, latest: Milliseconds, isTrusted: Bool
    ) {
        self.log = log
        self.first = first
        self.count = count
        self.earliest = earliest
        self.latest = latest
        self.isTrusted = isTrusted
    }

    package var range: Range<Offset> { first..<first.advanced(by: count) }
    /// Bytes that one takes in a block or footer at most.
    static let mostBytes = 8 + 9 + 4 + 10 + 10

    func write(to bytes: inout [UInt8]) {
        bytes.append(fixed: log.rawValue)
        bytes.append(varint: first.rawValue)
        bytes.append(varint: UInt64(count) << 1 | (isTrusted ? 1 : 0))
        bytes.append(signed: earliest.rawValue)
        bytes.append(varint: UInt64(bitPattern: latest.rawValue &- earliest.rawValue))
    }

    static func read(from reader: inout ByteReader) throws(FormatError) -> Run {
        let log = LogID(try reader.fixed(UInt64.self))
        let first = try reader.varint()
        guard first <= OffsetRange.most else { throw .invalid("first offset") }
        let token = try reader.varint()
        guard token >> 1 >= 1, token >> 1 <= UInt64(BlockHeader.mostReadings) else { throw .invalid("run length") }
        let earliest = try reader.signed()
        let latest = earliest &+ Int64(bitPattern: try reader.varint())
        guard earliest <= latest else { throw .invalid("run times") }
        return Run(
            log: log, first: Offset(first), count: Int(token >> 1), earliest: Milliseconds(earliest),
            latest: Milliseconds(latest), isTrusted: token & 1 == 1)
    }
}
