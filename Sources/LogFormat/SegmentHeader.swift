package import Model

/// What the two first units of a segment say about it, each a copy of the other.
package struct SegmentHeader: Hashable, Sendable {
    package let store: StoreID
    package let kind: SegmentKind
    /// Counts every opening of any segment of this ring: it orders segments and grows with each reuse of one.
    package let generation: UInt64
    /// Where in the ring the segment was written.
    package let index: Int
    /// Segments of the ring at that time.
    package let segments: Int
    package let geometry: Geometry
    /// The log that was being written and its next offset when the segment was opened.
    package let log: LogID
    package let next: Offset
    /// Whether logs of other gateways may be in it: a program that knows of none must not take them for its own.
    package let mayHoldCopies: Bool
    /// Whether blocks of a ``ColdBuilder`` may be in it.
    package let mayHoldGroups: Bool
    /// Whether packed blocks (``PackedPayload``) may be in it, and marks with 32 bits of their hashes.
    package let mayHoldPacked: Bool

    package init(
        store: StoreID, kind: SegmentKind, generation: UInt64, index: Int, segments: Int, geometry: Geometry,
        log: LogID, next: Offset, mayHoldCopies: Bool = false, mayHoldGroups: Bool = false,
        mayHoldPacked: Bool = false
    ) {
        self.store = store
        self.kind = kind
        self.generation = generation
        self.index = index
        self.segments = segments
        self.geometry = geometry
        self.log = log
        self.next = next
        self.mayHoldCopies = mayHoldCopies
        self.mayHoldGroups = mayHoldGroups
        self.mayHoldPacked = mayHoldPacked
    }

    /// The newest version of the format that this code reads. It writes the oldest one that has all that the segment may hold.
    package static let version: UInt16 = packedVersion
    /// The first version with copies. An older program refuses the ring and touches nothing.
    static let copiesVersion: UInt16 = 2
    /// The first version with blocks of groups. What was a version of its own is a flag from here on.
    static let groupsVersion: UInt16 = 3
    static let copiesFlag: UInt8 = 1
    /// The first version with packed blocks, from which on all that a segment may hold is told by flags.
    static let packedVersion: UInt16 = 4
    static let groupsFlag: UInt8 = 2
    static let packedFlag: UInt8 = 4
    /// `COVEYRNG`.
    static let magic: UInt64 = 0x474E_5259_4556_4F43

    /// Both copies, ``Geometry/headerBytes`` long.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Geometry.headerBytes)
        bytes.append(fixed: Self.magic)
        bytes.append(fixed: UInt32(0))
        bytes.append(fixed: ownVersion)
        bytes.append(kind.rawValue)
        bytes.append(flags)
        bytes.append(fixed: store.high)
        bytes.append(fixed: store.low)
        bytes.append(fixed: generation)
        bytes.append(fixed: UInt32(index))
        bytes.append(fixed: UInt32(segments))
        bytes.append(fixed: UInt32(geometry.segmentBytes))
        bytes.append(fixed: UInt32(geometry.blockBytes))
        bytes.append(fixed: log.rawValue)
        bytes.append(fixed: next.rawValue)
        bytes.append(contentsOf: repeatElement(0, count: Geometry.unit - bytes.count))
        bytes.put(fixed: CRC32C.checksum(bytes, 12..<Geometry.unit), at: 8)
        return bytes + bytes
    }

    private var ownVersion: UInt16 {
        if mayHoldPacked { return Self.packedVersion }
        return mayHoldGroups ? Self.groupsVersion : mayHoldCopies ? Self.copiesVersion : 1
    }

    private var flags: UInt8 {
        let copies = mayHoldCopies ? Self.copiesFlag : 0
        switch ownVersion {
        case Self.packedVersion: return copies | (mayHoldGroups ? Self.groupsFlag : 0) | Self.packedFlag
        case Self.groupsVersion: return copies
        default: return 0
        }
    }
}

/// What a reader finds where a segment header should be.
package enum SegmentHeaderState: Hashable, Sendable {
    /// Nothing but zeros.
    case blank
    /// At least one copy is whole. `spoiled` counts the copies that are not.
    case found(SegmentHeader, spoiled: Int)
    /// Whole, but written by a newer Covey.
    case newer(version: UInt16)
    /// Neither copy is whole.
    case unreadable

    /// Reads ``Geometry/headerBytes`` bytes.
    package static func read(_ bytes: [UInt8]) -> SegmentHeaderState {
        precondition(bytes.count == Geometry.headerBytes, "\(bytes.count) bytes of header")
        if isBlank(bytes) { return .blank }
        let copies = [copy(in: bytes, at: 0), copy(in: bytes, at: Geometry.unit)]
        for case .newer(let version) in copies { return .newer(version: version) }
        var found: [SegmentHeader] = []
        for case .found(let header, _) in copies { found.append(header) }
        // After a torn rewrite one copy may still tell of the life before; the later life is the one whose blocks count.
        guard let newest = found.max(by: { $0.generation < $1.generation }) else { return .unreadable }
        return .found(newest, spoiled: copies.count - found.count { $0 == newest })
    }

    /// Word by word: a start looks at every segment of a young ring so.
    private static func isBlank(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var place = 0
            while place < buffer.count {
                guard buffer.loadUnaligned(fromByteOffset: place, as: UInt64.self) == 0 else { return false }
                place += 8
            }
            return true
        }
    }

    private static func copy(in bytes: [UInt8], at start: Int) -> SegmentHeaderState {
        var reader = ByteReader(bytes, start..<start + Geometry.unit)
        do {
            guard try reader.fixed(UInt64.self) == SegmentHeader.magic,
                try reader.fixed(UInt32.self) == CRC32C.checksum(bytes, start + 12..<start + Geometry.unit)
            else { return .unreadable }
            let version = try reader.fixed(UInt16.self)
            if version > SegmentHeader.version { return .newer(version: version) }
            guard let kind = SegmentKind(rawValue: try reader.byte()) else { return .unreadable }
            let flags = try reader.byte()
            let isFlagged = version >= SegmentHeader.packedVersion
            let mayHoldGroups =
                isFlagged ? flags & SegmentHeader.groupsFlag != 0 : version == SegmentHeader.groupsVersion
            let store = StoreID(high: try reader.fixed(UInt64.self), low: try reader.fixed(UInt64.self))
            let generation = try reader.fixed(UInt64.self)
            let index = Int(try reader.fixed(UInt32.self))
            let segments = Int(try reader.fixed(UInt32.self))
            let segmentBytes = Int(try reader.fixed(UInt32.self))
            let blockBytes = Int(try reader.fixed(UInt32.self))
            guard segmentBytes % Geometry.unit == 0, blockBytes % Geometry.unit == 0, blockBytes >= 2 * Geometry.unit,
                segmentBytes >= Geometry.headerBytes + 2 * blockBytes, segmentBytes <= 65_535 * Geometry.unit
            else { return .unreadable }
            let header = SegmentHeader(
                store: store, kind: kind, generation: generation, index: index, segments: segments,
                geometry: Geometry(segmentBytes: segmentBytes, blockBytes: blockBytes),
                log: LogID(try reader.fixed(UInt64.self)), next: Offset(try reader.fixed(UInt64.self)),
                mayHoldCopies: version >= SegmentHeader.groupsVersion
                    ? flags & SegmentHeader.copiesFlag != 0 : version >= SegmentHeader.copiesVersion,
                mayHoldGroups: mayHoldGroups, mayHoldPacked: isFlagged && flags & SegmentHeader.packedFlag != 0)
            return .found(header, spoiled: 0)
        } catch {
            return .unreadable
        }
    }
}
