import Environment
import LogFormat
import Model
import Testing

private let name = LogName(node: NodeID(high: 0x0A0B, low: 0x0C0D), log: log)
private let anchor = ClockAnchor(boot: boot, wallOffset: Microseconds(1_763_700_000_000_000))

struct ChunkTests {
    @Test
    func `a chunk brings readings of every kind back, to the last bit, with name, place and anchors`() throws {
        let readings = mixedReadings(seed: 31, count: 500)
        let other = ClockAnchor(boot: BootID(high: 9, low: 9), wallOffset: Microseconds(1))
        let (bytes, count) = LogChunk.encode(
            name: name, first: Offset(77), readings: readings, anchors: [other, anchor])
        #expect(count == readings.count)
        let chunk = try LogChunk.decode(bytes)
        #expect(chunk.name == name && chunk.range == Offset(77)..<Offset(577))
        #expect(zip(chunk.readings, readings).allSatisfy { isSame($0, $1) })
        #expect(chunk.anchors == [anchor])
    }

    @Test
    func `readings whose clock was right bring no anchor`() throws {
        let readings = [Reading(series: series("a"), stamp: stamp(1), value: .number(1))]
        let (bytes, _) = LogChunk.encode(name: name, first: .zero, readings: readings, anchors: [anchor])
        #expect(try LogChunk.decode(bytes).anchors.isEmpty)
    }

    @Test(arguments: [700, 1100, 5000, 64 << 10, 1 << 20])
    func `a chunk keeps to its limit and says how far it came`(limit: Int) throws {
        let readings = mixedReadings(seed: 32, count: 12_000)
        var found: [Reading] = []
        while found.count < (limit < 6000 ? 200 : readings.count) {
            let (bytes, count) = LogChunk.encode(
                name: name, first: Offset(UInt64(found.count)), readings: Array(readings[found.count...]), anchors: [],
                limitBytes: limit)
            try #require(count > 0)
            #expect(bytes.count <= min(limit, LogChunk.mostBytes))
            let chunk = try LogChunk.decode(bytes)
            #expect(chunk.first == Offset(UInt64(found.count)) && chunk.readings.count == count)
            found += chunk.readings
        }
        #expect(zip(found, readings).allSatisfy { isSame($0, $1) })
    }

    @Test
    func `what does not fit or cannot be stored is not encoded`() {
        let reading = Reading(series: series("a"), stamp: stamp(1), value: .number(1))
        #expect(LogChunk.encode(name: name, first: .zero, readings: [reading], anchors: [], limitBytes: 100).count == 0)
        let long = Reading(series: series("a"), stamp: stamp(1), value: .text(String(repeating: "x", count: 9999)))
        let (_, count) = LogChunk.encode(name: name, first: .zero, readings: [reading, long, reading], anchors: [])
        #expect(count == 1)
    }

    @Test
    func `a block of a ring is no chunk, and a chunk with a byte more or less neither`() {
        let sample = Sample(mixedReadings(seed: 33, count: 9))
        #expect(throws: FormatError.self) { try LogChunk.decode(sample.block.bytes) }
        let (bytes, _) = LogChunk.encode(
            name: name, first: .zero, readings: mixedReadings(seed: 34, count: 9), anchors: [])
        #expect(throws: FormatError.self) { try LogChunk.decode(bytes + [0]) }
        for count in bytes.indices {
            #expect(throws: FormatError.self) { try LogChunk.decode(Array(bytes.prefix(count))) }
        }
    }
}

struct RunDigestTests {
    private let one = Reading(
        series: series("soil-3", "moisture", "%"), stamp: stamp(1_000_000), value: .number(41.2))
    private let two = Reading(
        series: series("plug", "state"), stamp: stamp(2_000_007, offset: 5, trusted: false), value: .text("Online"),
        quality: .clockUnsynced, deviceTime: Milliseconds(-3))

    @Test
    func `a digest is reckoned as ever`() {
        #expect(RunDigest(log: log, first: Offset(5), readings: [one]).rawValue == 0xEB97_0AB2_588E_1F4B)
        #expect(RunDigest(log: log, first: Offset(6), readings: [two]).rawValue == 0x8575_E735_09D8_F889)
        let flag = Reading(series: series("door"), stamp: stamp(3), value: .flag(true))
        #expect(RunDigest(log: log, first: .zero, readings: [flag]).rawValue == 0x4281_8D8E_B9F2_0A63)
    }

    @Test
    func `a digest does not depend on the order, and parts add up to the whole`() {
        let readings = mixedReadings(seed: 41, count: 60)
        let whole = RunDigest(log: log, first: Offset(9), readings: readings)
        let left = RunDigest(log: log, first: Offset(9), readings: Array(readings[..<20]))
        let right = RunDigest(log: log, first: Offset(29), readings: Array(readings[20...]))
        #expect(left + right == whole && right + left == whole)
        var backwards = RunDigest()
        for (index, reading) in readings.enumerated().reversed() {
            backwards.add(StoredReading(log: log, offset: Offset(9 + UInt64(index)), reading: reading))
        }
        #expect(backwards == whole)
    }

    @Test
    func `whatever differs in a reading or its place makes another digest`() {
        func changed(
            _ series: Series? = nil, _ stamp: Stamp? = nil, _ value: Value? = nil, _ quality: Quality? = nil,
            time: Milliseconds? = nil
        ) -> Reading {
            Reading(
                series: series ?? one.series, stamp: stamp ?? one.stamp, value: value ?? one.value,
                quality: quality ?? one.quality, deviceTime: time)
        }
        let readings = [
            one, changed(series("soil-3", "moisture", nil)), changed(series("soil-3", "moistur", "e%")),
            changed(series("soil-3m", "oisture", "%")), changed(nil, stamp(1_000_001)),
            changed(nil, stamp(1_000_000, offset: 1)), changed(nil, stamp(1_000_000, trusted: false)),
            changed(nil, nil, .number(-41.2)), changed(nil, nil, .number(0)), changed(nil, nil, .number(-0.0)),
            changed(nil, nil, .flag(false)), changed(nil, nil, .text("")), changed(nil, nil, nil, .stale),
            changed(time: Milliseconds(0)),
        ]
        var digests = readings.map { RunDigest(log: log, first: .zero, readings: [$0]) }
        digests.append(RunDigest(log: log, first: Offset(1), readings: [one]))
        digests.append(RunDigest(log: LogID(1), first: .zero, readings: [one]))
        #expect(Set(digests).count == digests.count)
    }
}
