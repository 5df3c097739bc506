import Environment
import GPIODriver
import Model
import Testing

/// What must hold whatever the wire does.
struct RandomWireTests {
    @Test(arguments: UInt64(1)...50)
    func everyNumberedEdgeIsEitherToldOrMissed(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bench = LineBench(isNumbered: true)
        var level = false
        var made = 0
        for step in 1...400 {
            level.toggle()
            made += 1
            // The last one arrives, so that the losses before it can be seen.
            if step < 400, UInt64.random(in: 0..<4, using: &random) == 0 {
                bench.drop(1)
            } else if level {
                bench.rise(Double(step) + 1)
            } else {
                bench.fall(Double(step) + 1)
            }
        }
        #expect(bench.readings.count - 1 + Int(bench.machine.missed) == made)
        let flagged = bench.readings.filter { $0.quality == .edgesMissed }.count
        #expect(flagged > 0 && flagged <= Int(bench.machine.missed))
    }

    @Test(arguments: UInt64(1)...50)
    func aDebouncedLineAlternatesAndTellsJustTheLevelsThatHeld(seed: UInt64) {
        let period = 5.0
        var random = SeededRandom(seed: seed)
        var bench = LineBench(debounce: .milliseconds(5))
        var edges: [(time: Double, level: Bool)] = [(0, false)]
        var now = 2.0
        for _ in 0..<400 {
            now += Double(UInt64.random(in: 1...10, using: &random))
            let level = edges[edges.count - 1].level
            edges.append((now, !level))
            if level { bench.fall(now) } else { bench.rise(now) }
            // The thread comes round now and then, at any moment before the next edge.
            if Bool.random(using: &random) { bench.tick(now + 0.5) }
        }
        bench.tick(now + period)

        var expected = [level(false, 0)]
        for (index, edge) in edges.enumerated().dropFirst() {
            let end = index + 1 < edges.count ? edges[index + 1].time : now + period
            guard end - edge.time >= period, expected.last?.content != .level(edge.level) else { continue }
            expected.append(level(edge.level, edge.time))
        }
        #expect(bench.readings == expected)
    }

    @Test(arguments: UInt64(1)...20)
    func aCountIsTheNumberOfEdgesHoweverTheyFallIntoIntervals(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bench = LineBench(mode: .count, interval: .milliseconds(50))
        var now = 2.0
        for pulse in 1...300 {
            now += Double(UInt64.random(in: 1...40, using: &random))
            bench.rise(now)
            if pulse.isMultiple(of: 3) { bench.tick(now) }
        }
        bench.finish(now)
        let counts = bench.readings.map { reading in
            guard case .count(let count) = reading.content else { return UInt64.max }
            return count
        }
        #expect(counts == counts.sorted())
        #expect(counts.last == 300)
    }
}
