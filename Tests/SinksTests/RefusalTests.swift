import Environment
import Model
import Testing

@testable import Sinks

@Suite struct RefusalTests {
    private static func machine(_ readings: UInt64, chunk: Int = 512) -> MachineDriver {
        var driver = MachineDriver { $0.chunkReadings = chunk }
        driver.openOld(logA, readings)
        return driver
    }

    @Test(arguments: [0, 1, 200, 255, 256, 510] as [UInt64])
    func oneBadReadingIsFoundInAFewStepsAndNamed(_ bad: UInt64) {
        var driver = Self.machine(512)
        let answers = driver.drain(poison: [bad])
        #expect(driver.refused == [Offset(bad)])
        #expect(driver.machine.counts(logA).uploaded == 511 && driver.machine.counts(logA).refused == 1)
        #expect(answers < 24, "\(answers) requests")
        #expect(driver.alarms.isEmpty)
        #expect(driver.machine.snapshot(now: driver.now).refused.first?.reason == "bad reading")
        #expect(driver.finished == [logA])
    }

    @Test func aBadReadingAtTheVeryEndWaitsForAnotherChunkToBearWitness() {
        var driver = Self.machine(512)
        driver.drain(poison: [511])
        #expect(driver.machine.counts(logA).pending == 1 && driver.refused.isEmpty)
        driver.openCurrent(logB, 5)
        driver.settle(poison: [511])
        #expect(driver.refused == [Offset(511)])
        #expect(driver.machine.counts(logB).uploaded == 5)
    }

    @Test(arguments: [2, 3, 7] as [UInt64])
    func badReadingsBetweenGoodOnesAreAllNamedAndTheGoodOnesArrive(_ every: UInt64) {
        var driver = Self.machine(1024)
        let poison = Set((0..<1024 as Range<UInt64>).filter { $0.isMultiple(of: every) })
        driver.settle(poison: poison)
        driver.openCurrent(logB, 512)  // a witness for a bad one at the very end
        driver.settle(poison: poison)
        #expect(Set(driver.refused.map(\.rawValue)) == poison)
        #expect(driver.machine.counts(logA).uploaded == UInt64(1024 - poison.count))
    }

    @Test func aRunOfBadReadingsIsNamedAndTheGoodOnesArrive() {
        var driver = Self.machine(1024)
        let poison = Set(40..<470 as Range<UInt64>)
        driver.settle(poison: poison)
        #expect(Set(driver.refused.map(\.rawValue)) == poison)
        #expect(driver.machine.counts(logA).pending == 0)
    }

    @Test func aSinkThatRefusesEverythingKeepsEverything() {
        var driver = Self.machine(64, chunk: 8)
        let all = Set(0..<64 as Range<UInt64>)
        for _ in 0..<2000 {
            driver.drain(poison: all)
            driver.advanceToWake()
        }
        let counts = driver.machine.counts(logA)
        #expect(counts.pending == 64 && counts.refused == 0 && counts.uploaded == 0)
        #expect(driver.alarms.count == 1)
        #expect(driver.machine.snapshot(now: driver.now).lastError?.contains("refuses every") == true)
        driver.settle()
        #expect(driver.machine.counts(logA).uploaded == 64)
        #expect(driver.refused.isEmpty && driver.recoveries.count == 1)
    }

    @Test func refusingEverythingDoesNotBecomeAFlood() {
        var driver = Self.machine(4096)
        let all = Set(0..<4096 as Range<UInt64>)
        let begin = driver.now
        var requests = 0
        while begin.duration(to: driver.now) < .seconds(3600) {
            requests += driver.drain(poison: all)
            driver.advanceToWake()
        }
        #expect(requests < 7200, "\(requests) requests in an hour")
    }

    @Test func aSinkMendedInTheMiddleOfASplitCostsNoGoodReading() {
        for answersBefore in 1...1200 where answersBefore.isMultiple(of: 13) {
            var driver = Self.machine(1536)
            var answers = 0
            while answers < answersBefore {
                if driver.open.isEmpty { driver.advanceToWake() }
                driver.answer(.refused(reason: "unknown tenant"))
                answers += 1
            }
            driver.settle()
            #expect(driver.refused.isEmpty, "mended after \(answersBefore) answers")
            #expect(driver.machine.counts(logA).uploaded == 1536)
        }
    }

    @Test func aSinkThatBreaksInTheMiddleOfASplitAndIsMendedCostsNoGoodReading() {
        for answersBefore in 1...40 {
            var driver = Self.machine(1536)
            let poison: Set<UInt64> = [100, 300]
            for _ in 0..<answersBefore {
                let bad = offsets(driver.open[0].range).contains { poison.contains($0) }
                driver.answer(bad ? .refused(reason: "bad") : .accepted)
                if driver.open.isEmpty { break }
            }
            for _ in 0..<500 {
                if driver.open.isEmpty { driver.advanceToWake() }
                driver.answer(.refused(reason: "unknown tenant"))
            }
            driver.settle(poison: poison)
            #expect(Set(driver.refused.map(\.rawValue)) == poison, "broken after \(answersBefore) answers")
            #expect(driver.machine.counts(logA).pending == 0)
        }
    }

    @Test func aBadReadingAloneInItsChunkStopsNobody() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 0)
        let poison: Set<UInt64> = [0, 5, 6, 13]
        for end in 1...20 as ClosedRange<UInt64> {
            driver.extend(logA, end)
            driver.advance(.seconds(20))
            driver.drain(poison: poison)
        }
        driver.settle(poison: poison)
        #expect(Set(driver.refused.map(\.rawValue)) == poison)
        #expect(driver.machine.counts(logA).uploaded == 16)
    }

    /// What a lone survivor finds: peers brought the good readings around each bad one, and the rest is as it was.
    @Test(arguments: [5, 30, 60] as [UInt64])
    func singleBadReadingsThatPeersLeftBehindDoNotKeepTheRestWaiting(_ left: UInt64) {
        var driver = MachineDriver { $0.chunkReadings = 512 }
        let end = left * 70 + 7000
        let poison = Set((0..<end).filter { $0 % 70 == 13 })
        driver.step(.relayed(logA, held: [span(0, end)], end: Offset(end)))
        for number in 0..<left {
            driver.step(.delivered(logA, span(number * 70, number * 70 + 13)))
            driver.step(.delivered(logA, span(number * 70 + 14, number * 70 + 70)))
        }
        let begin = driver.now
        driver.step(.paused(logA, false))
        driver.settle(poison: poison)
        #expect(Set(driver.refused.map(\.rawValue)) == poison)
        let took = begin.duration(to: driver.now)
        #expect(took < .seconds(10), "\(took) of pauses")
    }

    @Test func aChunkFullOfBadReadingsIsRefusedOnceTheNextIsAccepted() {
        var driver = Self.machine(32, chunk: 8)
        let poison = Set(8..<24 as Range<UInt64>)
        driver.settle(poison: poison)
        #expect(driver.refused.isEmpty && driver.machine.counts(logA).pending == 16)
        driver.openCurrent(logB, 4)
        driver.settle(poison: poison)
        #expect(Set(driver.refused.map(\.rawValue)) == poison)
        #expect(driver.machine.counts(logA).uploaded == 16)
        #expect(driver.finished == [logA])
    }

    @Test func anOutageInTheMiddleOfASplitGoesOnWhereItWas() {
        var driver = Self.machine(512)
        for _ in 0..<5 { driver.answer(.refused(reason: "bad")) }
        let sent = driver.sent.count
        driver.answer(down)
        driver.advanceToWake()
        #expect(driver.sent.count == sent + 1)
        #expect(driver.sent[sent].range == driver.sent[sent - 1].range)
        driver.settle(poison: [0])
        #expect(driver.refused == [.zero])
    }

    @Test func onlyOneChunkOfALaneIsSplitAtATime() {
        var driver = Self.machine(2048)
        for _ in 0..<4 { driver.answer(.refused(reason: "bad")) }
        for _ in 0..<20 {
            #expect(driver.open.count == 1)
            #expect(offsets(driver.open[0].range).upperBound <= 512)
            driver.answer(.refused(reason: "bad"))
        }
    }

    @Test func namesAreBoundedAndTheCountIsNot() {
        var driver = Self.machine(1024)
        let poison = Set((0..<1024 as Range<UInt64>).filter { $0.isMultiple(of: 2) })
        driver.settle(poison: poison)
        #expect(driver.machine.counts(logA).refused == 512)
        #expect(driver.machine.snapshot(now: driver.now).refused.count == UploadMachine.refusedNamesKept)
    }
}
