import Environment
import Model
import Testing

@testable import Replication

@Suite struct DutyTests {
    let cast = Cast()
    var start: DutyDirective { .start(sinkS, cast.log) }
    var stop: DutyDirective { .stop(sinkS, cast.log) }

    /// One of the cast that is long alive, knows the others and their sinks, and holds `held` of the origin's log.
    private func member(_ node: NodeID, holds held: OffsetRanges = OffsetRanges(), isOriginAlive: Bool = true)
        -> RosterDriver
    {
        var driver = RosterDriver(node)
        let others = [cast.origin, cast.first, cast.second].filter { $0 != node }
        driver.members(
            others.filter { isOriginAlive || $0 != cast.origin }, dead: isOriginAlive ? [] : [cast.origin])
        driver.sinks([cast.origin, cast.first, cast.second])
        driver.run(20)
        if !held.isEmpty {
            for other in others { driver.step(.peerHolds(other, cast.log, held)) }
            driver.step(.holds(cast.log, held))
        }
        return driver
    }

    @Test func aLoneGatewayStartsItsLogsAtOnceAndSaysNothing() {
        var driver = RosterDriver(cast.origin, isClustered: false)
        driver.sinks([cast.origin])
        driver.step(.holds(cast.log, holding(0, 512)))
        #expect(driver.heard() == [start])
        #expect(driver.allowance == nil)
        driver.step(.uploaded(sinkS, cast.log, span(0, 512), digest: 1))
        driver.sinks([cast.origin], reachable: false)
        driver.run(100)
        #expect(driver.heard().isEmpty && driver.claims.isEmpty)
        #expect(driver.roster.releasable(cast.log) == Offset(512))
    }

    @Test func theLogOfThisProcessStartsAtOnceAnOlderOneAfterTenSeconds() {
        var driver = RosterDriver(cast.origin)
        driver.sinks([cast.origin])
        let old = LogName(node: cast.origin, log: LogID(5))
        driver.step(.holds(old, holding(0, 512)))
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 1)))
        #expect(driver.heard() == [start])
        driver.run(9)
        #expect(driver.heard().isEmpty)
        driver.run(1)
        #expect(driver.heard() == [.start(sinkS, old)])
    }

    @Test func theOriginStartsALogThatItLostOnceItHoldsSomethingOfItAgain() {
        var driver = RosterDriver(cast.origin)
        driver.members([cast.first])
        driver.sinks([cast.origin, cast.first])
        driver.step(.uploads(of: cast.first, cast.key, claim(0, isWorking: false)))
        driver.run(20)
        #expect(driver.heard().isEmpty, "its owner knows of no such log yet")
        for _ in 0..<2 {
            driver.step(.holds(cast.log, holding(0, 512)))
            #expect(driver.heard() == [start])
            driver.step(.holds(cast.log, OffsetRanges()))
            #expect(driver.heard() == [stop])
        }
    }

    @Test func theOriginThatReturnsSaysSoAndLetsTheOtherStopFirst() {
        for isHeard in [true, false] {
            var driver = RosterDriver(cast.origin)
            driver.members([cast.first])
            driver.sinks([cast.origin, cast.first])
            driver.step(.holds(cast.log, holding(0, 5120)))
            driver.run(9)
            driver.step(.uploads(of: cast.first, cast.key, claim(0, turn: 1)))
            #expect(driver.claims.isEmpty)
            driver.run(1)
            #expect(driver.claims.last?.claim.isWorking == true && driver.heard().isEmpty)
            let turn: UInt64 = isHeard ? 1 : 2
            driver.step(.uploads(of: cast.first, cast.key, claim(0, turn: turn, isWorking: !isHeard)))
            if !isHeard {
                driver.run(4)
                #expect(driver.heard().isEmpty)
                driver.run(1)
            }
            #expect(driver.heard() == [start])
        }
    }

    @Test func theOriginThatReturnsWaitsForTheProofOfWhatItsPeersSayWasUploaded() {
        for isProved in [true, false] {
            var driver = RosterDriver(cast.origin)
            driver.members([cast.first])
            driver.sinks([cast.origin, cast.first])
            driver.step(.holds(cast.log, holding(0, 5120)))
            driver.step(.uploads(of: cast.first, cast.key, claim(1024, isWorking: false)))
            driver.run(15)
            #expect(driver.heard().isEmpty)
            if isProved {
                let receipts = [receipt(0, 1024)]
                driver.step(.uploads(of: cast.first, cast.key, claim(1024, turn: 2, isWorking: false, receipts)))
                #expect(driver.heard().isEmpty)
                driver.answerDigests()
                #expect(driver.heard() == [.settle(sinkS, cast.log, span(0, 1024), isRefused: false), start])
            } else {
                driver.run(54)
                #expect(driver.heard().isEmpty)
                driver.run(1)
                #expect(driver.heard() == [start], "a double is better than a loss")
            }
        }
    }

    @Test(arguments: [(0, 1.0), (1, 6.0), (2, 11.0)])
    func aRankStartsAfterItsTimeOfSilence(_ rank: Int, _ seconds: Double) {
        let isOriginAlive = rank == 2
        var driver = member(rank == 0 ? cast.first : cast.second, isOriginAlive: isOriginAlive)
        for other in [cast.origin, cast.first, cast.second] where other != driver.roster.node {
            driver.step(.peerHolds(other, cast.log, holding(0, 512)))
        }
        driver.step(.holds(cast.log, holding(0, 512)))
        driver.run(seconds - 0.25)
        #expect(driver.heard().isEmpty)
        driver.run(0.25)
        #expect(driver.heard() == [start])
    }

    @Test func turnsPutOffAndDeathCallsAtOnce() {
        var driver = member(cast.first, holds: holding(0, 5120))
        for turn in 1...10 as ClosedRange<UInt64> {
            driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: turn)))
            driver.run(2)
        }
        #expect(driver.heard().isEmpty)
        driver.members([cast.second], dead: [cast.origin])
        #expect(driver.heard() == [start])
        #expect(driver.claims.last?.claim.isWorking == true, "the others hear of it at once")
    }

    @Test func theDeathOfTheUploaderCallsTheNextRankAlone() {
        var driver = member(cast.second, holds: holding(0, 5120))
        for turn in 1...10 as ClosedRange<UInt64> {
            driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: turn)))
            driver.run(2)
        }
        driver.members([cast.first], dead: [cast.origin])
        // The first may not know of the death yet: it starts 6 s after the last turn then.
        driver.run(8.75)
        #expect(driver.heard().isEmpty)
        driver.run(0.25)
        #expect(driver.heard() == [start], "the first, too, is silent for long enough")
    }

    @Test func aRepeatedTurnIsNoSignOfLife() {
        var driver = member(cast.first, holds: holding(0, 5120))
        for _ in 0..<4 {
            driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: 7)))
            driver.run(2)
        }
        #expect(driver.heard() == [start], "6 s after the first")
    }

    @Test func whoHearsABetterOneStopsAndAWorseOneDoesNotMatter() {
        var driver = member(cast.first, holds: holding(0, 5120), isOriginAlive: false)
        driver.run(1)
        #expect(driver.heard() == [start])
        driver.step(.uploads(of: cast.second, cast.key, claim(0, turn: 1)))
        #expect(driver.heard().isEmpty)
        driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: 1)))
        #expect(driver.heard().isEmpty, "the dead do not work")
        driver.members([cast.origin, cast.second])
        driver.step(.uploads(of: cast.origin, cast.key, claim(0, turn: 2)))
        #expect(driver.heard() == [stop])
        driver.run(0.25)
        #expect(driver.claims.last?.claim.isWorking == false)
    }

    @Test func theBestOfThePeersDoesNotTakeOverFromAWorseOneThatWorks() {
        var driver = RosterDriver(cast.first)
        driver.members([cast.second], dead: [cast.origin])
        driver.sinks([cast.first, cast.second])
        driver.step(.peerHolds(cast.second, cast.log, holding(0, 5120)))
        driver.step(.holds(cast.log, holding(0, 5120)))
        for turn in 1...20 as ClosedRange<UInt64> {
            driver.step(.uploads(of: cast.second, cast.key, claim(0, turn: turn)))
            driver.run(2)
        }
        #expect(driver.heard().isEmpty)
        driver.step(.uploads(of: cast.second, cast.key, claim(0, turn: 21, isWorking: false)))
        #expect(driver.heard() == [start])
    }

    @Test func theSinksWishToWaitIsNoSilence() {
        var driver = member(cast.first, holds: holding(0, 5120))
        var waiting = claim(0, turn: 1)
        waiting.waitSeconds = 60
        driver.step(.uploads(of: cast.origin, cast.key, waiting))
        driver.run(65.9)
        #expect(driver.heard().isEmpty)
        driver.run(0.2)
        #expect(driver.heard() == [start])
    }

    @Test func whoCannotReachTheSinkOrHoldsNothingIsNoCandidate() {
        var driver = member(cast.first, holds: holding(0, 512))
        driver.run(1)
        #expect(driver.heard().isEmpty)
        driver.sinks([cast.origin], reachable: false)
        #expect(driver.heard() == [start], "the origin is none")
        driver.sinks([cast.first], reachable: false)
        #expect(driver.heard() == [stop])
        var other = member(cast.second, holds: holding(0, 512))
        other.step(.holds(cast.log, holding(0, 1024)))
        other.step(.peerHolds(cast.origin, cast.log, nil))
        other.step(.uploads(of: cast.first, cast.key, claim(512, turn: 0, isWorking: false)))
        other.run(1)
        #expect(other.heard() == [start], "neither the origin, which holds nothing, nor who has it uploaded")
    }

    @Test func theOriginGoesOnTryingAndTakesBackWhenItReachesTheSink() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 5120)))
        #expect(driver.heard() == [start])
        driver.run(3)
        driver.sinks([cast.origin], reachable: false)
        driver.run(1)
        #expect(driver.claims.last?.claim.isWorking == false)
        let count = driver.claims.count
        driver.step(.uploads(of: cast.first, cast.key, claim(0, turn: 4)))
        driver.run(60)
        #expect(driver.heard().isEmpty && driver.claims.count == count)
        driver.sinks([cast.origin])
        #expect(driver.claims.last?.claim.isWorking == true, "at once, as another works")
    }

    @Test func aStartWaitsForProofsThatAreUnderWay() {
        var driver = member(cast.first)
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, turn: 1, isWorking: false, [receipt(0, 512)])))
        driver.members([cast.second], dead: [cast.origin])
        driver.step(.holds(cast.log, holding(0, 1024)))
        driver.run(5)
        #expect(driver.heard().isEmpty)
        driver.answerDigests()
        #expect(driver.heard() == [.settle(sinkS, cast.log, span(0, 512), isRefused: false), start])
    }

    @Test func whatOthersSayToHaveUploadedWaitsLongForItsProof() {
        var driver = member(cast.first)
        driver.step(.uploads(of: cast.origin, cast.key, claim(512, turn: 1, isWorking: false)))
        driver.step(.holds(cast.log, holding(0, 512)))
        driver.run(59)
        #expect(driver.heard().isEmpty)
        driver.run(2)
        #expect(driver.heard() == [start], "a double that the sink removes, never a loss")
    }

    @Test func fourChunksMayBeUnknownToTheNextRank() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.peerHolds(cast.first, cast.log, holding(0, 512)))
        driver.step(.holds(cast.log, holding(0, 51_200)))
        #expect(driver.allowance == 4)
        for chunk in 0..<4 as Range<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(chunk * 512, chunk * 512 + 512), digest: chunk))
            #expect(driver.allowance == 3 - Int(chunk))
        }
        driver.run(2)
        driver.step(.acknowledged(cast.second, version: driver.version))
        #expect(driver.allowance == 0, "it holds nothing, so it is not the next")
        driver.step(.acknowledged(cast.first, version: 1))
        #expect(driver.allowance == 1)
        driver.step(.acknowledged(cast.first, version: driver.version))
        #expect(driver.allowance == 4)
    }

    @Test func aNextRankThatLivesAndGivesNoWordHoldsUpTheLogForHalfAMinute() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.peerHolds(cast.first, cast.log, holding(0, 512)))
        driver.step(.peerHolds(cast.second, cast.log, holding(0, 512)))
        driver.step(.holds(cast.log, holding(0, 51_200)))
        for chunk in 0..<4 as Range<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(chunk * 512, chunk * 512 + 512), digest: chunk))
        }
        driver.run(2)
        driver.step(.acknowledged(cast.second, version: driver.version))
        driver.run(27)
        #expect(driver.allowance == 0)
        driver.run(3)
        #expect(driver.allowance == 4, "the next that hears takes its place")
        for chunk in 4..<8 as Range<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(chunk * 512, chunk * 512 + 512), digest: chunk))
        }
        #expect(driver.allowance == 0, "and is not outrun")
        driver.step(.acknowledged(cast.first, version: driver.version))
        driver.run(2)
        driver.step(.acknowledged(cast.first, version: driver.version))
        #expect(driver.allowance == 4)
        for chunk in 8..<12 as Range<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(chunk * 512, chunk * 512 + 512), digest: chunk))
        }
        driver.run(2)
        driver.step(.acknowledged(cast.second, version: driver.version))
        #expect(driver.allowance == 0, "who gave word again is waited for again")
    }

    @Test func withoutANextRankNothingIsHeldBack() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.peerHolds(cast.first, cast.log, holding(0, 512)))
        driver.step(.holds(cast.log, holding(0, 51_200)))
        for chunk in 0..<9 as Range<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(chunk * 512, chunk * 512 + 512), digest: chunk))
        }
        #expect(driver.allowance == 0)
        driver.members([cast.second], dead: [cast.first])
        #expect(driver.allowance == nil)
        driver.members([cast.first, cast.second])
        #expect(driver.allowance == 0)
        driver.sinks([cast.first], reachable: false)
        #expect(driver.allowance == nil)
    }

    @Test func workIsToldEveryTwoSecondsReceiptsAtOnceAndTheEndOnce() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 1024)))
        driver.run(5)
        #expect(driver.claims.map { $0.claim.turn } == [1, 2])
        for low in stride(from: 0, to: 1000, by: 100) as StrideTo<UInt64> {
            driver.step(.uploaded(sinkS, cast.log, span(low, low + 100), digest: 1))
            driver.run(0.05)
        }
        driver.run(0.25)
        #expect((2...4).contains(driver.claims.count - 2), "coalesced")
        #expect(driver.claims.last?.claim.watermark == Offset(1000))
        driver.step(.uploaded(sinkS, cast.log, span(1000, 1024), digest: 1))
        driver.run(1)
        #expect(driver.claims.last?.claim.isWorking == false)
        let count = driver.claims.count
        driver.run(1000)
        #expect(driver.claims.count == count, "idle is silent")
        for (one, next) in zip(driver.claims, driver.claims.dropFirst()) {
            #expect(one.at.duration(to: next.at) >= .milliseconds(250))
            #expect(one.claim.watermark <= next.claim.watermark)
        }
    }

    @Test func aWaitingSinkIsToldOnceAndThenAtItsEnd() {
        var driver = member(cast.origin)
        driver.step(.began(cast.log))
        driver.step(.holds(cast.log, holding(0, 1024)))
        driver.run(3)
        driver.step(.waiting(sinkS, until: driver.now.advanced(by: .seconds(30))))
        driver.run(29)
        #expect(driver.claims.map(\.claim.waitSeconds) == [0, 30])
        driver.run(2)
        #expect(driver.claims.map(\.claim.waitSeconds) == [0, 30, 0])
    }
}
