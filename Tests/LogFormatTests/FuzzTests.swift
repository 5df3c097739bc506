import Environment
import LogFormat
import Model
import Testing

/// Decoders end in a value or an error for any bytes: a trap would end the test process.
struct FuzzTests {
    /// Turns bits over, cuts, doubles and fills parts; then makes the checksum right again, so that the decoder behind it is met.
    private func mutate(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int(random.next() % 6) {
            let place = BlockHeader.bytes + Int(random.next() % 400)
            guard place < bytes.count - 8 else { continue }
            switch random.next() % 5 {
            case 0: bytes[place] ^= 1 << (random.next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes[place] = 0xFF
            case 3: for index in 0..<8 { bytes[place + index] = 0xFF }
            default: bytes[place] = bytes[place + 1]
            }
        }
        if random.next() % 8 == 0 { bytes[32] = UInt8(truncatingIfNeeded: random.next()) }
        if random.next() % 8 == 0 { bytes[36] = UInt8(truncatingIfNeeded: random.next()) }
        let payload = Int(bytes[32]) | Int(bytes[33]) << 8
        let end = min(BlockHeader.bytes + payload, bytes.count)
        let checksum = CRC32C.checksum(bytes, 8..<end)
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8)) }
        return bytes
    }

    @Test
    func `a block with any bytes under a right checksum is decoded or refused`() throws {
        var random = SeededRandom(seed: 99)
        let records: [Record] = [
            .state(StateKey(1, "a"), [1]), .gap(Gap(log: log, range: Offset(1)..<Offset(2), reason: .damaged)),
            .log(LogRecord(log: log, end: Offset(9), isClosed: false)),
            .anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(1))),
            .repeatedMark(DeliveryMark(session: "s", message: 1, hash: 2)),
        ]
        let sample = Sample(
            mixedReadings(seed: 8, count: 40), records: records, mark: DeliveryMark(session: "s", message: 1, hash: 3))
        var decoded = 0
        for _ in 0..<20_000 {
            let bytes = mutate(sample.block.bytes, &random)
            guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: 16),
                let frame = try? BlockFrame(bytes, at: 0, header: header)
            else { continue }
            for run in frame.runs { #expect(run.range.lowerBound < run.range.upperBound) }
            if let readings = try? frame.readings(sample.dictionary.table) {
                decoded += 1
                for reading in readings { _ = reading?.stamp.wall }
            }
        }
        #expect(decoded > 0)
    }

    @Test
    func `any bytes at all are no block, no header and no footer`() {
        var random = SeededRandom(seed: 5)
        for _ in 0..<300 {
            let bytes = (0..<Geometry.headerBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(BlockState.read(bytes, at: 0, store: store, limit: 2) == .other)
            #expect(SegmentHeaderState.read(bytes) == .unreadable)
            #expect(Footer.read(bytes, store: store, generation: 1, geometry: geometry) == nil)
        }
    }

    @Test
    func `a footer with any bytes under right checksums is read or refused`() {
        var random = SeededRandom(seed: 6)
        let sample = Sample(mixedReadings(seed: 9, count: 40))
        let entry = BlockEntry(unit: 2, units: 1, runs: sample.block.runs)
        let (_, bytes) = Footer(blocks: [entry, entry], table: sample.dictionary.table).encoded(
            store: store, generation: 9, geometry: geometry)
        for _ in 0..<5000 {
            let changed = mutate(bytes, &random)
            _ = Footer.read(changed, store: store, generation: 9, geometry: geometry)
            _ = Footer.start(changed, store: store, generation: 9, geometry: geometry)
        }
    }
}
