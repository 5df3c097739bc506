import Environment
import LogFormat
import Model
import Testing

struct PageTests {
    private func items(_ count: Int, seed: UInt64) -> [ReadingPage.Item] {
        mixedReadings(seed: seed, count: count).enumerated().map { index, reading in
            let name = LogName(node: NodeID(high: 1, low: UInt64(index % 3)), log: LogID(UInt64(10 + index % 3)))
            return ReadingPage.Item(name: name, offset: Offset(UInt64(index * 2)), reading: reading)
        }
    }

    @Test
    func `a page brings readings of several logs back, with their places and the anchors they need`() throws {
        let items = items(600, seed: 51)
        let anchor = ClockAnchor(boot: boot, wallOffset: Microseconds(1_763_700_000_000_000))
        let other = ClockAnchor(boot: BootID(high: 9, low: 9), wallOffset: Microseconds(1))
        let bytes = try #require(ReadingPage.encode(items.shuffled(), anchors: [other, anchor]))
        let page = try ReadingPage(decoding: bytes)
        let sorted = items.sorted { ($0.name, $0.offset) < ($1.name, $1.offset) }
        #expect(page.items.map(\.name) == sorted.map(\.name) && page.items.map(\.offset) == sorted.map(\.offset))
        #expect(zip(page.items, sorted).allSatisfy { isSame($0.reading, $1.reading) })
        #expect(page.anchors == [anchor])
    }

    @Test
    func `what does not fit makes no page`() {
        #expect(ReadingPage.encode(items(20_000, seed: 52), anchors: []) == nil)
    }

    @Test
    func `a page is no chunk and no block, and whatever else the bytes are they end in a page or an error`() throws {
        let bytes = try #require(ReadingPage.encode(items(40, seed: 53), anchors: []))
        #expect(throws: FormatError.self) { try LogChunk.decode(bytes) }
        let chunk = LogChunk.encode(
            name: LogName(node: NodeID(high: 1, low: 1), log: log), first: .zero,
            readings: mixedReadings(seed: 54, count: 9), anchors: [])
        #expect(throws: FormatError.self) { try ReadingPage(decoding: chunk.bytes) }
        #expect(throws: FormatError.self) { try ReadingPage(decoding: bytes + [0]) }
        var random = SeededRandom(seed: 55)
        for count in bytes.indices {
            #expect(throws: FormatError.self) { try ReadingPage(decoding: Array(bytes.prefix(count))) }
            var wrong = bytes
            wrong[count] ^= UInt8(1 << (random.next() % 8))
            #expect(throws: FormatError.self) { try ReadingPage(decoding: wrong) }
        }
    }
}
