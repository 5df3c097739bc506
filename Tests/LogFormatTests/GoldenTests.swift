import LogFormat
import Model
import Testing

/// Bytes as the first version wrote them. A change here means that rings in the field cannot be read any more: it needs a new
/// ``SegmentHeader/version`` and a reader for the old one.
struct GoldenTests {
    let readings: [Reading] = [
        Reading(series: series("soil-3", "moisture", "%"), stamp: stamp(1_000_000), value: .number(41.2)),
        Reading(series: series("soil-3", "DS18B20.Temperature", "°C"), stamp: stamp(1_000_000), value: .number(-3.25)),
        Reading(
            series: series("door", "level"), stamp: stamp(1_250_321), value: .flag(true), quality: .edgesMissed,
            deviceTime: Milliseconds(1_763_700_000_250)),
        Reading(series: series("soil-3", "moisture", "%"), stamp: stamp(2_000_007), value: .number(41.3)),
        Reading(
            series: series("plug", "state"), stamp: stamp(2_000_007, offset: 5, trusted: false), value: .text("Online"),
            quality: .clockUnsynced),
        Reading(series: series("raw", "x"), stamp: stamp(2_100_000), value: .number(.pi)),
    ]

    private var manyReadings: [Reading] {
        (0..<700).map { (index: Int) -> Reading in
            let jitter: Int = index * index % 997
            let tenths: Int = index * 7919 % 1000
            return Reading(
                series: series("soil-\(index % 100)", "moisture", "%"),
                stamp: stamp(Int64(1_000_000 + jitter + index * 1000)),
                value: .number(Double(tenths) / 10))
        }
    }

    var sample: Sample {
        Sample(
            readings,
            records: [
                .state(StateKey(1, "cloud"), [7]), .gap(Gap(log: log, range: Offset(3)..<Offset(5), reason: .evicted)),
                .log(LogRecord(log: log, end: Offset(300), isClosed: true)),
                .anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(-1))),
                .repeatedMark(DeliveryMark(session: "local", message: 9, hash: 0x01_0203_0405)),
            ], mark: DeliveryMark(session: "local", message: 10, hash: 0x0A_0B0C_0D0E), first: 300)
    }

    @Test
    func `a block is written as ever`() {
        #expect(Golden.hexadecimal(Array(sample.block.bytes.prefix(sample.block.used))) == Golden.block)
    }

    @Test(arguments: [Golden.firstBlock, Golden.singleMarksBlock, Golden.block])
    func `a block written by any version is read as ever`(golden: String) throws {
        let used = Golden.bytes(of: golden)
        let found = try frame(used + [UInt8](repeating: 0, count: Geometry.unit - used.count))
        #expect(try found.readings(sample.dictionary.table) == readings)
        #expect(
            found.records.suffix(2) == [
                .repeatedMark(DeliveryMark(session: "local", message: 9, hash: 0x01_0203_0405)),
                .mark(DeliveryMark(session: "local", message: 10, hash: 0x0A_0B0C_0D0E)),
            ])
        #expect(found.records.count == 6)
        #expect(found.runs.map { $0.range } == [Offset(300)..<Offset(306)])
        #expect(
            found.definitions.map { $0.definition.series.device.rawValue } == [
                "soil-3", "soil-3", "door", "plug", "raw",
            ])
    }

    /// What zlib writes may differ from one version of it to the next.
    @Test
    func `a packed block is read as ever`() throws {
        let many = manyReadings
        let used = Golden.bytes(of: Golden.packedBlock)
        #expect(used.count < Geometry.unit)
        let found = try frame(used + [UInt8](repeating: 0, count: Geometry.unit - used.count))
        var table = SeriesTable()
        for (index, definition) in found.definitions { table.define(index, definition) }
        #expect(try found.readings(table) == many)
    }

    @Test
    func `a merged block is written and read as ever`() throws {
        let sample = ColdSample(readings, first: 300)
        #expect(Golden.hexadecimal(Array(sample.blocks[0].bytes.prefix(sample.blocks[0].used))) == Golden.coldBlock)
        let used = Golden.bytes(of: Golden.coldBlock)
        let found = try frame(used + [UInt8](repeating: 0, count: Geometry.unit - used.count))
        #expect(try found.readings(sample.dictionary.table) == readings)
        #expect(found.runs.map { $0.range } == [Offset(300)..<Offset(306)])
    }

    @Test
    func `a segment header is written as ever`() {
        let header = SegmentHeader(
            store: store, kind: .hot, generation: 7, index: 2, segments: 16, geometry: .standard, log: log,
            next: Offset(99))
        #expect(Golden.hexadecimal(Array(header.encoded().prefix(72))) == Golden.header)
    }

    @Test
    func `a header of a segment that may hold packed blocks is written as ever`() {
        let header = SegmentHeader(
            store: store, kind: .hot, generation: 7, index: 2, segments: 16, geometry: .standard, log: log,
            next: Offset(99), mayHoldCopies: true, mayHoldPacked: true)
        #expect(Golden.hexadecimal(Array(header.encoded().prefix(72))) == Golden.packedHeader)
        #expect(SegmentHeaderState.read(header.encoded()) == .found(header, spoiled: 0))
    }

    @Test
    func `a footer is written as ever`() {
        let footer = Footer(
            blocks: [BlockEntry(unit: 2, units: 1, runs: sample.block.runs)], table: sample.dictionary.table)
        let (position, bytes) = footer.encoded(store: store, generation: 9, geometry: geometry)
        #expect(position == geometry.segmentBytes - 2 * Geometry.unit)
        #expect(Golden.hexadecimal(Array(bytes[0..<220])) == Golden.footer)
        #expect(Golden.hexadecimal(Array(bytes[Geometry.unit..<Geometry.unit + 80])) == Golden.footerEnd)
    }

    @Test
    func `a header of a segment that may hold copies is written as ever`() {
        let header = SegmentHeader(
            store: store, kind: .hot, generation: 7, index: 2, segments: 16, geometry: .standard, log: log,
            next: Offset(99), mayHoldCopies: true)
        #expect(Golden.hexadecimal(Array(header.encoded().prefix(72))) == Golden.copiesHeader)
        #expect(SegmentHeaderState.read(header.encoded()) == .found(header, spoiled: 0))
    }

    @Test
    func `a chunk is written and read as ever`() throws {
        let name = LogName(node: NodeID(high: 0x0A0B_0C0D, low: 0x0E0F), log: log)
        let anchor = ClockAnchor(boot: boot, wallOffset: Microseconds(-1))
        let (bytes, count) = LogChunk.encode(name: name, first: Offset(300), readings: readings, anchors: [anchor])
        #expect(count == readings.count)
        #expect(Golden.hexadecimal(bytes) == Golden.chunk)
        let chunk = try LogChunk.decode(Golden.bytes(of: Golden.chunk))
        #expect(chunk.name == name && chunk.first == Offset(300) && chunk.anchors == [anchor])
        #expect(zip(chunk.readings, readings).allSatisfy { isSame($0, $1) } && chunk.readings.count == readings.count)
    }
}
