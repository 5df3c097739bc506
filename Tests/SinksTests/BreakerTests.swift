import Environment
import Model
import Testing

@testable import Sinks

@Suite struct BreakerTests {
    @Test func failuresPauseLongerAndLongerWithFullJitterUpToTheCap() {
        var random = SeededRandom(seed: 3)
        var longest: [Duration] = []
        for failures in 1...12 {
            var worst = Duration.zero
            for _ in 0..<200 {
                var breaker = Breaker(settings: UploadSettings())
                let now = MonotonicInstant(nanoseconds: 0)
                for _ in 0..<failures {
                    _ = breaker.failed("no", retryAfter: nil, epoch: breaker.epoch, now: now, using: &random)
                }
                worst = max(worst, now.duration(to: breaker.retryAt ?? now))
            }
            longest.append(worst)
        }
        for (index, worst) in longest.enumerated() {
            let ceiling = min(0.5 * Double(1 << index), 60)
            #expect(worst.inSeconds <= ceiling && worst.inSeconds > ceiling * 0.8)
        }
    }

    @Test func retryAfterIsHonouredAndCappedAtAnHour() {
        for (asked, waited) in [(Duration.seconds(90), Duration.seconds(90)), (.seconds(90_000), .seconds(3600))] {
            var driver = MachineDriver()
            driver.openOld(logA, 8)
            driver.answer(.unavailable(reason: "429 Too Many Requests", retryAfter: asked))
            #expect(driver.wake == driver.now.advanced(by: waited))
            driver.advance(waited - .milliseconds(1))
            #expect(driver.open.isEmpty)
            driver.advance(.milliseconds(1))
            #expect(driver.open.count == 1)
        }
    }

    @Test func aSuccessThatBeganBeforeTheFailureDoesNotEndThePause() {
        var driver = MachineDriver()
        driver.openOld(logA, 80)
        driver.answer(.unavailable(reason: "429", retryAfter: .seconds(60)))
        driver.answer(.accepted)
        driver.answer(.accepted)
        #expect(driver.open.count == 1)
        #expect(driver.machine.snapshot(now: driver.now).retryIn == .seconds(60))
    }

    @Test func sendsThatFailTogetherAreOneFailure() {
        var driver = MachineDriver()
        driver.openOld(logA, 80)
        for _ in 0..<4 { driver.answer(down) }
        #expect(driver.machine.snapshot(now: driver.now).failures == 1)
    }

    @Test func theBreakerOpensProbesOneAtATimeAndClosesOnSuccess() {
        var driver = MachineDriver()
        driver.openOld(logA, 800)
        while driver.machine.snapshot(now: driver.now).breaker == .closed {
            driver.answer(down)
            if driver.open.isEmpty { driver.advanceToWake() }
        }
        #expect(driver.alarms == ["connection refused"])
        while !driver.open.isEmpty { driver.answer(down) }
        for _ in 0..<3 {
            driver.advanceToWake()
            #expect(driver.open.count == 1, "half-open sends one probe")
            driver.answer(down)
            #expect(driver.open.isEmpty)
        }
        driver.advanceToWake()
        driver.answer(.accepted)
        #expect(driver.machine.snapshot(now: driver.now).breaker == .closed)
        #expect(driver.open.count == 4)
        #expect(driver.alarms.count == 1 && driver.recoveries.count == 1)
    }

    @Test func aPeerThatReachesTheSinkEndsThePauseOnceInTheLongestPause() {
        var driver = MachineDriver()
        driver.openOld(logA, 800)
        for _ in 0..<12 {
            while !driver.open.isEmpty { driver.answer(down) }
            driver.advanceToWake()
        }
        while !driver.open.isEmpty { driver.answer(down) }
        driver.step(.reachedByPeer)
        #expect(driver.open.isEmpty)
        #expect(driver.wake == driver.now.advanced(by: .seconds(2)), "when the peer's receipts are here")
        driver.advanceToWake()
        #expect(driver.open.count == 1, "one probe")
        driver.answer(down)
        driver.step(.reachedByPeer)
        #expect(driver.open.isEmpty)
        driver.advanceToWake()
        driver.answer(.accepted)
        #expect(driver.open.count == 4)
    }

    @Test func aPauseThatTheSinkAskedForOutlastsAPeersSuccess() {
        var driver = MachineDriver()
        driver.openOld(logA, 8)
        for _ in 0..<12 {
            driver.answer(.unavailable(reason: "429", retryAfter: .seconds(90)))
            driver.advanceToWake()
        }
        driver.answer(.unavailable(reason: "429", retryAfter: .seconds(90)))
        driver.step(.reachedByPeer)
        #expect(driver.open.isEmpty)
    }

    @Test func ofAPauseThatOutlastsWhatTheSinkAskedForAPeersSuccessEndsTheRest() {
        var driver = MachineDriver()
        driver.openOld(logA, 800)
        for _ in 0..<12 {
            while !driver.open.isEmpty {
                driver.answer(.unavailable(reason: "429", retryAfter: .seconds(1)))
            }
            driver.advanceToWake()
        }
        while !driver.open.isEmpty {
            driver.answer(.unavailable(reason: "429", retryAfter: .seconds(1)))
        }
        let soon = driver.now.advanced(by: .seconds(2))
        #expect(driver.wake ?? soon > soon, "the pause has grown beyond what the sink asks for")
        driver.step(.reachedByPeer)
        #expect(driver.open.isEmpty)
        #expect(driver.wake == soon)
        driver.advanceToWake()
        #expect(driver.open.count == 1, "one probe")
    }

    @Test func aFailedChunkDoesNotGrowIntoOneThatIsUnderWay() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 3)
        driver.advance(.seconds(1))
        driver.extend(logA, 6)
        driver.advance(.seconds(1))
        #expect(driver.open.map(\.range) == [span(0, 3), span(3, 6)])
        driver.answer(down)
        driver.advanceToWake()
        #expect(driver.open.map(\.range) == [span(3, 6), span(0, 3)])
    }

    @Test func aFailedChunkIsFormedAnewAndMayHaveGrown() {
        var driver = MachineDriver()
        driver.openCurrent(logA, 3)
        driver.advance(.seconds(1))
        #expect(driver.open.map(\.range) == [span(0, 3)])
        driver.extend(logA, 6)
        driver.answer(down)
        driver.advanceToWake()
        #expect(driver.open.map(\.range) == [span(0, 6)])
    }
}
