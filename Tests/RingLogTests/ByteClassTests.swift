import LogFormat
import Model
import RingLog
import Simulator
import Testing

/// Damage to every kind of byte that a ring has: the start is never refused, nothing wrong is ever read, and the loss stays where the damage is.
struct ByteClassTests {
    /// What a byte of the ring is for. Positions are bytes from the start of the header copy or of the block.
    enum Field: String, CaseIterable, Sendable {
        case headerMagic, headerChecksum, headerVersion, headerKind, headerStore, headerGeneration, headerIndex
        case headerSegments, headerGeometry, headerLog, headerNext, headerPadding
        case blockMagic, blockChecksum, blockStore, blockPrevious, blockGeneration, blockIndex, blockUnits, blockKind
        case blockFlags, blockPayloadLength, blockCount, blockFirst, blockTimes, blockPayload, blockPadding
        case footer, footerEnd

        var isOfHeader: Bool { rawValue.hasPrefix("header") }
        var isOfFooter: Bool { rawValue.hasPrefix("footer") }

        /// Where it lies, in a block with so many bytes of payload.
        func bytes(payload: Int, units: Int) -> Range<Int> {
            switch self {
            case .headerMagic: 0..<8
            case .headerChecksum: 8..<12
            case .headerVersion: 12..<14
            case .headerKind: 14..<16
            case .headerStore: 16..<32
            case .headerGeneration: 32..<40
            case .headerIndex: 40..<44
            case .headerSegments: 44..<48
            case .headerGeometry: 48..<56
            case .headerLog: 56..<64
            case .headerNext: 64..<72
            case .headerPadding: 72..<Geometry.unit
            case .blockMagic: 0..<4
            case .blockChecksum: 4..<8
            case .blockStore: 8..<12
            case .blockPrevious: 12..<16
            case .blockGeneration: 16..<24
            case .blockIndex: 24..<28
            case .blockUnits: 28..<30
            case .blockKind: 30..<31
            case .blockFlags: 31..<32
            case .blockPayloadLength: 32..<36
            case .blockCount: 36..<40
            case .blockFirst: 40..<48
            case .blockTimes: 48..<64
            case .blockPayload, .footer, .footerEnd: BlockHeader.bytes..<BlockHeader.bytes + payload
            case .blockPadding: BlockHeader.bytes + payload..<units * Geometry.unit
            }
        }
    }

    /// A block with readings, or a part of a footer, as it lies on the disk.
    private struct Place {
        let segment: Int
        let position: Int
        let header: BlockHeader
        let hasFooter: Bool
    }

    /// A ring with open, sealed, merged and reused segments.
    private func filled() throws -> Rig {
        let rig = try Rig(segments: 12, options: tinyOptions())
        for index in 0..<70 {
            rig.uptime += 1_000_000
            try rig.append((0..<4).map { reading("d\($0)", .number(Double(index) / 3), at: rig.uptime + Int64($0)) })
            rig.commitAll(maintain: true)
            if index == 40 { try rig.cutPower { _ in false } }
        }
        rig.check()
        #expect(rig.evicted > 0 || rig.ring.statistics.coldSegments > 1)
        return rig
    }

    private let size = tinyOptions().geometry.segmentBytes

    private func places(_ contents: [UInt8]) -> [Place] {
        var found: [Place] = []
        for segment in 0..<contents.count / size {
            let start = segment * size
            let header = SegmentHeaderState.read(Array(contents[start..<start + Geometry.headerBytes]))
            guard case .found(let header, _) = header else { continue }
            var blocks: [(position: Int, header: BlockHeader)] = []
            var position = start + Geometry.headerBytes
            while position < start + size {
                let limit = (start + size - position) / Geometry.unit
                if case .whole(let block, _) = BlockState.read(
                    contents, at: position, store: header.store, limit: limit),
                    block.generation == header.generation
                {
                    blocks.append((position, block))
                    position += block.units * Geometry.unit
                } else {
                    position += Geometry.unit
                }
            }
            let hasFooter = blocks.contains { $0.header.kind == .footerEnd }
            found += blocks.map {
                Place(segment: segment, position: $0.position, header: $0.header, hasFooter: hasFooter)
            }
        }
        return found
    }

    /// Restarts on what `change` has made of the contents, reads everything, and checks that what is missing is named.
    private func lost(_ rig: Rig, _ change: (inout [UInt8]) -> Void) throws -> Int {
        let spoiled = Rig(forking: rig)
        var contents = spoiled.disk.contents
        change(&contents)
        (spoiled.puts, spoiled.marks, spoiled.acknowledged) = ([:], [], [:])
        try spoiled.restart(on: SimulatedDisk(contents: contents))
        for check in spoiled.ring.scrubPlans {
            let result = check.perform(on: spoiled.disk)
            #expect(result.failure == nil)
            spoiled.note(spoiled.ring.noteDamage(result.damage))
        }
        spoiled.check(allowsDamage: true)
        try spoiled.append([reading("after", .number(1), at: 1)])
        spoiled.commitAll()
        spoiled.check(allowsDamage: true)
        return spoiled.ring.logs.reduce(0) { $0 + damaged(spoiled, $1.log) }
    }

    private func damaged(_ rig: Rig, _ log: LogID) -> Int {
        rig.ring.gaps(of: log).filter { $0.reason == .damaged }.reduce(0) {
            $0 + $1.range.lowerBound.distance(to: $1.range.upperBound)
        }
    }

    @Test(arguments: Field.allCases)
    func `a flipped bit costs what it hits and no more`(in field: Field) throws {
        let rig = try filled()
        let contents = rig.disk.contents
        let places = places(contents)
        if field.isOfHeader {
            for segment in Set(places.map(\.segment)).sorted() {
                let bytes = field.bytes(payload: 0, units: 1)
                for (copies, byte) in [
                    ([0], bytes.lowerBound), ([1], bytes.upperBound - 1), ([0, 1], bytes.lowerBound),
                ] {
                    let lost = try lost(rig) { contents in
                        for copy in copies { contents[segment * size + copy * Geometry.unit + byte] ^= 0x11 }
                    }
                    #expect(lost == 0, "copies \(copies), byte \(byte) of segment \(segment)")
                }
            }
            return
        }
        let kinds: [BlockHeader.Kind] =
            switch field {
            case .footer: [.footer]
            case .footerEnd: [.footerEnd]
            default: [.hot, .cold]
            }
        var hits = 0
        for place in places where kinds.contains(place.header.kind) && (hits < 40 || place.header.kind == .cold) {
            let bytes = field.bytes(payload: place.header.payload, units: place.header.units)
            guard !bytes.isEmpty else { continue }
            hits += 1
            let byte = bytes.lowerBound + hits * 7 % bytes.count
            let lost = try lost(rig) { $0[place.position + byte] ^= 1 << UInt8(hits % 8) }
            // A footer is replaced by its blocks; of padding nobody takes notice; without a footer the names that a block defines go with it.
            let segment = places.filter { $0.segment == place.segment }.reduce(0) { $0 + $1.header.readings }
            let most =
                field.isOfFooter || field == .blockPadding ? 0 : place.hasFooter ? place.header.readings : segment
            #expect(lost <= most, "byte \(byte) of the block at \(place.position), \(place.header)")
        }
        #expect(hits > 0)
    }

    @Test
    func `zeroed, swapped, misdirected and stale blocks cost themselves`() throws {
        let rig = try filled()
        let contents = rig.disk.contents
        let blocks = places(contents).filter { $0.header.readings > 0 }
        func bytes(_ place: Place) -> Range<Int> {
            place.position..<place.position + place.header.units * Geometry.unit
        }
        for (index, place) in blocks.enumerated() {
            let segment = blocks.filter { $0.segment == place.segment }.reduce(0) { $0 + $1.header.readings }
            #expect(try lost(rig) { for byte in bytes(place) { $0[byte] = 0 } } <= segment)
            let other = blocks[(index + 5) % blocks.count]
            guard other.header.units == place.header.units, other.position != place.position else { continue }
            // A write that went astray: the block is there twice, and another one not at all.
            #expect(try lost(rig) { $0.replaceSubrange(bytes(place), with: contents[bytes(other)]) } <= segment)
            _ = try lost(rig) {
                $0.replaceSubrange(bytes(place), with: contents[bytes(other)])
                $0.replaceSubrange(bytes(other), with: contents[bytes(place)])
            }
        }
    }

    @Test
    func `a segment that an earlier day comes back in brings nothing wrong`() throws {
        let rig = try Rig(segments: 12, options: tinyOptions())
        var days: [[UInt8]] = []
        for index in 0..<150 {
            rig.uptime += 1_000_000
            try rig.append((0..<4).map { reading("d\($0)", .number(Double(index) / 3), at: rig.uptime + Int64($0)) })
            rig.commitAll(maintain: true)
            if index % 25 == 10 { days.append(rig.disk.contents) }
        }
        for day in days {
            for segment in 0..<12 {
                _ = try lost(rig) { contents in
                    let range = segment * size..<(segment + 1) * size
                    contents.replaceSubrange(range, with: day[range])
                }
            }
        }
    }
}
