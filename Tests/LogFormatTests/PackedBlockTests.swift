import Environment
import Model
import Testing

@testable import LogFormat

/// Blocks in the form that saves a unit, beside the plain form of the same readings.
struct PackedBlockTests {
    /// A second of a site: each sensor once, at a moment of its own.
    private func second(of sensors: Int, seed: UInt64, text: Bool = false) -> [Reading] {
        var random = SeededRandom(seed: seed)
        var uptime: Int64 = 7_000_000
        return (0..<sensors).map { index in
            uptime += Int64(random.next() % 2000)
            let number = Double(Int64(random.next() % 4000)) / 10
            return Reading(
                series: series("sensor-\((index &* 17) % sensors)", "temperature", "°C"), stamp: stamp(uptime),
                value: text ? .text("Online, \(number) degrees") : .number(number))
        }
    }

    /// The block as it is written to a ring, the plain form of the same, and the dictionary of both.
    private func both(
        _ readings: [Reading], records: [Record] = [], isMarked: Bool = false
    ) -> (block: EncodedBlock, plain: EncodedBlock, dictionary: SeriesDictionary) {
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: 64 << 10, room: 4 << 20, footerRuns: 0, geometry: .standard)
        for record in records { precondition(builder.add(record), "\(record) does not fit") }
        for (index, reading) in readings.enumerated() {
            let mark = DeliveryMark(session: "local", message: UInt16(index), hash: UInt64(index) &* 0x9E37_79B9)
            let fits = builder.add(reading, log: log, at: Offset(UInt64(index)), mark: isMarked ? mark : nil)
            precondition(fits, "reading \(index) does not fit")
        }
        let header = BlockHeader(kind: .hot, previous: BlockHeader.chainStart(of: 9), generation: 9, index: 0)
        return (
            builder.finish(header, store: store), builder.finish(header, store: store, isAlone: true),
            builder.dictionary
        )
    }

    @Test(arguments: [false, true])
    func `a block that takes a unit less packed is packed, and says the same`(isText: Bool) throws {
        for seed in UInt64(1)...5 {
            let readings = second(of: 600, seed: seed, text: isText)
            let (block, plain, dictionary) = both(readings, isMarked: true)
            #expect(block.units < plain.units && block.used < plain.used)
            let (packed, same) = (try frame(block.bytes), try frame(plain.bytes))
            #expect(try packed.readings(dictionary.table) == readings)
            #expect(packed.records == same.records && packed.records.count == readings.count)
            #expect(packed.runs == same.runs)
            #expect(packed.definitions.map(\.index) == same.definitions.map(\.index))
            #expect(try packed.readings(dictionary.table, at: 200..<230) == Array(readings[200..<230]))
        }
    }

    @Test
    func `readings of every kind come back to the last bit, packed and plain`() throws {
        var packed = 0
        for seed in UInt64(1)...60 {
            let readings = mixedReadings(seed: seed, count: 60 + Int(seed) * 12)
            let (block, plain, dictionary) = both(readings, isMarked: seed % 2 == 0)
            if block.units < plain.units { packed += 1 }
            #expect(block.units <= plain.units)
            let decoded = try frame(block.bytes).readings(dictionary.table)
            #expect(decoded.count == readings.count && !decoded.contains(nil))
            #expect(zip(decoded.compactMap { $0 }, readings).allSatisfy { isSame($0, $1) }, "seed \(seed)")
        }
        #expect(packed > 20)
    }

    @Test
    func `small records alone are packed, as names repeat themselves`() throws {
        let records: [Record] = (0..<500).map { .state(StateKey(3, "cloud\nsensor-\($0)"), [1, 2, UInt8($0 % 251)]) }
        let (block, plain, _) = both([], records: records)
        #expect(block.units * 2 <= plain.units)
        #expect(try frame(block.bytes).records == records)
    }

    @Test
    func `a block of one unit, and one that a full mailbox fills, stay plain`() throws {
        for readings in [mixedReadings(seed: 1, count: 20), second(of: PackedPayload.mostReadings + 1, seed: 2)] {
            let sample = both(readings)
            // Every ring's block tells what it takes its names from; nothing else may differ.
            let names = 2 + 4
            #expect(sample.block.used == sample.plain.used + names)
            #expect(try frame(sample.block.bytes).readings(sample.dictionary.table) == readings)
        }
    }

    @Test
    func `those who want readings alone, and of some series, get the same of a packed block`() throws {
        let readings = second(of: 600, seed: 3)
        let (block, _, dictionary) = both(readings, isMarked: true)
        guard case .whole(let header, _) = BlockState.read(block.bytes, at: 0, store: store, limit: 16) else {
            Issue.record("no block")
            return
        }
        let alone = try BlockFrame(block.bytes, at: 0, header: header, readingsAlone: true)
        #expect(alone.records.isEmpty && alone.definitions.isEmpty)
        var wanted = [Bool](repeating: false, count: dictionary.table.definitions.count)
        wanted[5] = true
        var found: [Reading?] = []
        try alone.forEach(dictionary.table, at: 0..<readings.count, wanted: wanted) { found.append($1) }
        #expect(found == readings.filter { $0.series == dictionary.table[5]?.series })
        #expect(found.count == 1)
    }

    // MARK: Any bytes

    private func block(_ payload: [UInt8], readings: Int = 0) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BlockHeader.bytes) + payload
        var header = BlockHeader(kind: .hot, previous: 0, generation: 9, index: 0)
        header.readings = readings
        _ = header.seal(&bytes, store: store)
        return bytes
    }

    @Test
    func `squeezed bytes that hold squeezed ones, claim more or less than there is, or are none, are refused`() throws {
        let inner = try #require(Deflate.squeezed([UInt8](repeating: 7, count: 3000)))
        var nested: [UInt8] = []
        BlockPayload.append(.squeezedColumns, inner, to: &nested)
        func claiming(_ head: [UInt8]) -> [UInt8] { head + Array(inner.dropFirst(2)) }
        let twice: [UInt8] = try #require(Deflate.squeezed(nested))
        let claims: [(name: String, bytes: [UInt8])] = [
            ("nested", twice), ("nothing", []), ("no stream", [5, 1, 2, 3]), ("cut", Array(inner.dropLast(3))),
            ("too little", claiming([0x10])), ("too much", claiming([0xFF, 0xFF, 0x3F])),
            ("beyond the limit", claiming([0xFF, 0xFF, 0xFF, 0xFF, 0x0F])),
        ]
        for (name, bytes) in claims {
            // An empty section cannot be said by the writer's function.
            var payload: [UInt8] = [Section.squeezedColumns.rawValue]
            payload.append(blob: bytes)
            #expect(throws: FormatError.self, "\(name)") { try frame(block(payload)) }
        }
        #expect(try Deflate.unsqueezed(ByteReader(inner, 0..<inner.count), limit: 3000).count == 3000)
        #expect(throws: FormatError.self) { try Deflate.unsqueezed(ByteReader(inner, 0..<inner.count), limit: 2999) }
    }

    @Test
    func `any bytes in the place of packed columns and marks are decoded or refused`() throws {
        var random = SeededRandom(seed: 12)
        let readings = second(of: 200, seed: 4)
        let sample = both(readings, isMarked: true)
        var plain: [PackedPayload.Part] = []
        var reader = ByteReader(sample.plain.bytes, BlockHeader.bytes..<sample.plain.used)
        while !reader.isAtEnd {
            let section = try #require(Section(rawValue: try reader.byte()))
            plain.append((section, try reader.blob(limit: 1 << 20, "section")))
        }
        let packed = try #require(PackedPayload.packed(plain, readings: 200, bytes: 64 << 10))
        var decoded = 0
        for _ in 0..<5000 {
            var bytes = packed
            for _ in 0...Int(random.next() % 4) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let frame = try? frame(block(bytes, readings: 200)) else { continue }
            if (try? frame.readings(sample.dictionary.table)) != nil { decoded += 1 }
        }
        #expect(decoded > 0)
        #expect(try frame(block(packed, readings: 200)).readings(sample.dictionary.table) == readings)
    }
}
