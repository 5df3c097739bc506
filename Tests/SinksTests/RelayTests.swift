import Environment
import Model
import Testing

@testable import Sinks

@Suite struct RelayTests {
    /// A driver that relays log B, of which `held` is here, up to `end`.
    private func relaying(_ held: [Range<Offset>], end: UInt64) -> MachineDriver {
        var driver = MachineDriver()
        driver.step(.relayed(logB, held: held, end: Offset(end)))
        driver.step(.paused(logB, false))
        return driver
    }

    @Test func aRelayedLogWaitsUntilItIsSaidToGo() {
        var driver = MachineDriver()
        driver.step(.relayed(logB, held: [span(0, 16)], end: Offset(16)))
        #expect(driver.sent.isEmpty)
        driver.step(.paused(logB, false))
        #expect(driver.sent.map(\.range) == [span(0, 8), span(8, 16)])
        #expect(driver.sent.allSatisfy { $0.lane == .backFill })
    }

    @Test func onlyWhatIsHeldGoesAndHolesAreFilledLater() {
        var driver = relaying([span(20, 30), span(3, 10)], end: 40)
        driver.settle()
        #expect(driver.sent.map(\.range) == [span(3, 8), span(8, 10), span(20, 24), span(24, 30)])
        #expect(driver.machine.releasable(logB) == .zero)
        driver.step(.relayed(logB, held: [span(0, 40)], end: Offset(40)))
        driver.step(.closed(logB))
        driver.settle()
        #expect(driver.machine.releasable(logB) == Offset(40))
        #expect(driver.sent.reduce(0) { $0 + $1.range.count } == 40, "nothing went twice")
        #expect(driver.finished == [logB])
    }

    @Test func manyHolesStopNothing() {
        let held = (0..<100).map { span($0 * 8 + 2, $0 * 8 + 6) }
        var driver = relaying(held, end: 800)
        driver.settle()
        #expect(driver.sent.map(\.range) == held)
    }

    @Test func aRangeThatIsGoneHereIsNeitherSentNorCounted() {
        var driver = MachineDriver()
        driver.step(.relayed(logB, held: [span(0, 16)], end: Offset(16)))
        driver.step(.lost(logB, span(4, 12), .damaged))
        driver.step(.paused(logB, false))
        driver.settle()
        #expect(driver.sent.map(\.range) == [span(0, 4), span(12, 16)])
        #expect(driver.settled.allSatisfy { $0.fate == .uploaded && $0.isRelayed && !$0.isByPeer })
        #expect(driver.machine.counts(logB).damaged == 0)
    }

    @Test func peersLogsStayOutOfTheLedgerAndTheLanes() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 8)
        driver.step(.relayed(logB, held: [span(0, 16)], end: Offset(16)))
        driver.step(.paused(logB, false))
        let snapshot = driver.machine.snapshot(now: driver.now)
        #expect(snapshot.counts.stored == 8 && snapshot.logs.map(\.log) == [logA])
        #expect(snapshot.relayed.map(\.log) == [logB])
        #expect(snapshot.backFill.pending == 0 && snapshot.backFill.inFlight == 0)
        driver.settle()
        #expect(driver.machine.counts.uploaded == 8)
        driver.step(.forgotten(logB))
        driver.step(.dropped(logB))
        #expect(driver.machine.counts.uploaded == 8 && driver.machine.counts.isBalanced)
        #expect(driver.machine.snapshot(now: driver.now).relayed.isEmpty)
    }

    @Test func whatAPeerDeliveredIsNotSent() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logA, 32)
        driver.step(.delivered(logA, span(8, 24)))
        driver.settle()
        #expect(driver.sent.map(\.range) == [span(0, 8), span(24, 32)])
        #expect(driver.settled.filter(\.isByPeer).map(\.range) == [span(8, 24)])
        #expect(driver.machine.counts(logA).uploaded == 32 && driver.finished == [logA])
    }

    @Test func whatWasRefusedToAPeerIsNotSentAndCountsAsRefused() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logA, 32)
        driver.step(.refusedToPeer(logA, span(8, 10)))
        driver.step(.refusedToPeer(logA, span(9, 11)))
        driver.step(.refusedToPeer(logA, span(31, 90)))
        driver.settle()
        #expect(driver.sent.map(\.range) == [span(0, 8), span(11, 16), span(16, 24), span(24, 31)])
        let told = driver.settled.filter(\.isByPeer)
        #expect(told.map(\.range) == [span(8, 10), span(10, 11), span(31, 32)])
        #expect(told.allSatisfy { $0.fate == .refused })
        let counts = driver.machine.counts(logA)
        #expect(counts.uploaded == 28 && counts.refused == 4 && counts.isBalanced && driver.finished == [logA])
        #expect(driver.machine.refusedOffsets(logA) == Set([8, 9, 10, 31].map { Offset($0) }))
        #expect(driver.refused.isEmpty, "the peer has reported it")
    }

    @Test func aPeersRefusalLiftsTheSuspicion() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logA, 8)
        driver.drain(poison: Set(0..<8))
        #expect(driver.machine.suspects.map(\.range) == [span(0, 8)])
        driver.step(.refusedToPeer(logA, span(0, 8)))
        #expect(driver.machine.suspects.isEmpty && driver.finished == [logA])
        #expect(driver.machine.counts(logA).refused == 8)
    }

    @Test func namesOfALongRunRefusedToAPeerAreBounded() {
        var driver = MachineDriver()
        driver.step(.paused(logA, true))
        driver.openOld(logA, 1000)
        driver.step(.refusedToPeer(logA, span(0, 1000)))
        #expect(driver.machine.counts(logA).refused == 1000)
        #expect(driver.machine.refusedOffsets(logA).count == UploadMachine.refusedNamesKept)
    }

    @Test func aDeliveryOvertakesASendThatThenEndsHarmlessly() {
        for outcome in [SendOutcome.accepted, .refused(reason: "no"), down] {
            var driver = MachineDriver { $0.chunksInFlight = 1 }
            driver.openOld(logA, 8)
            driver.step(.delivered(logA, span(0, 8)))
            #expect(driver.finished.isEmpty, "one send is under way")
            driver.answer(outcome)
            #expect(driver.finished == [logA])
            #expect(driver.settled == [SettledRange(log: logA, range: span(0, 8), fate: .uploaded, isByPeer: true)])
            driver.step(.forgotten(logA))
            #expect(driver.machine.counts.uploaded == 8 && driver.machine.counts.isBalanced)
        }
    }

    @Test func aDeliveryEndsTheSplittingOfWhatItBrought() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.openOld(logA, 8)
        driver.answer(.refused(reason: "one is bad"))
        driver.step(.delivered(logA, span(0, 8)))
        driver.answer(.refused(reason: "one is bad"))
        #expect(driver.open.isEmpty && driver.refused.isEmpty && driver.finished == [logA])
    }

    @Test func aDeliveryBeyondTheEndOfAnOwnLogInventsNoReadings() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        driver.step(.delivered(logA, span(0, 100)))
        driver.step(.delivered(logA, span(50, 100)))
        driver.step(.delivered(logC, span(0, 5)))
        #expect(driver.machine.counts.stored == 8 && driver.machine.counts.isBalanced)
    }

    @Test func aPausedLogEndsWhatIsUnderWayAndBeginsNothing() {
        var driver = MachineDriver { $0.chunksInFlight = 2 }
        driver.openOld(logA, 64)
        driver.step(.paused(logA, true))
        driver.drain()
        #expect(driver.sent.map(\.range) == [span(0, 8), span(8, 16)])
        driver.step(.paused(logA, false))
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(64))
    }

    @Test func pausedBeforeItIsOpenedALogBeginsNothing() {
        var driver = MachineDriver()
        driver.step(.paused(logA, true))
        driver.openOld(logA, 64)
        #expect(driver.sent.isEmpty && driver.wake == nil)
    }

    @Test func anAllowanceBoundsWhatIsUnderWayAndAccepted() {
        var driver = MachineDriver { $0.chunksInFlight = 4 }
        driver.step(.allow(logA, chunks: 3))
        driver.openOld(logA, 200)
        #expect(driver.sent.count == 3)
        driver.drain()
        #expect(driver.sent.count == 3, "nobody said that these are known")
        driver.step(.allow(logA, chunks: 2))
        #expect(driver.open.count == 2)
        driver.step(.allow(logA, chunks: 2))
        #expect(driver.open.count == 2, "those under way are included")
        driver.step(.allow(logA, chunks: 0))
        driver.drain()
        #expect(driver.sent.count == 5)
        driver.step(.allow(logA, chunks: nil))
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(200))
    }

    @Test func whatTheSinkDidNotTakeUsesNoAllowance() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.step(.allow(logA, chunks: 1))
        driver.openOld(logA, 32)
        driver.answer(down)
        driver.advanceToWake()
        driver.step(.sendAbandoned(driver.open.removeFirst().id))
        driver.advanceToWake()
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(8))
    }

    @Test func whatADeliveryHasOvertakenUsesNoAllowance() {
        var driver = MachineDriver { $0.chunksInFlight = 1 }
        driver.step(.allow(logA, chunks: 1))
        driver.openOld(logA, 32)
        driver.step(.delivered(logA, span(0, 8)))
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(16), "one more was allowed, as nothing of the first is told")
    }

    @Test func aDroppedLogIsForgottenButWhatTheSinkTookIsTold() {
        var driver = relaying([span(0, 24)], end: 24)
        driver.answer(.accepted)
        driver.step(.dropped(logB))
        driver.answer(.accepted)
        driver.answer(.refused(reason: "no"))
        #expect(driver.settled.map(\.range) == [span(0, 8), span(8, 16)])
        #expect(driver.settled.allSatisfy { $0.isRelayed })
        #expect(driver.open.isEmpty && driver.machine.jobs.isEmpty && driver.machine.gates.isEmpty)
        driver.openOld(logA, 8)
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(8))
    }

    @Test func aSendThatOutlivesItsLogIsNotRepeatedByTheNextLife() {
        var driver = relaying([span(0, 8)], end: 8)
        driver.step(.dropped(logB))
        driver.step(.relayed(logB, held: [span(0, 16)], end: Offset(16)))
        driver.step(.paused(logB, false))
        #expect(driver.sent.map(\.range) == [span(0, 8), span(8, 16)])
        driver.drain()
        #expect(driver.machine.releasable(logB) == Offset(16))
        #expect(driver.settled.map(\.range) == [span(0, 8), span(8, 16)])
    }

    @Test func ownLogsCannotBeDropped() {
        var driver = MachineDriver()
        driver.openOld(logA, 16)
        driver.step(.dropped(logA))
        driver.settle()
        #expect(driver.machine.counts.uploaded == 16)
    }

    @Test func progressOfARelayedLogSurvivesARestart() throws {
        var driver = relaying([span(0, 16), span(24, 32)], end: 32)
        driver.settle()
        let bytes = driver.machine.encodedProgress(logB)
        var next = MachineDriver()
        try next.machine.restore(logB, bytes, isRelayed: true)
        #expect(next.machine.counts.stored == 0)
        next.step(.relayed(logB, held: [span(0, 32)], end: Offset(32)))
        next.step(.paused(logB, false))
        next.settle()
        #expect(next.sent.map(\.range) == [span(16, 24)])
    }
}

/// Logs of peers that come, grow, shrink, are delivered by others, paused and dropped, beside an own one; each seed is one history.
@Suite struct RelayHistoryTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func nothingIsSentThatIsNotHeldNorTwiceThatWasDone(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var driver = MachineDriver { $0.chunksInFlight = 3 }
        driver.openCurrent(logA, 40)
        var end: UInt64 = 40
        var held: [LogID: Set<UInt64>] = [:]
        var checked = 0
        for _ in 0..<800 {
            let log = [logB, logC].randomElement(using: &random) ?? logB
            let low = UInt64.random(in: 0..<60, using: &random)
            let range = span(low, low + UInt64.random(in: 1..<20, using: &random))
            let before = driver.machine
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1:
                held[log, default: []].formUnion(offsets(range))
                relay(log, held, &driver)
            case 2:
                held[log]?.subtract(offsets(range))
                driver.step(.lost(log, range, .damaged))
            case 3: driver.step(.delivered([logA, logB, logC].randomElement(using: &random) ?? logA, range))
            case 4: driver.step(.paused(log, Bool.random(using: &random)))
            case 5: driver.step(.allow(log, chunks: [nil, 0, 1, 3].randomElement(using: &random) ?? nil))
            case 6 where Int.random(in: 0..<5, using: &random) == 0:
                held[log] = []
                driver.step(.dropped(log))
            case 7:
                end += 5
                driver.extend(logA, end)
            case 8: driver.answer(down)
            case 9: driver.advance(.seconds(2))
            default: driver.answer(.accepted)
            }
            for request in driver.sent[checked...] {
                let settled = before.settledRanges(request.log).map(\.range)
                #expect(!settled.contains { $0.overlaps(request.range) }, "seed \(seed)")
                let isHeld = request.log == logA || held[request.log]?.isSuperset(of: offsets(request.range)) == true
                #expect(isHeld, "seed \(seed)")
            }
            checked = driver.sent.count
            #expect(driver.machine.counts.isBalanced && driver.machine.counts.stored == end, "seed \(seed)")
        }
        for log in [logB, logC] {
            relay(log, held, &driver)
            driver.step(.paused(log, false))
            driver.step(.allow(log, chunks: nil))
        }
        driver.step(.closed(logA))
        driver.settle()
        #expect(driver.machine.releasable(logA) == Offset(end), "seed \(seed)")
        for log in [logB, logC] {
            let settled = driver.machine.settledRanges(log).flatMap { Array(offsets($0.range)) }
            #expect(held[log]?.isSubset(of: settled) ?? true, "seed \(seed)")
        }
    }

    private func relay(_ log: LogID, _ held: [LogID: Set<UInt64>], _ driver: inout MachineDriver) {
        let ranges = held[log, default: []].sorted().map { span($0, $0 + 1) }
        driver.step(.relayed(log, held: ranges, end: Offset(80)))
    }
}
