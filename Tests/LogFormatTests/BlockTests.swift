import Environment
import LogFormat
import Model
import Testing

struct BlockTests {
    @Test(arguments: UInt64(1)...40)
    func `readings come back exactly as they went in`(seed: UInt64) throws {
        let readings = mixedReadings(seed: seed, count: Int(seed) * 7)
        let decoded = try Sample(readings, first: 77).decoded()
        #expect(decoded.count == readings.count)
        for (found, given) in zip(decoded, readings) {
            #expect(found.map { isSame($0, given) } == true, "\(String(describing: found)) for \(given)")
        }
    }

    @Test
    func `extreme times and offsets come back exactly`() throws {
        let uptimes: [Int64] = [0, 1, -1, 1 << 60, -(1 << 60), 86_400_000_000, 0]
        let readings = uptimes.map { Reading(series: series("d"), stamp: stamp($0, offset: -$0), value: .number(1)) }
        let sample = Sample(readings, first: 1 << 40)
        #expect(try sample.decoded() == readings)
        #expect(try sample.frame().runs.first?.range == Offset(1 << 40)..<Offset(1 << 40 + 7))
    }

    @Test
    func `readings get no names at all from definitions that are not their writer's`() throws {
        let readings = mixedReadings(seed: 3, count: 40)
        let sample = Sample(readings)
        let names = sample.dictionary.table.definitions
        // A stale block has defined one of them otherwise.
        for place in names.indices {
            var table = SeriesTable()
            for (index, definition) in names.enumerated() {
                let wrong = SeriesDefinition(series: series("stale"), scale: definition?.scale ?? 0)
                if let right = definition { table.define(index, index == place ? wrong : right) }
            }
            #expect(try sample.frame().readings(table).allSatisfy { $0 == nil }, "\(place)")
        }
        var more = sample.dictionary.table
        more.define(names.count, SeriesDefinition(series: series("later"), scale: 0))
        #expect(try sample.frame().readings(more).allSatisfy { $0 != nil })
    }

    @Test
    func `records and marks come back in order`() throws {
        let records: [Record] = [
            .state(StateKey(1, "uploaded/cloud"), [1, 2, 3]), .state(StateKey(255, ""), []),
            .gap(Gap(log: log, range: Offset(5)..<Offset(99), reason: .evicted)),
            .log(LogRecord(log: log, end: Offset(123_456), isClosed: true)),
            .anchor(ClockAnchor(boot: boot, wallOffset: Microseconds(-5))),
        ]
        let mark = DeliveryMark(session: "local", message: 65_535, hash: .max)
        let sample = Sample(mixedReadings(seed: 1, count: 3), records: records, mark: mark)
        #expect(try sample.frame().records == records + [.mark(mark)])
    }

    @Test
    func `a hundred steady series at one hertz take at most nine bytes a reading, and less when merged`() {
        let second = steadyReadings(seconds: 1)
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: 64 << 10, room: 4 << 20, footerRuns: 0, geometry: .standard)
        let fits = builder.add(second, log: log, first: .zero)
        #expect(fits)
        var dictionary = builder.dictionary
        let header = BlockHeader(kind: .hot, previous: 0, generation: 1, index: 0)
        _ = builder.finish(header, store: store)
        // The block after repeats the names once; the one after that is what steady state looks like.
        for seconds in [2, 3, 60] {
            builder = BlockBuilder(
                dictionary: dictionary, capacity: 64 << 10, room: 4 << 20, footerRuns: 0, geometry: .standard)
            let readings = steadyReadings(seconds: seconds == 60 ? 60 : 1)
            for reading in readings where builder.add([reading], log: log, first: Offset(UInt64(builder.readings))) {}
            dictionary = builder.dictionary
            let block = builder.finish(header, store: store)
            let perReading = Double(block.used - BlockHeader.bytes) / Double(block.readings)
            if seconds == 3 { #expect(perReading <= 9, "\(perReading) bytes a reading") }
            if seconds == 60 { #expect(perReading <= 7, "\(perReading) bytes a reading") }
        }
    }

    /// 100 devices in turn, 10 ms apart with some jitter, two decimals that wander.
    private func steadyReadings(seconds: Int) -> [Reading] {
        var random = SeededRandom(seed: 3)
        return (0..<seconds * 100).map { index in
            let jitter = Int64(random.next() % 2000)
            return Reading(
                series: series("sensor-\(index % 100)", "temperature", "°C"),
                stamp: stamp(Int64(index) * 10_000 + jitter),
                value: .number(Double(2000 + (index % 100) * 10 + Int(random.next() % 20)) / 100))
        }
    }

    @Test
    func `a delivery mark takes four bytes where ids follow one another, and a little more else`() {
        let reading = mixedReadings(seed: 1, count: 1)
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: 64 << 10, room: 4 << 20, footerRuns: 0, geometry: .standard)
        let fits = builder.add(
            reading, log: log, first: .zero, mark: DeliveryMark(session: "local", message: 1, hash: 1))
        #expect(fits)
        let before = builder.size
        for index in 0..<100 {
            let fits = builder.add(.mark(DeliveryMark(session: "local", message: UInt16(index + 2), hash: .max)))
            #expect(fits)
        }
        #expect(builder.size - before <= 400)
        for index in 0..<99 {
            let fits = builder.add(.mark(DeliveryMark(session: "local", message: UInt16(index * 2), hash: .max)))
            #expect(fits)
        }
        #expect(builder.size - before <= 400 + 99 * 6 + 4)
    }

    @Test
    func `a reading whose definition is lost is not taken for another`() throws {
        let sample = Sample(mixedReadings(seed: 2, count: 30))
        let decoded = try sample.frame().readings(SeriesTable())
        #expect(decoded.count == 30 && decoded.allSatisfy { $0 == nil })
    }

    @Test
    func `what does not fit leaves the block as it was`() throws {
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: 4096, room: 32 << 10, footerRuns: 0, geometry: geometry)
        let readings = mixedReadings(seed: 4, count: 20)
        let fits = builder.add(readings, log: log, first: .zero)
        #expect(fits)
        let size = builder.size
        let fitsMore = builder.add(mixedReadings(seed: 5, count: 400), log: log, first: Offset(20))
        #expect(!fitsMore)
        #expect(builder.size == size)
        let table = builder.dictionary.table
        let block = builder.finish(
            BlockHeader(kind: .hot, previous: 0, generation: 1, index: 0), store: store)
        #expect(block.bytes.count == 4096)
        #expect(try frame(block.bytes).readings(table) == readings)
    }
}
