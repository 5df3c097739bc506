import GPIODriver
import Model
import Testing

struct LevelTests {
    @Test func theFirstLevelAndEveryEdgeAreReadings() {
        var bench = LineBench(level: true)
        bench.fall(10)
        bench.rise(20)
        #expect(bench.readings == [level(true, 0), level(false, 10), level(true, 20)])
        #expect(bench.machine.missed == 0)
    }

    @Test func onlyWantedEdgesAreTold() {
        var rising = LineBench(edge: .rising)
        rising.rise(10)
        rising.rise(30)
        #expect(rising.readings == [level(false, 0), level(true, 10), level(true, 30)])
        #expect(rising.machine.missed == 0)
        var falling = LineBench(edge: .falling, debounce: .milliseconds(5))
        falling.rise(10)
        falling.fall(20)
        falling.tick(30)
        #expect(falling.readings == [level(false, 0), level(false, 20)])
    }

    @Test func aSampledLineIsToldAtTheInterval() {
        var bench = LineBench(edge: GPIOSettings.Edge.none, interval: .seconds(2))
        #expect(bench.machine.deadline == at(1000), "the level is read each second, to see that the chip lives")
        bench.readLevel(true, 1000)
        bench.readLevel(true, 2000)
        bench.readLevel(true, 3000)
        bench.readLevel(false, 4001)
        #expect(bench.readings == [level(false, 0), level(true, 2000), level(false, 4001)])
    }

    @Test func edgesThatTheFirstLevelReadHasSeenAreNotToldTwice() {
        let settings = GPIOSettings(chip: "gpiochip0", line: .number(3))
        var machine = LineMachine(
            LineMachine.Plan(settings, isDebouncedByKernel: false), level: true, from: at(10), until: at(11))
        // Before the read; during it; reported late; then one that is new.
        for (isRising, time) in [(false, 9.0), (true, 10.5), (true, 11.5), (false, 12)] {
            machine.edge(EdgeEvent(nanoseconds: at(time), isRising: isRising))
        }
        #expect(machine.takeReadings() == [level(true, 11), level(false, 12)])
        #expect(machine.missed == 0)
    }

    @Test func aFloodKeepsTheNewestStateAndCountsTheSurplus() {
        let settings = GPIOSettings(chip: "gpiochip0", line: .number(3))
        var machine = LineMachine(
            LineMachine.Plan(settings, isDebouncedByKernel: false), level: false, from: 0, until: 0)
        let edges = LineMachine.pendingLimit + 10
        for number in 1...edges {
            machine.edge(EdgeEvent(nanoseconds: at(Double(number) + 1), isRising: !number.isMultiple(of: 2)))
        }
        let readings = machine.takeReadings()
        #expect(readings.count == LineMachine.pendingLimit)
        #expect(readings.last == level(false, Double(edges) + 1, .edgesMissed))
        #expect(machine.missed == 11)
        #expect(machine.takeReadings().isEmpty)
    }
}

struct DebounceTests {
    @Test func aLevelCountsOnceItHasHeld() {
        var bench = LineBench(debounce: .milliseconds(5))
        bench.rise(10)
        #expect(bench.machine.deadline == at(15))
        bench.tick(14.9)
        #expect(bench.readings.count == 1)
        bench.tick(15)
        #expect(bench.readings == [level(false, 0), level(true, 10)])
    }

    @Test func aGlitchIsNoReading() {
        var bench = LineBench(debounce: .milliseconds(5))
        bench.rise(10)
        bench.fall(12)
        bench.tick(100)
        #expect(bench.readings == [level(false, 0)])
        #expect(bench.machine.missed == 0)
    }

    @Test func bouncesGiveTheTimeOfTheLastOne() {
        var bench = LineBench(debounce: .milliseconds(5))
        for time in [10.0, 12, 14] {
            bench.rise(time)
            bench.fall(time + 1)
        }
        bench.rise(16)
        bench.tick(21)
        #expect(bench.readings == [level(false, 0), level(true, 16)])
    }

    @Test func aLateThreadStillSeesEveryLevelThatHeld() {
        var bench = LineBench(debounce: .milliseconds(5))
        bench.rise(10)
        bench.fall(20)
        bench.rise(30)
        bench.tick(40)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(false, 20), level(true, 30)])
    }

    @Test func anEdgeThatRepeatsIsABounceNotALoss() {
        var bench = LineBench(debounce: .milliseconds(5))
        bench.rise(10)
        bench.rise(12)
        bench.tick(16)
        #expect(bench.readings.count == 1, "the level was left unseen in between, so it has held only since 12")
        bench.tick(17)
        #expect(bench.readings == [level(false, 0), level(true, 12)])
        #expect(bench.machine.missed == 0)
    }

    @Test func whatTheKernelDebouncesIsNotDebouncedAgain() {
        var bench = LineBench(debounce: .milliseconds(5), byKernel: true)
        bench.rise(10)
        bench.fall(11)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(false, 11)])
    }
}
