import GPIODriver
import Model
import Testing

struct CountTests {
    @Test func pulsesAreCountedAndToldAtTheInterval() {
        var bench = LineBench(mode: .count)
        for time in [100.0, 200, 300] { bench.rise(time) }
        bench.tick(999)
        #expect(bench.readings == [count(0, 0)])
        bench.tick(1000)
        bench.rise(1500)
        bench.tick(2000)
        #expect(bench.readings == [count(0, 0), count(3, 1000), count(4, 2000)])
    }

    @Test func anUnchangedCountIsNotToldAgain() {
        var bench = LineBench(mode: .count)
        for second in 1...10 { bench.tick(Double(second) * 1000) }
        #expect(bench.readings == [count(0, 0)])
    }

    @Test func bothDirectionsAndDebounceCountAsConfigured() {
        var both = LineBench(mode: .count, edge: .both)
        both.rise(10)
        both.fall(20)
        both.finish(30)
        #expect(both.readings.last == count(2, 30))
        var debounced = LineBench(mode: .count, debounce: .milliseconds(5))
        for time in [10.0, 12, 30] {
            debounced.rise(time)
            debounced.fall(time == 10 ? 11 : time + 8)
        }
        debounced.tick(100)
        debounced.finish(100)
        #expect(debounced.readings.last == count(2, 100), "the pulse of 1 ms was a bounce")
    }

    @Test func missedEdgesAreToldButNotCounted() {
        var bench = LineBench(mode: .count, isNumbered: true)
        bench.rise(10)
        bench.drop(5)
        bench.rise(20)
        bench.tick(1000)
        bench.rise(1500)
        bench.tick(2000)
        #expect(bench.readings == [count(0, 0), count(2, 1000, .edgesMissed), count(3, 2000)])
        #expect(bench.machine.missed == 5)
    }

    @Test func aLossIsToldEvenWhereTheCountStandsStill() {
        var bench = LineBench(mode: .count, edge: .both)
        bench.readLevel(true, 500)
        bench.readLevel(true, 520)
        bench.tick(1000)
        #expect(bench.readings == [count(0, 0), count(0, 1000, .edgesMissed)])
    }

    @Test func aResumedCountGoesOnAndSaysThatEdgesMayBeMissing() {
        var bench = LineBench(mode: .count, count: 41, isResumed: true)
        bench.rise(10)
        bench.tick(1000)
        #expect(bench.readings == [count(41, 0, .edgesMissed), count(42, 1000)])
    }

    @Test func theLastPulsesAreToldAtTheEnd() {
        var bench = LineBench(mode: .count, interval: .seconds(3600))
        bench.rise(10)
        bench.finish(20)
        bench.finish(30)
        #expect(bench.readings == [count(0, 0), count(1, 20)])
    }

    @Test func reportsDoNotDriftWhenTheThreadIsLate() {
        var bench = LineBench(mode: .count)
        bench.tick(1003)
        #expect(bench.machine.deadline <= at(2000))
        bench.rise(1500)
        bench.tick(2000)
        #expect(bench.readings.last == count(1, 2000))
    }
}

struct FrequencyTests {
    private func hertz(_ bench: LineBench) -> [Double] {
        bench.readings.map { reading in
            guard case .frequency(let value) = reading.content else { return -1 }
            return (value * 1000).rounded() / 1000
        }
    }

    @Test func wholePeriodsAreMeasuredNotEdgesPerInterval() {
        var bench = LineBench(mode: .frequency)
        // 50.2 Hz for two seconds: the first interval holds 51 edges, the second 50.
        for period in 0...100 {
            let time = Double(period) * 1000 / 50.2
            if time > 1000, bench.readings.isEmpty { bench.tick(1000) }
            bench.rise(time)
        }
        bench.tick(2000)
        #expect(hertz(bench) == [50.2, 50.2])
    }

    @Test func bothDirectionsAreTwoEdgesAPeriod() {
        var bench = LineBench(mode: .frequency, edge: .both)
        for period in 0..<10 {
            bench.rise(Double(period) * 100 + 10)
            bench.fall(Double(period) * 100 + 60)
        }
        bench.tick(1000)
        #expect(hertz(bench) == [10])
    }

    @Test func aLineAtRestIsToldAsZeroOnce() {
        var bench = LineBench(mode: .frequency)
        bench.tick(1000)
        bench.tick(2000)
        bench.rise(2500)
        bench.tick(3000)
        bench.tick(4000)
        bench.tick(5000)
        #expect(hertz(bench) == [0, 1, 0])
    }

    @Test func aPeriodMayRunFromTheIntervalBefore() {
        var bench = LineBench(mode: .frequency)
        bench.rise(500)
        bench.tick(1000)
        bench.rise(1300)
        bench.tick(2000)
        #expect(hertz(bench) == [1, 1.25])
    }

    @Test func edgesAtOneMomentGiveAFiniteFrequency() {
        var bench = LineBench(mode: .frequency)
        bench.rise(500)
        bench.rise(500)
        bench.tick(1000)
        #expect(hertz(bench) == [2])
    }
}
