import Environment
import Model
import Testing

@testable import Sinks

@Suite struct ReopeningTests {
    /// A machine that was told these fates, as a new process has it, with what came back.
    private func restarted(
        _ fates: [(Range<Offset>, UploadFate)], returned: [Range<Offset>],
        lost: [LostRange] = []
    ) throws -> (machine: UploadMachine, isReopened: Bool) {
        var settlements = Settlements()
        for (range, fate) in fates { settlements.settle(range, as: fate) }
        var machine = UploadMachine()
        try machine.restore(logA, ProgressCodec.encode(ProgressCodec.Progress(settlements: settlements)))
        let isReopened = machine.reopen(logA, returned, lost: lost)
        return (machine, isReopened)
    }

    private func pending(_ machine: UploadMachine, _ end: UInt64) -> [Range<Offset>] {
        machine.logs[logA]?.settlements.pending(in: span(0, end)) ?? []
    }

    @Test func damagedReadingsAboveTheWatermarkThatCameBackArePending() throws {
        let (machine, isReopened) = try restarted(
            [(span(0, 8), .uploaded), (span(10, 14), .damaged), (span(14, 16), .uploaded)], returned: [span(10, 12)])
        #expect(isReopened)
        #expect(pending(machine, 16) == [span(8, 12)])
        #expect(machine.counts(logA).damaged == 2 && machine.counts(logA).uploaded == 10)
    }

    @Test func belowTheWatermarkEachFateKeepsItsCount() throws {
        let (machine, isReopened) = try restarted(
            [
                (span(0, 4), .uploaded), (span(4, 10), .damaged), (span(10, 12), .evicted(reason: "ring-full")),
                (span(12, 20), .uploaded), (span(22, 24), .uploaded),
            ],
            returned: [span(6, 8)],
            lost: [
                LostRange(span(4, 6), .damaged), LostRange(span(8, 10), .damaged),
                LostRange(span(10, 12), .evicted(reason: "ring-full")),
            ])
        #expect(isReopened)
        #expect(machine.releasable(logA) == Offset(6))
        #expect(pending(machine, 24) == [span(6, 8), span(20, 22)])
        var counts = UploadCounts()
        counts.uploaded = 14
        counts.damaged = 4
        counts.addEvicted(2, reason: "ring-full")
        counts.stored = 24
        counts.pending = 4
        #expect(machine.counts(logA) == counts)
    }

    @Test func whereNothingIsCountedAsDamagedAnyMoreNothingIsSentAgain() throws {
        let (machine, isReopened) = try restarted([(span(0, 20), .uploaded)], returned: [span(4, 10)])
        #expect(!isReopened)
        #expect(machine.releasable(logA) == Offset(20))
    }

    @Test func whereItIsInDoubtWhatWasSentADoubleIsBetterThanALoss() throws {
        // Of eight that were gone once, four had been sent before; the other four came back with nobody knowing which are which.
        let (machine, isReopened) = try restarted(
            [(span(0, 4), .uploaded), (span(4, 8), .damaged), (span(8, 20), .uploaded)], returned: [span(4, 8)],
            lost: [LostRange(span(0, 4), .damaged)])
        #expect(isReopened)
        #expect(pending(machine, 20) == [span(4, 8)])
        #expect(machine.counts(logA).uploaded == 12 && machine.counts(logA).damaged == 4)
    }

    @Test func whatTheSinkHadBeforeItWasLostHereCountsAsUploaded() throws {
        let (machine, _) = try restarted(
            [(span(0, 4), .damaged), (span(4, 20), .uploaded)], returned: [span(0, 4)],
            lost: [LostRange(span(6, 8), .evicted(reason: "ring-full"))])
        #expect(pending(machine, 20) == [span(0, 4)])
        #expect(machine.counts(logA).uploaded == 16 && machine.counts(logA).evictedTotal == 0)
    }

    @Test func nothingThatCameBackIsLeftOutAndNoOtherCountMoves() throws {
        var random = SeededRandom(seed: 3)
        for _ in 0..<500 {
            let end = UInt64.random(in: 1...40, using: &random)
            var fates: [UploadFate] = []
            let kinds: [UploadFate] = [.uploaded, .uploaded, .damaged, .evicted(reason: "ring-full")]
            for _ in 0..<end { fates.append(kinds.randomElement(using: &random) ?? .uploaded) }
            var back: Set<UInt64> = []
            for place in 0..<end where fates[Int(place)] == .damaged {
                if Bool.random(using: &random) { back.insert(place) }
            }
            var lost: [LostRange] = []
            for place in 0..<end where !back.contains(place) {
                switch fates[Int(place)] {
                case .damaged: lost.append(LostRange(span(place, place + 1), .damaged))
                case .evicted(let reason): lost.append(LostRange(span(place, place + 1), .evicted(reason: reason)))
                default: break
                }
            }
            let told = fates.enumerated().map { (span(UInt64($0), UInt64($0) + 1), $1) }
            let (machine, isReopened) = try restarted(
                told, returned: back.sorted().map { span($0, $0 + 1) }, lost: lost)
            #expect(isReopened == !back.isEmpty)
            #expect(Set(pending(machine, end).flatMap { offsets($0) }) == back)
            let counts = machine.counts(logA)
            for fate in [UploadFate.uploaded, .evicted(reason: "ring-full")] {
                #expect(counts[fate] == UInt64(fates.count { $0 == fate }))
            }
            #expect(counts.damaged == UInt64(fates.count { $0 == .damaged } - back.count))
        }
    }

    // MARK: While it runs

    @Test func whatAPeerBringsBackIsSentAndWhatTheSinkHadIsNot() {
        var driver = MachineDriver()
        driver.step(.opened(logA, end: Offset(32), ready: .zero, isCurrent: false))
        driver.step(.lost(logA, span(8, 12), .damaged))
        driver.extend(logA, 32)
        driver.step(.closed(logA))
        driver.drain()
        #expect(driver.machine.counts(logA).uploaded == 28 && driver.finished == [logA])
        // The sink had these before the disk lost them.
        driver.step(.lost(logA, span(16, 24), .damaged))
        driver.sent = []
        driver.step(.restored(logA, [span(16, 24)], lost: [LostRange(span(8, 12), .damaged)]))
        #expect(driver.sent.isEmpty && driver.machine.counts(logA).uploaded == 28)
        driver.step(.restored(logA, [span(6, 11)], lost: [LostRange(span(11, 12), .damaged)]))
        #expect(driver.sent.map(\.range) == [span(8, 11)])
        #expect(driver.machine.counts(logA).damaged == 1 && driver.machine.counts(logA).pending == 3)
        driver.drain()
        #expect(driver.machine.counts(logA).uploaded == 31 && driver.machine.counts(logA).damaged == 1)
        #expect(driver.finished == [logA, logA])
    }

    @Test func aLossThatIsTakenBackWhileItsChunkIsUnderWayIsNone() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        let send = try #require(driver.open.first)
        driver.step(.lost(logA, span(2, 4), .damaged))
        driver.step(.restored(logA, [span(2, 4)], lost: []))
        driver.open = []
        driver.step(.sendAbandoned(send.id))
        #expect(driver.machine.counts(logA).damaged == 0 && driver.machine.counts(logA).pending == 8)
    }

    @Test func whatFoldedIntoTheWatermarkComesBackPieceByPieceWithEveryCountRight() {
        var driver = MachineDriver()
        driver.step(.opened(logA, end: Offset(64), ready: .zero, isCurrent: false))
        for lost in [span(0, 16), span(24, 32)] { driver.step(.lost(logA, lost, .damaged)) }
        driver.extend(logA, 64)
        driver.drain()
        #expect(driver.machine.counts(logA).uploaded == 40)
        driver.sent = []
        driver.step(.restored(logA, [span(0, 8), span(8, 12)], lost: [LostRange(span(12, 16), .damaged)]))
        driver.drain()
        driver.step(.restored(logA, [span(12, 16), span(24, 32)], lost: []))
        driver.drain()
        #expect(Set(driver.sent.flatMap { offsets($0.range) }) == Set(0..<16).union(24..<32))
        #expect(driver.sent.reduce(0) { $0 + $1.range.count } == 24)
        #expect(driver.machine.counts(logA).uploaded == 64 && driver.machine.counts(logA).damaged == 0)
    }
}
