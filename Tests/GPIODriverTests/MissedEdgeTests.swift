import GPIODriver
import Model
import Testing

struct MissedEdgeTests {
    @Test func aGapInTheNumbersIsCountedAndToldOnce() {
        var bench = LineBench(isNumbered: true)
        bench.rise(10)
        bench.drop(4)
        bench.fall(20)
        bench.rise(30)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(false, 20, .edgesMissed), level(true, 30)])
        #expect(bench.machine.missed == 4)
    }

    @Test func aGapExplainsARepeatedDirection() {
        var bench = LineBench(isNumbered: true)
        bench.rise(10)
        bench.drop(3)
        bench.rise(20)
        #expect(bench.machine.missed == 3)
        bench.drop(2)
        bench.rise(30)
        #expect(bench.machine.missed == 6, "two numbered edges and one that had no number")
    }

    @Test func edgesDroppedBeforeTheFirstAreCounted() {
        var bench = LineBench(isNumbered: true)
        bench.drop(2)
        bench.rise(10)
        #expect(bench.machine.missed == 2)
        #expect(bench.readings.last?.quality == .edgesMissed)
    }

    @Test func numbersThatWrapAreNoGap() {
        var bench = LineBench(isNumbered: true)
        bench.setSequence(.max - 2)
        bench.rise(10)
        let missed = bench.machine.missed
        bench.fall(20)
        bench.rise(30)
        bench.fall(40)
        bench.rise(50)
        #expect(bench.machine.missed == missed)
    }

    @Test func twoEdgesOfOneDirectionMeanThatOneIsMissing() {
        var bench = LineBench()
        bench.rise(10)
        bench.rise(20)
        bench.fall(30)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(true, 20, .edgesMissed), level(false, 30)])
        #expect(bench.machine.missed == 1)
    }

    @Test func aLevelThatGoesOnDisagreeingIsTakenOver() {
        var bench = LineBench()
        bench.rise(10)
        bench.readLevel(false, 1000)
        #expect(bench.readings.count == 2, "an edge may be on its way")
        #expect(bench.machine.deadline == at(1020))
        #expect(bench.machine.isLevelReadDue(at: at(1020)))
        bench.readLevel(false, 1020)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(false, 1020, .edgesMissed)])
        #expect(bench.machine.missed == 1)
        bench.rise(1100)
        #expect(bench.readings.last == level(true, 1100))
    }

    @Test func aLevelThatAnEdgeExplainsIsNoLoss() {
        var bench = LineBench()
        bench.rise(10)
        bench.readLevel(false, 1000)
        bench.fall(1000.1)
        bench.readLevel(false, 1020)
        #expect(bench.readings == [level(false, 0), level(true, 10), level(false, 1000.1)])
        #expect(bench.machine.missed == 0)
    }

    @Test func aDisagreementMustLastWithoutAnEdge() {
        var bench = LineBench()
        bench.rise(10)
        bench.readLevel(false, 1000)
        bench.fall(1001)
        bench.rise(1002)
        bench.readLevel(false, 1020)
        #expect(bench.machine.missed == 0, "what was read at 1000 has been explained; this is a new question")
        bench.readLevel(false, 1040)
        #expect(bench.machine.missed == 1)
    }

    @Test func onlyTheFirstEdgeCanBePartOfTheFirstLevel() {
        var bench = LineBench(level: true)
        bench.fall(0.2)
        bench.fall(0.6)
        #expect(bench.readings == [level(true, 0), level(false, 0.2), level(false, 0.6, .edgesMissed)])
    }

    @Test func theLevelIsReadEachSecondHoweverLongTheInterval() {
        var bench = LineBench(interval: .seconds(60))
        #expect(bench.machine.deadline == at(1000))
        bench.readLevel(false, 1000)
        #expect(bench.machine.deadline == at(2000))
    }

    @Test func aDebouncedLevelIsPutRightToo() {
        var bench = LineBench(debounce: .milliseconds(5))
        bench.readLevel(true, 1000)
        bench.readLevel(true, 1020)
        bench.tick(1024)
        #expect(bench.readings.count == 1)
        bench.tick(1025)
        #expect(bench.readings == [level(false, 0), level(true, 1020, .edgesMissed)])
    }

    @Test func aLevelSaysNothingWhereOneDirectionIsWatched() {
        var bench = LineBench(edge: .rising)
        bench.readLevel(true, 1000)
        bench.readLevel(true, 1020)
        #expect(bench.readings == [level(false, 0)])
        #expect(bench.machine.missed == 0)
    }

    @Test func aFullBufferWithoutNumbersIsAtLeastOneLoss() {
        var bench = LineBench()
        bench.rise(10)
        bench.bufferWasFull()
        bench.rise(20)
        #expect(bench.machine.missed == 1, "the repeated direction is the same loss")
        #expect(bench.readings.last == level(true, 20, .edgesMissed))
        bench.rise(30)
        #expect(bench.machine.missed == 2)
    }
}
