import Environment
import LogFormat
import Model
import Testing

/// Decoders of everything that comes from a disk or a peer, fed with golden bytes that have been spoiled, a right checksum put under them:
/// each ends in a value that can be used or in an error. A trap would end the test process.
struct MutationTests {
    /// Turns bits over, fills, doubles, swaps and cuts, some times in a row.
    private func spoil(_ bytes: inout [UInt8], from start: Int, _ random: inout SeededRandom) {
        for _ in 0...Int(random.next() % 5) where bytes.count > start + 10 {
            let place = start + Int(random.next() % UInt64(bytes.count - start - 9))
            switch random.next() % 7 {
            case 0: bytes[place] ^= 1 << (random.next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 2: for index in 0..<9 { bytes[place + index] = 0xFF }
            case 3: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][Int(random.next() % 5)]
            case 4: bytes.swapAt(place, place + Int(random.next() % 9))
            case 5: bytes.insert(bytes[place + 3], at: place)
            default: bytes.remove(at: place)
            }
        }
    }

    /// Makes length and checksum of a block right again.
    private func seal(_ bytes: inout [UInt8]) {
        let payload = bytes.count - BlockHeader.bytes
        for index in 0..<4 { bytes[32 + index] = UInt8(truncatingIfNeeded: payload >> (8 * index)) }
        let checksum = CRC32C.checksum(bytes, 8..<bytes.count)
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8)) }
    }

    @Test
    func `a spoiled chunk is refused or is one that a ring can store`() {
        var random = SeededRandom(seed: 71)
        let golden = Golden.bytes(of: Golden.chunk)
        var decoded = 0
        for _ in 0..<8000 {
            var bytes = golden
            spoil(&bytes, from: random.next() % 8 == 0 ? 12 : BlockHeader.bytes, &random)
            seal(&bytes)
            guard let chunk = try? LogChunk.decode(bytes) else { continue }
            decoded += 1
            #expect(!chunk.readings.isEmpty && chunk.first < chunk.range.upperBound)
            let again = LogChunk.encode(
                name: chunk.name, first: chunk.first, readings: chunk.readings, anchors: chunk.anchors)
            #expect(again.count == chunk.readings.count)
            _ = RunDigest(log: chunk.name.log, first: chunk.first, readings: chunk.readings)
        }
        #expect(decoded > 500, "\(decoded)")
    }

    @Test
    func `a spoiled block is refused or read`() throws {
        var random = SeededRandom(seed: 72)
        let golden = Golden.bytes(of: Golden.block)
        let table = GoldenTests().sample.dictionary.table
        var (decoded, records) = (0, 0)
        for _ in 0..<8000 {
            var bytes = golden
            spoil(&bytes, from: random.next() % 8 == 0 ? 12 : BlockHeader.bytes, &random)
            seal(&bytes)
            guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: 16),
                let frame = try? BlockFrame(bytes, at: 0, header: header)
            else { continue }
            records += frame.records.count
            for run in frame.runs { #expect(run.range.lowerBound < run.range.upperBound) }
            guard let readings = try? frame.readings(table) else { continue }
            decoded += 1
            for reading in readings { _ = reading?.stamp.wall }
        }
        #expect(decoded > 500 && records > 500, "\(decoded), \(records)")
    }

    @Test
    func `a spoiled merged block is refused or read`() throws {
        var random = SeededRandom(seed: 75)
        var trace = ColdTrace(seed: 75)
        let samples = [ColdSample(GoldenTests().readings, first: 300), ColdSample(trace.readings(30))]
        var (decoded, refused) = (0, 0)
        for round in 0..<12_000 {
            let sample = samples[round % 2]
            var bytes = Array(sample.blocks[0].bytes.prefix(sample.blocks[0].used))
            spoil(&bytes, from: random.next() % 8 == 0 ? 12 : BlockHeader.bytes, &random)
            seal(&bytes)
            guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: 16),
                let frame = try? BlockFrame(bytes, at: 0, header: header)
            else { continue }
            guard let readings = try? frame.readings(sample.dictionary.table) else {
                refused += 1
                continue
            }
            decoded += 1
            #expect(readings.count == header.readings)
            for reading in readings { _ = reading?.stamp.wall }
        }
        #expect(decoded > 500 && refused > 500, "\(decoded), \(refused)")
    }

    @Test
    func `a spoiled segment header is refused, or one whose geometry can be used`() {
        var random = SeededRandom(seed: 73)
        var found = 0
        for golden in [Golden.header, Golden.copiesHeader] {
            for _ in 0..<2000 {
                var copy = Golden.bytes(of: golden)
                spoil(&copy, from: 12, &random)
                copy += [UInt8](repeating: 0, count: max(0, Geometry.unit - copy.count))
                let checksum = CRC32C.checksum(copy, 12..<Geometry.unit)
                for index in 0..<4 { copy[8 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8)) }
                guard case .found(let header, _) = SegmentHeaderState.read(copy + copy) else { continue }
                found += 1
                #expect(header.geometry.segmentUnits > Geometry.firstUnit)
            }
        }
        #expect(found > 100, "\(found)")
    }

    @Test
    func `a spoiled footer is refused, or names blocks that lie in the segment`() {
        var random = SeededRandom(seed: 74)
        let content = Golden.bytes(of: Golden.footer)
        var found = 0
        for _ in 0..<5000 {
            var block = content
            // The bytes checked in are padded with zeros behind the footer's content.
            block.removeLast(content.count - BlockHeader.bytes - Golden.footerPayload)
            spoil(&block, from: BlockHeader.bytes, &random)
            seal(&block)
            let payload = block.count - BlockHeader.bytes
            block += [UInt8](repeating: 0, count: Geometry.unit - block.count)
            var end = Golden.bytes(of: Golden.footerEnd)
            let length = BlockHeader.bytes + 8
            for index in 0..<8 { end[length + index] = UInt8(truncatingIfNeeded: payload >> (8 * index)) }
            // Which block comes before shows in the chain.
            for index in 0..<4 { end[12 + index] = block[4 + index] }
            seal(&end)
            end += [UInt8](repeating: 0, count: Geometry.unit - end.count)
            guard let footer = Footer.read(block + end, store: store, generation: 9, geometry: geometry)
            else { continue }
            found += 1
            for entry in footer.blocks { #expect(entry.unit + entry.units <= geometry.segmentUnits) }
        }
        #expect(found > 100, "\(found)")
    }
}
