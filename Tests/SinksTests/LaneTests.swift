import Environment
import Model
import Testing

@testable import Sinks

@Suite struct LaneTests {
    @Test func oldLogsGoOldestFirstThenTheOlderPartOfTheCurrentOne() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logC, 16)
        driver.openOld(logA, 8)
        driver.openCurrent(logB, 0)
        driver.settle()
        #expect(driver.sent.map(\.log) == [logC, logC, logA])
    }

    @Test func backFillLeavesASlotToFreshReadings() {
        var driver = MachineDriver()
        driver.openOld(logA, 1000)
        driver.drain(limit: 1)
        driver.openCurrent(logB, 0)
        driver.drain(limit: 3)
        #expect(driver.open.count == 3)
        driver.extend(logB, 8)
        #expect(driver.open.count == 4)
        #expect(driver.open.last?.lane == .fresh)
    }

    @Test func freshReadingsDoNotStarveBackFill() {
        var driver = MachineDriver()
        driver.openCurrent(logB, 0)
        driver.extend(logB, 1000)
        #expect(driver.open.count == 4)
        driver.step(.opened(logA, end: Offset(1000), ready: Offset(1000), isCurrent: false))
        var backFill = 0
        for round in 2...40 as ClosedRange<UInt64> {
            driver.extend(logB, round * 1000)
            driver.answer(.accepted)
            #expect(driver.open.count == 4)
            backFill += driver.open.last?.lane == .backFill ? 1 : 0
            if round > 6 { #expect(driver.open.contains { $0.lane == .backFill }) }
            if round > 6 { #expect(driver.open.contains { $0.lane == .fresh }) }
        }
        #expect(backFill > 5)
    }

    @Test func withOneSlotTheLanesTakeTurns() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logA, 800)
        driver.openCurrent(logB, 800)
        driver.drain(limit: 20)
        let lanes = driver.sent.dropFirst().map(\.lane)
        #expect(zip(lanes, lanes.dropFirst()).allSatisfy { $0 != $1 })
    }

    /// A sink that is away for the time of 100,000 readings at 500/s, and then takes one chunk per 100 ms.
    @Test func afterAnOutageFreshReadingsArriveWithinSecondsWhile100000Wait() {
        var driver = MachineDriver { $0.chunkReadings = 512 }
        driver.openCurrent(logA, 0)
        var end: UInt64 = 0
        while end < 100_000 {
            driver.now = driver.now.advanced(by: .seconds(1))
            end += 500
            driver.extend(logA, end)
            while !driver.open.isEmpty { driver.answer(down) }
        }
        #expect(driver.machine.counts(logA).uploaded == 0)
        driver.now = driver.now.advanced(by: .seconds(60))
        let firstHealthy = driver.sent.count
        var committed: [(at: MonotonicInstant, end: UInt64)] = []
        var worst = Duration.zero
        for tenth in 1...1200 {
            driver.now = driver.now.advanced(by: .milliseconds(100))
            if tenth.isMultiple(of: 10) {
                end += 500
                committed.append((driver.now, end))
                driver.extend(logA, end)
            } else {
                driver.step(.tick)
            }
            driver.answer(.accepted)
            let fresh = driver.machine.logs[logA]?.settlements.top ?? .zero
            while let first = committed.first, Offset(first.end) <= fresh {
                worst = max(worst, first.at.duration(to: driver.now))
                committed.removeFirst()
            }
        }
        #expect(worst < .seconds(4), "a fresh reading took \(worst)")
        #expect(committed.count <= 4)
        #expect(driver.machine.counts(logA).pending < 3000)
        for lane in UploadLane.allCases {
            let bases = driver.sent.dropFirst(firstHealthy).filter { $0.lane == lane }.map(\.range.lowerBound)
            #expect(bases == bases.sorted(), "\(lane) is out of order")
            #expect(!bases.isEmpty)
        }
    }

    @Test func manyOutagesNeverLeaveMoreIslandsThanProgressRemembers() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 0)
        var end: UInt64 = 0
        for _ in 0..<60 {
            for _ in 0..<10 {
                driver.now = driver.now.advanced(by: .seconds(120))
                end += 40
                driver.extend(logA, end)
                while !driver.open.isEmpty { driver.answer(down) }
            }
            driver.now = driver.now.advanced(by: .seconds(120))
            driver.step(.tick)
            driver.drain(limit: 2)
            #expect((driver.machine.logs[logA]?.settlements.islands ?? 99) <= ProgressCodec.islands)
        }
        for _ in 0..<20 { driver.settle() }
        #expect(driver.machine.counts(logA).pending == 0)
    }

    @Test func aNewCurrentLogMakesTheOldOneBackFill() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 100)
        driver.openCurrent(logB, 0)
        driver.settle()
        #expect(driver.sent.last?.lane == .backFill)
        #expect(driver.machine.snapshot(now: driver.now).logs.map(\.isCurrent) == [false, true])
    }

    @Test func theSnapshotTellsLanesAndTheOldestPendingReading() {
        var driver = MachineDriver { $0.chunksInFlight = 2 }
        driver.openOld(logA, 20)
        driver.openCurrent(logB, 3)
        let snapshot = driver.machine.snapshot(now: driver.now)
        #expect(snapshot.backFill.pending == 20 && snapshot.backFill.inFlight == 16)
        #expect(snapshot.fresh.pending == 3 && snapshot.fresh.chunks == 0)
        #expect(snapshot.oldestPending?.log == logA && snapshot.oldestPending?.offset == .zero)
        #expect(snapshot.counts.stored == 23 && snapshot.counts.pending == 23)
    }

    @Test func theSnapshotTellsTheAgeOfTheOldestFreshReading() {
        var driver = MachineDriver()
        driver.openOld(logA, 20)
        #expect(driver.machine.snapshot(now: driver.now).freshLag == nil)
        driver.openCurrent(logB, 3)
        driver.advance(.seconds(2))
        driver.extend(logB, 5, ready: 4)
        #expect(driver.machine.snapshot(now: driver.now).freshLag == .seconds(2))
        driver.settle()
        // What waits for the clock is not late.
        #expect(driver.machine.snapshot(now: driver.now).freshLag == nil)
    }
}
