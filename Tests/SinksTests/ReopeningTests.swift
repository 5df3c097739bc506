import Environment
import Model
import Testing

@testable import Sinks

@Suite struct ReopeningTests {
    /// A machine that was told these fates, as a new process has it, with what came back.
    private func restarted(
        _ fates: [(Range<Offset>, UploadFate)], returned: [Range<Offset>],
        lost: [(range: Range<Offset>, loss: UploadLoss)] = []
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
                (span(4, 6), .damaged), (span(8, 10), .damaged), (span(10, 12), .evicted(reason: "ring-full")),
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
            lost: [(span(0, 4), .damaged)])
        #expect(isReopened)
        #expect(pending(machine, 20) == [span(4, 8)])
        #expect(machine.counts(logA).uploaded == 12 && machine.counts(logA).damaged == 4)
    }

    @Test func whatTheSinkHadBeforeItWasLostHereCountsAsUploaded() throws {
        let (machine, _) = try restarted(
            [(span(0, 4), .damaged), (span(4, 20), .uploaded)], returned: [span(0, 4)],
            lost: [(span(6, 8), .evicted(reason: "ring-full"))])
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
            var lost: [(range: Range<Offset>, loss: UploadLoss)] = []
            for place in 0..<end where !back.contains(place) {
                switch fates[Int(place)] {
                case .damaged: lost.append((span(place, place + 1), .damaged))
                case .evicted(let reason): lost.append((span(place, place + 1), .evicted(reason: reason)))
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
}
