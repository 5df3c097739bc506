import LogFormat
import Model
import Testing

/// Bytes as the first version wrote them. A change here means that rings in the field cannot be read any more: it needs a new
/// ``SegmentHeader/version`` and a reader for the old one.
struct GoldenTests {
    private let readings: [Reading] = [
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

    private var sample: Sample {
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
        #expect(hexadecimal(Array(sample.block.bytes.prefix(sample.block.used))) == Self.block)
    }

    @Test
    func `a block written by the first version is read as ever`() throws {
        let used = bytes(of: Self.block)
        let found = try frame(used + [UInt8](repeating: 0, count: Geometry.unit - used.count))
        #expect(try found.readings(sample.dictionary.table) == readings)
        #expect(found.records.count == 6)
        #expect(found.runs.map { $0.range } == [Offset(300)..<Offset(306)])
        #expect(
            found.definitions.map { $0.definition.series.device.rawValue } == [
                "soil-3", "soil-3", "door", "plug", "raw",
            ])
    }

    @Test
    func `a segment header is written as ever`() {
        let header = SegmentHeader(
            store: store, kind: .hot, generation: 7, index: 2, segments: 16, geometry: .standard, log: log,
            next: Offset(99))
        #expect(hexadecimal(Array(header.encoded().prefix(72))) == Self.header)
    }

    @Test
    func `a footer is written as ever`() {
        let footer = Footer(
            blocks: [BlockEntry(unit: 2, units: 1, runs: sample.block.runs)], table: sample.dictionary.table)
        let (position, bytes) = footer.encoded(store: store, generation: 9, geometry: geometry)
        #expect(position == geometry.segmentBytes - 2 * Geometry.unit)
        #expect(hexadecimal(Array(bytes[0..<220])) == Self.footer)
        #expect(hexadecimal(Array(bytes[Geometry.unit..<Geometry.unit + 80])) == Self.footerEnd)
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(of text: String) -> [UInt8] {
        let digits = Array(text.utf8).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    // MARK: Bytes

    private static let block = """
        4376423127e60771181716158147f38f090000000000000000000000010001002e010000060000002c01000000000000d007\
        000000000000344db6a49a0100000257008106736f696c2d33086d6f6973747572650125018206736f696c2d331344533138\
        4232302e54656d706572617475726503c2b043020004646f6f72056c6576656c030004706c75670573746174650400037261\
        7701780334010105636c6f75640107028967452301efcdab030201038967452301efcdabac02010403000000000000000400\
        00000000000001040c29056c6f63616c0e0d0c0b0a0c0c25056c6f63616c050403020101138967452301efcdabac020ca01f\
        e48ad9a5aa330522010300000000000000040000000000000080a0ecffec84a20602f59fecffec84a2060604010404020706\
        000502060c04080f0080897a00a2c71eecc15b00b29a0c0918f00c920a070409064f6e6c696e650300182d4454fb2109400a\
        060201020101010b0702f497b2cbd466
        """
    private static let header = """
        434f564559524e477f0714040100010008070605040302011817161514131211070000000000000002000000100000000000\
        4000000001008967452301efcdab6300000000000000
        """
    private static let footer = """
        437642315dc33ebf181716158147f38f090000000000000000000000010003006e0000000000000000000000000000000000\
        0000000000000000000000000000010201018967452301efcdabac020ca01fe48ad9a5aa33008106736f696c2d33086d6f69\
        73747572650125018206736f696c2d3313445331384232302e54656d706572617475726503c2b043020004646f6f72056c65\
        76656c030004706c756705737461746504000372617701780000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000
        """
    private static let footerEnd = """
        43764231ae55b230181716155dc33ebf09000000000000000100000001000400100000000000000000000000000000000000\
        000000000000000000000000000000e00000000000006e00000000000000
        """
}
