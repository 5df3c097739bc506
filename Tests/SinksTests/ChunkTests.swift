import Environment
import Model
import Testing

@testable import Sinks

@Suite struct ChunkTests {
    @Test func aSendNeverCrossesAChunkBoundary() {
        var driver = MachineDriver()
        driver.openOld(logA, 21)
        #expect(driver.sent.map(\.range) == [span(0, 8), span(8, 16), span(16, 21)])
        #expect(driver.sent.allSatisfy { $0.lane == .backFill })
    }

    @Test func aPartialChunkWaitsForItsLingerAndAFullOneDoesNot() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 0)
        driver.extend(logA, 3)
        #expect(driver.sent.isEmpty)
        #expect(driver.wake == driver.now.advanced(by: .seconds(1)))
        driver.now = driver.now.advanced(by: .milliseconds(600))
        driver.extend(logA, 10)
        #expect(driver.sent.map(\.range) == [span(0, 8)])
        driver.advance(.milliseconds(399))
        #expect(driver.sent.count == 1)
        driver.advance(.milliseconds(601))
        #expect(driver.sent.map(\.range) == [span(0, 8), span(8, 10)])
    }

    @Test func lingerCountsFromTheOldestWaitingReading() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 0)
        for end in 1...5 as ClosedRange<UInt64> {
            driver.extend(logA, end)
            driver.now = driver.now.advanced(by: .milliseconds(250))
            driver.step(.tick)
        }
        #expect(driver.sent.map(\.range) == [span(0, 4)])
    }

    @Test func noMoreChunksAreInFlightThanAllowed() {
        var driver = MachineDriver { $0.chunksInFlight = 3 }
        driver.openOld(logA, 800)
        #expect(driver.open.count == 3)
        driver.answer(.accepted)
        #expect(driver.open.map(\.range) == [span(8, 16), span(16, 24), span(24, 32)])
    }

    @Test func gapsSplitRunsAndAreNeverSent() {
        var driver = MachineDriver()
        driver.step(.opened(logA, end: Offset(16), ready: .zero, isCurrent: false))
        driver.step(.lost(logA, span(2, 4), .damaged))
        driver.step(.lost(logA, span(6, 9), .evicted(reason: "drop-oldest")))
        driver.extend(logA, 16)
        #expect(driver.sent.map(\.range) == [span(0, 2), span(4, 6), span(9, 16)])
        driver.drain()
        let counts = driver.machine.counts(logA)
        #expect(counts.uploaded == 11 && counts.damaged == 2 && counts.evictedTotal == 3 && counts.pending == 0)
        #expect(driver.machine.releasable(logA) == Offset(16))
    }

    @Test func aLossCountsOnceAndOnlyWhatWasPending() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        driver.drain()
        for _ in 0..<3 { driver.step(.lost(logA, span(0, 12), .evicted(reason: "drop-oldest"))) }
        let counts = driver.machine.counts(logA)
        #expect(counts.uploaded == 8)
        #expect(counts.evicted == [EvictionCount(reason: "drop-oldest", count: 4)])
        #expect(counts.stored == 12 && counts.isBalanced)
    }

    @Test func whatIsEvictedInFlightCountsAsUploadedIfTheSinkTookIt() {
        for isTaken in [true, false] {
            var driver = MachineDriver()
            driver.openOld(logA, 8)
            driver.step(.lost(logA, span(0, 8), .evicted(reason: "drop-oldest")))
            #expect(driver.machine.counts(logA).pending == 8)
            driver.answer(isTaken ? .accepted : down)
            let counts = driver.machine.counts(logA)
            #expect(counts.uploaded == (isTaken ? 8 : 0))
            #expect(counts.evictedTotal == (isTaken ? 0 : 8))
            #expect(counts.isBalanced && counts.pending == 0)
        }
    }

    @Test func readingsThatWaitForTheClockAreHeldBack() {
        var driver = MachineDriver()
        driver.step(.opened(logA, end: Offset(20), ready: Offset(5), isCurrent: true))
        driver.advance(.seconds(1))
        #expect(driver.sent.map(\.range) == [span(0, 5)])
        driver.settle()
        #expect(driver.machine.counts(logA).pending == 15)
        driver.extend(logA, 20)
        driver.settle()
        #expect(driver.sent.map(\.range) == [span(0, 5), span(5, 8), span(8, 16), span(16, 20)])
    }

    @Test func neitherTheEndNorTheReadyEndGoesBack() {
        var driver = MachineDriver()
        driver.openOld(logA, 16)
        driver.extend(logA, 4, ready: 2)
        driver.drain()
        #expect(driver.machine.counts(logA).stored == 16)
        #expect(driver.machine.releasable(logA) == Offset(16))
    }

    @Test func aRangeThatCannotBeReadIsNoFaultOfTheSink() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        driver.step(.lost(logA, span(0, 8), .damaged))
        driver.step(.sendAbandoned(driver.open[0].id))
        #expect(driver.machine.counts(logA).damaged == 8)
        #expect(driver.machine.snapshot(now: driver.now).failures == 0)
    }

    @Test func aRangeThatCannotBeReadAndIsNotLostIsTriedAgainAfterAPause() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        driver.step(.sendAbandoned(driver.open.removeFirst().id))
        #expect(driver.open.isEmpty)
        #expect(driver.machine.snapshot(now: driver.now).lastError?.contains("could not be read") == true)
        driver.advanceToWake()
        #expect(driver.open.map(\.range) == [span(0, 8)])
    }

    @Test func aFinishedLogIsToldOnceAndItsCountsOutliveIt() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 20)
        driver.openCurrent(logB, 0)
        driver.settle()
        driver.step(.tick)
        #expect(driver.finished == [logA])
        driver.step(.forgotten(logA))
        #expect(driver.machine.counts(logA).stored == 0)
        #expect(driver.machine.counts.uploaded == 20)
        var next = UploadMachine()
        try next.restoreTotals(driver.machine.encodedTotals())
        #expect(next.counts == driver.machine.counts)
    }

    @Test func aClosedLogMayStillGrow() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        driver.drain()
        driver.extend(logA, 12)
        driver.drain()
        #expect(driver.finished == [logA, logA])
        #expect(driver.machine.releasable(logA) == Offset(12))
    }

    @Test func answersThatNobodyWaitsForAreIgnored() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        let id = driver.open[0].id
        driver.answer(.accepted)
        driver.step(.sendFinished(id, down))
        driver.step(.sendFinished(SendID(999), .accepted))
        #expect(driver.machine.counts(logA).uploaded == 8)
        #expect(driver.machine.snapshot(now: driver.now).failures == 0)
    }

    @Test func theRateLimitHoldsOverTime() {
        var driver = MachineDriver { $0.readingsPerSecond = 10 }
        driver.openOld(logA, 400)
        let begin = driver.now
        while driver.machine.counts(logA).uploaded < 400 {
            driver.drain()
            driver.advanceToWake()
        }
        let seconds = begin.duration(to: driver.now).inSeconds
        #expect((37...40).contains(seconds), "400 readings at 10/s, a second's worth in the bucket: \(seconds) s")
    }
}
