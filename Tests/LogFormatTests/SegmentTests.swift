import Environment
import LogFormat
import Model
import Testing

struct SegmentTests {
    private let header = SegmentHeader(
        store: store, kind: .cold, generation: 42, index: 3, segments: 12, geometry: geometry, log: log,
        next: Offset(1000))

    @Test
    func `a segment header is read from either copy`() {
        var bytes = header.encoded()
        #expect(SegmentHeaderState.read(bytes) == .found(header, spoiled: 0))
        bytes[100] ^= 1
        #expect(SegmentHeaderState.read(bytes) == .found(header, spoiled: 1))
        bytes[Geometry.unit + 4000] ^= 1
        #expect(SegmentHeaderState.read(bytes) == .unreadable)
        #expect(SegmentHeaderState.read([UInt8](repeating: 0, count: Geometry.headerBytes)) == .blank)
    }

    @Test
    func `a header of a newer version is told from a spoiled one`() {
        var bytes = header.encoded()
        bytes[12] = 5
        #expect(SegmentHeaderState.read(bytes) == .found(header, spoiled: 1))
        let checksum = CRC32C.checksum(bytes, 12..<Geometry.unit)
        for index in 0..<4 { bytes[8 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8)) }
        #expect(SegmentHeaderState.read(bytes) == .newer(version: 5))
    }

    @Test(arguments: [false, true])
    func `a header tells what may be in its segment`(holdsCopies: Bool) {
        for (holdsGroups, holdsPacked) in [(false, false), (true, false), (false, true), (true, true)] {
            let header = SegmentHeader(
                store: store, kind: .cold, generation: 42, index: 3, segments: 12, geometry: geometry, log: log,
                next: Offset(1000), mayHoldCopies: holdsCopies, mayHoldGroups: holdsGroups, mayHoldPacked: holdsPacked)
            #expect(SegmentHeaderState.read(header.encoded()) == .found(header, spoiled: 0))
            // As old as may be, so that older programs read what they can.
            let version = holdsPacked ? 4 : holdsGroups ? 3 : holdsCopies ? 2 : 1
            #expect(header.encoded()[12] == UInt8(version))
        }
    }

    @Test
    func `a footer of many blocks and names comes back whole`() throws {
        let sample = Sample(mixedReadings(seed: 1, count: 40))
        var table = SeriesTable()
        for index in 0..<400 {
            table.define(index, SeriesDefinition(series: series("a-long-device-name-\(index)", "metric"), scale: 2))
        }
        let blocks = (2..<10).map { BlockEntry(unit: $0, units: 1, runs: sample.block.runs) }
        let (position, bytes) = Footer(blocks: blocks, table: table).encoded(
            store: store, generation: 9, geometry: geometry)
        #expect(position + bytes.count == geometry.segmentBytes)
        let last = Array(bytes.suffix(Geometry.unit))
        #expect(Footer.start(last, store: store, generation: 9, geometry: geometry) == position)
        #expect(Footer.start(last, store: store, generation: 8, geometry: geometry) == nil)
        let footer = try #require(Footer.read(bytes, store: store, generation: 9, geometry: geometry))
        #expect(footer.blocks == blocks)
        #expect(footer.table.definitions == table.definitions)
        let most = Footer.mostUnits(
            runs: blocks.count,
            dictionaryBytes: 400 * SeriesDefinition.mostBytes(of: series("a-long-device-name-399", "metric")),
            blockBytes: geometry.blockBytes)
        #expect(bytes.count <= most * Geometry.unit)
    }

    // MARK: The recovery table, row by row

    /// A segment of five chained one-unit blocks behind its header.
    private func segment(generation: UInt64 = 9) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: geometry.segmentBytes)
        var chain = BlockHeader.chainStart(of: generation)
        var dictionary = SeriesDictionary()
        for index in 0..<5 {
            var builder = BlockBuilder(
                dictionary: dictionary, capacity: 4096, room: geometry.segmentBytes, footerRuns: 0, geometry: geometry)
            precondition(
                builder.add(mixedReadings(seed: UInt64(index), count: 10), log: log, first: Offset(UInt64(index * 10))),
                "ten readings do not fit")
            dictionary = builder.dictionary
            let header = BlockHeader(
                kind: .hot, endsSnapshot: index == 0, previous: chain, generation: generation, index: index)
            let block = builder.finish(header, store: store)
            chain = block.checksum
            let start = (2 + index) * Geometry.unit
            bytes.replaceSubrange(start..<start + block.bytes.count, with: block.bytes)
        }
        return bytes
    }

    private func scan(_ bytes: [UInt8], generation: UInt64 = 9) -> SegmentScan {
        SegmentScan(bytes, store: store, generation: generation, geometry: geometry)
    }

    @Test
    func `an unbroken chain is good to its end`() {
        let scan = scan(segment())
        #expect(scan.blocks.map { $0.unit } == [2, 3, 4, 5, 6])
        #expect(scan.isSound && scan.tornTail == nil && scan.hasSnapshot)
        #expect(scan.endUnit == 7 && scan.nextIndex == 5)
    }

    @Test
    func `a bad block with a good one behind it is damage, and the rest serves`() {
        var bytes = segment()
        bytes[4 * Geometry.unit + 70] ^= 1
        let scan = scan(bytes)
        #expect(scan.damaged.first == 4 && scan.breaks == [5] && scan.tornTail == nil)
        // The block behind may need names that only the lost one gave; it is served only where it does not.
        #expect(scan.blocks.map { $0.unit }.starts(with: [2, 3]))
        #expect(!scan.blocks.contains { $0.unit == 4 })
        #expect(scan.nextIndex == 5)
    }

    @Test
    func `a bad block with none behind it is a torn tail`() {
        var bytes = segment()
        for index in 0..<512 { bytes[6 * Geometry.unit + 512 + index] = 0x5A }
        bytes[6 * Geometry.unit + 80] ^= 0xFF
        let scan = scan(bytes)
        #expect(scan.tornTail == 6 && scan.isSound)
        #expect(scan.endUnit == 6 && scan.nextIndex == 4)
    }

    @Test
    func `a zeroed block in the middle shows by the broken chain`() {
        var bytes = segment()
        for index in 0..<Geometry.unit { bytes[3 * Geometry.unit + index] = 0 }
        let scan = scan(bytes)
        #expect(scan.breaks == [4] && !scan.isSound)
    }

    @Test
    func `blocks of an earlier life end the segment`() {
        let old = segment(generation: 4)
        var bytes = segment()
        bytes.replaceSubrange(5 * Geometry.unit..<7 * Geometry.unit, with: old[5 * Geometry.unit..<7 * Geometry.unit])
        let scan = scan(bytes)
        #expect(scan.blocks.map { $0.unit } == [2, 3, 4])
        #expect(scan.isSound && scan.tornTail == nil && scan.endUnit == 5)
    }

    @Test
    func `a block that was written twice is passed over the second time`() {
        var bytes = segment()
        bytes.replaceSubrange(8 * Geometry.unit..<9 * Geometry.unit, with: bytes[3 * Geometry.unit..<4 * Geometry.unit])
        let scan = scan(bytes)
        #expect(scan.misplaced == [8] && scan.blocks.count == 5)
    }

    @Test
    func `a single bad block takes no names along`() {
        for bad in 2..<6 {
            var bytes = segment()
            bytes[bad * Geometry.unit + 70] ^= 1
            let scan = scan(bytes)
            #expect(scan.blocks.count == 4, "block \(bad)")
            #expect(scan.damaged == [bad])
        }
    }
}
