import Environment
import Model
import Testing

@testable import Replication

@Suite struct ReceiptTests {
    let cast = Cast()

    /// The first of the others, which knows of all and holds `held` of the origin's log.
    private func holder(_ held: OffsetRanges) -> RosterDriver {
        var driver = RosterDriver(cast.first)
        driver.members([cast.origin, cast.second])
        driver.sinks([cast.origin, cast.first, cast.second])
        driver.step(.holds(cast.log, held))
        return driver
    }

    @Test func aReceiptThatMatchesSettlesWhatItNamesAndNoMore() {
        var driver = holder(holding(0, 2000))
        driver.step(.uploads(of: cast.origin, cast.key, claim(2000, [receipt(0, 512), receipt(512, 700)])))
        #expect(driver.asked.map(\.range) == [span(0, 512), span(512, 700)])
        #expect(driver.heard().isEmpty && driver.roster.releasable(cast.log) == .zero)
        driver.answerDigests()
        let settled = [span(0, 512), span(512, 700)].map { DutyDirective.settle(sinkS, cast.log, $0, isRefused: false) }
        #expect(driver.heard() == settled)
        #expect(driver.roster.releasable(cast.log) == Offset(700), "the rest of the watermark is mere words")
        #expect(!driver.roster.settledEverywhere(cast.log))
    }

    @Test func aPeerThatBringsMoreToTheSinkIsHeardToReachIt() {
        var driver = holder(holding(0, 2000))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, turn: 1, [receipt(0, 512)])))
        #expect(driver.reached == 1)
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, turn: 2, [receipt(0, 512)])))
        #expect(driver.reached == 1, "it works, and gets nowhere")
        driver.step(.uploads(of: cast.origin, cast.key, claim(700, turn: 3, [receipt(512, 700)])))
        #expect(driver.reached == 2)
    }

    @Test func aReceiptThatDoesNotMatchAlarmsOnceAndSettlesNothing() {
        var driver = holder(holding(0, 512))
        for turn in 1...3 as ClosedRange<UInt64> {
            driver.step(.uploads(of: cast.origin, cast.key, claim(512, turn: turn, [receipt(0, 512, salt: 9)])))
            driver.answerDigests()
        }
        let said = driver.heard()
        #expect(said.count == 1)
        guard case .alarm(let text) = said.first else { return #expect(Bool(false), "no alarm") }
        #expect(text.contains("0..<512") && text.contains("\(cast.origin)"))
        #expect(driver.roster.releasable(cast.log) == .zero && driver.asked.isEmpty)
        driver.step(.uploads(of: cast.second, cast.key, claim(512, [receipt(0, 512)])))
        driver.answerDigests()
        let settled = DutyDirective.settle(sinkS, cast.log, span(0, 512), isRefused: false)
        #expect(driver.heard() == [settled], "another's true receipt still counts")
    }

    @Test func aPeerWhoseReceiptsAreOftenWrongIsNotHeardAnyMore() {
        var driver = holder(holding(0, 5120))
        for turn in 0..<40 as Range<UInt64> {
            driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: turn, [receipt(0, 10, salt: turn + 1)])))
            driver.answerDigests()
        }
        #expect(driver.heard().count == driver.roster.settings.mostFalse)
    }

    @Test func whatIsHeldInPartIsSkippedUntilMoreIsHeld() {
        var driver = holder(OffsetRanges([span(0, 300), span(400, 512)]))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, [receipt(0, 512)])))
        #expect(driver.asked.isEmpty)
        driver.step(.holds(cast.log, holding(0, 512)))
        driver.answerDigests()
        #expect(driver.heard() == [.settle(sinkS, cast.log, span(0, 512), isRefused: false)])
    }

    @Test func whatCannotBeReadIsTriedAgainWhenHoldingsChange() {
        var driver = holder(holding(0, 512))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, [receipt(0, 512)])))
        driver.asked = []
        driver.step(.digested(cast.log, span(0, 512), nil))
        #expect(driver.asked.isEmpty && driver.heard().isEmpty)
        driver.step(.holds(cast.log, holding(0, 600)))
        driver.answerDigests()
        #expect(driver.heard() == [.settle(sinkS, cast.log, span(0, 512), isRefused: false)])
    }

    @Test func fewDigestsAreUnderWayAtATime() {
        var driver = holder(holding(0, 51_200))
        driver.step(
            .uploads(of: cast.origin, cast.key, claim(0, (0..<32).map { receipt($0 * 512, $0 * 512 + 512) })))
        #expect(driver.asked.count == driver.roster.settings.digestsInFlight)
        driver.answerDigests()
        #expect(driver.heard().count == 32)
    }

    @Test func answersThatNobodyAskedForSettleNothing() {
        var driver = holder(holding(0, 512))
        driver.step(.digested(cast.log, span(0, 512), digest(span(0, 512))))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, [receipt(0, 512)])))
        driver.answerDigests()
        driver.step(.digested(cast.log, span(0, 512), 0))
        #expect(driver.heard() == [.settle(sinkS, cast.log, span(0, 512), isRefused: false)])
    }

    @Test func receiptsOfTheDeadCountAndOnesOfAFormerSelf() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first], dead: [cast.second])
        driver.sinks([cast.origin, cast.first])
        driver.step(.holds(cast.log, holding(0, 1024)))
        driver.step(.uploads(of: cast.second, cast.key, claim(0, [receipt(0, 512)])))
        driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: 50, [receipt(512, 1024)])))
        driver.answerDigests()
        #expect(driver.roster.releasable(cast.log) == Offset(1024) && driver.roster.settledEverywhere(cast.log))
        driver.run(10)
        driver.step(.holds(cast.log, holding(0, 1025)))
        driver.run(2)
        #expect(driver.claims.last?.claim.turn == 51, "turns go on where they were")
    }

    @Test func whatAnyoneRequiresHoldsDataBackEverywhere() {
        var driver = holder(holding(0, 512))
        driver.step(.settled(sinkS, cast.log, holding(0, 512), isUploaded: true))
        #expect(driver.roster.releasable(cast.log) == Offset(512))
        let far = SinkStatus(sink: sinkT, isRequired: true, isReachable: false)
        driver.step(.sinks(of: cast.second, [far]))
        #expect(driver.roster.required == [sinkS, sinkT])
        #expect(driver.roster.releasable(cast.log) == .zero)
        let key = UploadKey(sink: sinkT, log: cast.log)
        driver.step(.uploads(of: cast.second, key, claim(512, [receipt(0, 512)])))
        driver.answerDigests()
        #expect(driver.roster.releasable(cast.log) == Offset(512))
        #expect(driver.heard().isEmpty, "there is no machine here to be told of that sink")
    }

    @Test func aForgottenMembersSinksHoldNothingBack() {
        var driver = holder(holding(0, 512))
        driver.step(.sinks(of: cast.second, [SinkStatus(sink: sinkT, isRequired: true, isReachable: false)]))
        driver.step(.settled(sinkS, cast.log, holding(0, 512), isUploaded: true))
        driver.members([cast.origin], dead: [cast.second])
        #expect(driver.roster.releasable(cast.log) == .zero)
        driver.members([cast.origin])
        #expect(driver.roster.releasable(cast.log) == Offset(512))
    }

    @Test func nothingIsRequiredWhereNobodySaysSo() {
        var driver = RosterDriver(cast.first)
        driver.step(.sinks(of: cast.first, [SinkStatus(sink: sinkS, isRequired: false, isReachable: true)]))
        driver.step(.holds(cast.log, holding(0, 5)))
        #expect(driver.roster.releasable(cast.log) == nil && driver.roster.settledEverywhere(cast.log))
    }

    @Test func whatIsNotHereStopsTheWatermarkButNotWhatMayGoFromHere() {
        var driver = holder(holding(512, 1024))
        driver.step(.uploads(of: cast.origin, cast.key, claim(1024, [receipt(512, 1024)])))
        driver.answerDigests()
        #expect(driver.roster.releasable(cast.log) == .zero)
        #expect(driver.roster.releasableHere(cast.log) == Offset(1024))
    }

    @Test func refusedReadingsMayGoAndNeedNoUpload() {
        var driver = RosterDriver(cast.origin)
        driver.sinks([cast.origin])
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 20)))
        driver.step(.uploaded(sinkS, cast.log, span(0, 10), digest: 1))
        driver.step(.settled(sinkS, cast.log, holding(10, 12), isUploaded: false))
        driver.step(.uploaded(sinkS, cast.log, span(12, 20), digest: 2))
        driver.run(1)
        #expect(driver.roster.releasable(cast.log) == Offset(20))
        driver.run(5)
        #expect(driver.claims.last?.claim.ranges == holding(0, 20))
        #expect(driver.roster.proved(sinkS, cast.log) == OffsetRanges([span(0, 10), span(12, 20)]))
    }

    private func refusal(_ low: UInt64, _ high: UInt64, salt: UInt64 = 0) -> UploadReceipt {
        UploadReceipt(range: span(low, high), digest: digest(span(low, high), salt: salt), isRefused: true)
    }

    @Test func aRefusalIsToldWithItsDigestOnceTheReadingIsHeld() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first])
        driver.sinks([cast.origin, cast.first])
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 10)))
        driver.step(.uploaded(sinkS, cast.log, span(0, 10), digest: digest(span(0, 10))))
        driver.step(.refused(sinkS, cast.log, span(10, 12)))
        #expect(driver.asked.isEmpty, "it is not durable yet")
        driver.step(.holds(cast.log, holding(0, 20)))
        #expect(driver.asked.map(\.range) == [span(10, 12)])
        driver.answerDigests()
        driver.run(1)
        #expect(driver.claims.last?.claim.receipts == [receipt(0, 10), refusal(10, 12)])
        #expect(driver.claims.last?.claim.watermark == Offset(12))
        #expect(driver.roster.releasable(cast.log) == Offset(12))
    }

    @Test func aRefusalThatMatchesSettlesAsRefusedAndIsNotToldOn() {
        var driver = holder(holding(0, 20))
        let told = claim(10, [receipt(0, 10), refusal(10, 12), receipt(12, 20)])
        driver.step(.uploads(of: cast.origin, cast.key, told))
        driver.answerDigests()
        let settled = [(span(0, 10), false), (span(10, 12), true), (span(12, 20), false)]
        #expect(driver.heard() == settled.map { DutyDirective.settle(sinkS, cast.log, $0, isRefused: $1) })
        #expect(driver.roster.settledEverywhere(cast.log))
        driver.run(6)
        #expect(driver.claims.last?.claim.ranges == holding(0, 20))
        #expect(driver.claims.last?.claim.receipts.isEmpty == true, "who did not send it gives no receipt")
        driver.step(.uploads(of: cast.origin, cast.key, told))
        #expect(driver.asked.isEmpty, "what is known is not read again")
    }

    @Test func aRefusalThatDoesNotMatchAlarmsAndSettlesNothing() {
        var driver = holder(holding(0, 20))
        driver.step(.uploads(of: cast.origin, cast.key, claim(0, [refusal(10, 12, salt: 4)])))
        driver.answerDigests()
        guard case .alarm = driver.heard().first else { return #expect(Bool(false), "no alarm") }
        #expect(driver.roster.settledRanges(cast.log)?.isEmpty == true)
    }

    @Test func whatOnePeerUploadedAndAnotherSentInVainIsAtTheSink() {
        var driver = holder(holding(0, 20))
        driver.step(.uploads(of: cast.origin, cast.key, claim(0, [refusal(10, 12)])))
        driver.step(.uploads(of: cast.second, cast.key, claim(0, [receipt(10, 12)])))
        driver.answerDigests()
        #expect(driver.heard() == [.settle(sinkS, cast.log, span(10, 12), isRefused: false)])
        #expect(driver.roster.proved(sinkS, cast.log) == holding(10, 12))
    }

    @Test func aReceiptWithoutADigestIsCompletedFromTheDisk() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first])
        driver.sinks([cast.origin, cast.first])
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 512)))
        driver.step(.uploaded(sinkS, cast.log, span(0, 512), digest: nil))
        #expect(driver.asked.map(\.range) == [span(0, 512)])
        driver.answerDigests()
        driver.run(1)
        #expect(driver.claims.last?.claim.receipts == [receipt(0, 512)])
        #expect(driver.heard() == [.start(sinkS, cast.log)])
    }

    @Test func whoMissedTheReceiptsGetsThemAnew() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first, cast.second])
        driver.sinks([cast.origin, cast.first])
        driver.step(.settled(sinkS, cast.log, holding(0, 10_000), isUploaded: true))
        driver.step(.holds(cast.log, holding(0, 10_000)))
        driver.step(.peerHolds(cast.first, cast.log, holding(100, 9000)))
        driver.step(.uploads(of: cast.first, cast.key, claim(200, isWorking: false)))
        driver.run(6)
        #expect(driver.asked.isEmpty)
        driver.run(1)
        driver.answerDigests()
        driver.run(1)
        #expect(driver.claims.last?.claim.receipts == [receipt(200, 8192)])
        driver.run(1)
        driver.answerDigests()
        driver.run(1)
        #expect(driver.claims.last?.claim.receipts == [receipt(200, 8192), receipt(8192, 9000)])
        let count = driver.claims.count
        driver.run(100)
        #expect(driver.claims.count == count && driver.asked.isEmpty, "told is told")
    }

    /// A log with many short ranges has more of them than a claim has room for: its writer looks behind for ever.
    @Test func whoSeemsBehindForEverGetsReceiptsEverMoreSeldom() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first])
        driver.sinks([cast.origin, cast.first])
        let islands = OffsetRanges((0..<200).map { span($0 * 10, $0 * 10 + 5) })
        driver.step(.holds(cast.log, islands))
        driver.step(.settled(sinkS, cast.log, islands, isUploaded: true))
        driver.step(.peerHolds(cast.first, cast.log, islands))
        var told = claim(5, isWorking: false)
        told.settled = islands.bounded(to: UploadClaim.mostSettled)
        driver.step(.uploads(of: cast.first, cast.key, told))
        func claims(_ driver: inout RosterDriver, in seconds: Int) -> Int {
            let before = driver.claims.count
            for _ in 0..<seconds {
                driver.run(1)
                driver.answerDigests()
            }
            return driver.claims.count - before
        }
        let first = claims(&driver, in: 300)
        #expect(first > 10)
        #expect(claims(&driver, in: 300) < first / 2)
        // News of it, and it is worth trying again.
        told.settled = islands.bounded(to: 3)
        driver.step(.uploads(of: cast.first, cast.key, told))
        #expect(claims(&driver, in: 300) > first / 2)
    }

    @Test func onlyTheBestOfThoseWhoKnowVouches() {
        var driver = holder(holding(0, 512))
        driver.step(.settled(sinkS, cast.log, holding(0, 512), isUploaded: true))
        driver.step(.peerHolds(cast.second, cast.log, holding(0, 512)))
        driver.step(.peerHolds(cast.origin, cast.log, holding(0, 512)))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, isWorking: false)))
        driver.run(30)
        #expect(driver.asked.isEmpty)
        driver.members([cast.second], dead: [cast.origin])
        driver.run(30)
        #expect(driver.asked.map(\.range) == [span(0, 512)])
    }

    @Test func aForgottenLogLeavesNothingBehind() {
        var driver = holder(holding(0, 512))
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, [receipt(0, 512)])))
        driver.answerDigests()
        driver.run(6)
        #expect(driver.claims.count == 1)
        driver.step(.forgotten(cast.log))
        #expect(driver.heard().last == .withdraw(cast.key))
        #expect(driver.roster.duties.isEmpty && driver.roster.logs.isEmpty && driver.roster.agenda.isEmpty)
    }
}
