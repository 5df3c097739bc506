import Environment
import LogFormat
import Model
import Testing

struct ColdBlockTests {
    @Test(arguments: UInt64(1)...60)
    func `merged readings come back to the last bit, whatever they are`(seed: UInt64) throws {
        var trace = ColdTrace(seed: seed)
        let readings = trace.readings(Int(seed * seed) / 6 + 1)
        let placed = readings.enumerated().map { (log, 77 + UInt64($0), $1) }
        #expect(try ColdSample(placed).holds(placed))
    }

    @Test(arguments: UInt64(1)...20)
    func `readings of several logs with holes come back under their own offsets`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var trace = ColdTrace(seed: seed + 100)
        var next: [UInt64] = [0, 1 << 40, 5]
        var placed: [ColdSample.Placed] = []
        for reading in trace.readings(400) {
            let which = Int(random.next() % 3)
            if random.next() % 30 == 0 { next[which] += random.next() % 1000 }
            placed.append((LogID(UInt64(which) + 1), next[which], reading))
            next[which] += 1
        }
        // Copies come in as their gateways hand them over.
        for _ in 0..<20 { placed.swapAt(Int(random.next() % 400), Int(random.next() % 400)) }
        #expect(try ColdSample(placed).holds(placed))
    }

    @Test
    func `messages that come out of the order of their times keep their own`() throws {
        var random = SeededRandom(seed: 4)
        for disorder in [UInt64(2), 40, 100_000] {
            let readings = (0..<2000).map { index in
                Reading(
                    series: series("d\(index % 7)"),
                    stamp: stamp(Int64(index) * 1000 + Int64(random.next() % disorder) * 1000),
                    value: .number(Double(index)))
            }
            let placed = readings.enumerated().map { (log, UInt64($0), $1) }
            #expect(try ColdSample(placed).holds(placed), "\(disorder)")
        }
    }

    @Test
    func `a clock that runs backwards throughout costs bytes alone`() throws {
        let placed = (0..<20_000).map { index -> ColdSample.Placed in
            (
                log, UInt64(index),
                Reading(series: series("d\(index % 3)"), stamp: stamp(Int64(-index) * 1_000_000), value: .number(1))
            )
        }
        #expect(try ColdSample(placed).holds(placed))
    }

    @Test
    func `a device whose many metrics seldom come together costs no more than its readings`() throws {
        var placed: [ColdSample.Placed] = []
        for index in 0..<4000 {
            // Neighbours come together once each, so that all of them belong together.
            let metrics = index < 99 ? [index, index + 1] : [index * 37 % 100]
            for metric in metrics {
                let reading = Reading(
                    series: series("d", "metric-\(metric)"), stamp: stamp(Int64(index) * 1_000_000), value: .number(1))
                placed.append((log, UInt64(placed.count), reading))
            }
        }
        let sample = ColdSample(placed)
        #expect(try sample.holds(placed))
        #expect(sample.blocks.count == 1)
    }

    @Test
    func `every double comes back, alone and among decimals`() throws {
        var random = SeededRandom(seed: 9)
        let odd = [
            0, 0x8000_0000_0000_0000, 1, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF,
            0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, UInt64.max,
        ]
        for bits in odd + (0..<200).map({ _ in random.next() }) {
            for among in [0, 30] {
                var values = (0..<among).map { Double($0 % 7) / 10 }
                values.insert(Double(bitPattern: bits), at: among / 2)
                let placed = values.enumerated().map { index, value in
                    (
                        log, UInt64(index),
                        Reading(series: series("d"), stamp: stamp(Int64(index)), value: .number(value))
                    )
                }
                #expect(try ColdSample(placed).holds(placed), "\(bits)")
            }
        }
    }

    @Test
    func `one series is found among others, and a part of a block is what it is in the whole`() throws {
        var trace = ColdTrace(seed: 5)
        let sample = ColdSample(trace.readings(900))
        let frame = try frame(#require(sample.blocks.first).bytes)
        let all = try frame.readings(sample.dictionary.table)
        for index in sample.dictionary.table.definitions.indices {
            let wanted = sample.dictionary.table.definitions.indices.map { $0 == index }
            var found: [(Int, Reading?)] = []
            try frame.forEach(sample.dictionary.table, at: 100..<all.count, wanted: wanted) { found.append(($0, $1)) }
            let series = sample.dictionary.table[index]?.series
            let expected = all.indices.filter { $0 >= 100 && all[$0]?.series == series }
            #expect(found.map { $0.0 } == expected)
            #expect(found.allSatisfy { place, one in one.map { isSame($0, all[place]!) } == true })
        }
        for places in [0..<0, 0..<1, 17..<400, all.count - 1..<all.count] {
            let part = try frame.readings(sample.dictionary.table, at: places)
            #expect(part.count == places.count)
            #expect(zip(part, all[places]).allSatisfy { isSame($0!, $1!) })
        }
    }

    @Test
    func `readings get no names at all from definitions that are not the merging gateway's`() throws {
        var trace = ColdTrace(seed: 6)
        let sample = ColdSample(trace.readings(50))
        let frame = try frame(#require(sample.blocks.first).bytes)
        var table = SeriesTable()
        for (index, definition) in sample.dictionary.table.definitions.enumerated() {
            let wrong = SeriesDefinition(series: series("stale"), scale: 0)
            table.define(index, index == 3 ? wrong : definition!)
        }
        #expect(try frame.readings(table).allSatisfy { $0 == nil })
    }

    @Test
    func `full blocks leave little of their last unit free, and name each new series twice`() throws {
        var trace = ColdTrace(seed: 7)
        let sample = ColdSample(trace.readings(12_000))
        #expect(sample.blocks.count > 2)
        for block in sample.blocks.dropLast() {
            #expect(block.bytes.count <= Geometry.standard.blockBytes)
        }
        let free = sample.blocks.dropLast().reduce(0) { $0 + $1.bytes.count - $1.used }
        #expect(free / (sample.blocks.count - 1) <= 512, "\(free)")
        var names = [0, 0]
        for (place, block) in sample.blocks.prefix(2).enumerated() {
            names[place] = try frame(block.bytes).definitions.count
        }
        #expect(names[0] > 0 && names[1] >= names[0])
    }

    @Test
    func `ten steady sensors of three values each take at most two bytes a reading when merged`() throws {
        var random = SeededRandom(seed: 11)
        var placed: [ColdSample.Placed] = []
        for round in 0..<500 {
            for device in 0..<10 {
                let time = Int64(round) * 30_000_000 + Int64(device) * 2_900_000 + Int64(random.next() % 6000)
                for (metric, base) in [("temperature", 2150), ("humidity", 4500), ("pressure", 100_850)] {
                    let value = Double(base + Int(random.next() % 5)) / 100
                    placed.append(
                        (
                            log, UInt64(placed.count),
                            Reading(series: series("d\(device)", metric), stamp: stamp(time), value: .number(value))
                        ))
                }
            }
        }
        let sample = ColdSample(placed)
        #expect(try sample.holds(placed))
        let bytes = sample.blocks.reduce(0) { $0 + $1.bytes.count }
        #expect(Double(bytes) / Double(placed.count) <= 2, "\(Double(bytes) / Double(placed.count))")
    }
}
