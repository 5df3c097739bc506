import Environment
import Model
import Testing

@testable import Sinks

@Suite struct ProgressTests {
    @Test func progressInSteadyStateIsAFewBytes() {
        var driver = MachineDriver { $0.chunkReadings = 512 }
        driver.openOld(logA, 1_000_000)
        driver.drain()
        #expect(driver.machine.encodedProgress(logA).count <= 12)
    }

    /// The stored form is a contract with the readers of older rings: these bytes must decode for ever.
    @Test func goldenBytes() throws {
        var settlements = Settlements()
        settlements.settle(span(0, 300), as: .uploaded)
        settlements.settle(span(300, 302), as: .refused)
        settlements.settle(span(400, 410), as: .evicted(reason: "drop-oldest"))
        settlements.settle(span(410, 512), as: .uploaded)
        let progress = ProgressCodec.Progress(settlements: settlements, refused: [Offset(300), Offset(301)])
        let golden: [UInt8] =
            [1, 0xAE, 0x02, 2, 0, 1, 11] + Array("drop-oldest".utf8) + [0, 2, 98, 10, 3, 0, 102, 0, 2, 0xAC, 0x02, 1]
        #expect(ProgressCodec.encode(progress) == golden)
        #expect(try ProgressCodec.decode(golden) == progress)
    }

    @Test func everyProgressReadsBackAsItWas() throws {
        var random = SeededRandom(seed: 11)
        for _ in 0..<300 {
            var settlements = Settlements()
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let low = UInt64.random(in: 0..<5000, using: &random)
                let kinds: [Settlements.Kind] = [
                    .uploaded, .refused, .damaged, .evicted(reason: "drop-oldest"), .evicted(reason: "quota"),
                ]
                settlements.settle(
                    span(low, low + UInt64.random(in: 1..<900, using: &random)),
                    as: kinds.randomElement(using: &random) ?? .uploaded)
            }
            let progress = ProgressCodec.Progress(settlements: settlements)
            #expect(try ProgressCodec.decode(ProgressCodec.encode(progress)) == progress)
        }
    }

    @Test func damagedProgressIsAnErrorNeverACrash() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 100)
        driver.step(.lost(logA, span(40, 44), .evicted(reason: "quota")))
        driver.drain(limit: 3)
        driver.step(.lost(logA, span(70, 80), .damaged))
        let bytes = driver.machine.encodedProgress(logA)
        for length in 0..<bytes.count {
            #expect(throws: ProgressError.self) { try ProgressCodec.decode(Array(bytes[..<length])) }
        }
        let huge = [UInt8](repeating: 0xFF, count: 8) + [0x7F]
        #expect(throws: ProgressError.inconsistent("a number beyond \(ProgressCodec.greatest)")) {
            try ProgressCodec.decode([1] + huge + [0, 0, 0, 1] + huge + huge + [0, 0])
        }
        #expect(throws: ProgressError.unknownVersion(9)) { try ProgressCodec.decode([9]) }
        #expect(throws: ProgressError.self) { try ProgressCodec.decode(bytes + [0]) }
        var random = SeededRandom(seed: 5)
        for _ in 0..<20_000 {
            var mangled = bytes
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                mangled[Int.random(in: 0..<mangled.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let read = try? ProgressCodec.decode(mangled) {
                #expect(read.settlements.counts.settled <= read.settlements.top.rawValue)
            }
        }
    }

    @Test func aFailedRestoreChangesNothing() {
        var machine = UploadMachine()
        #expect(throws: ProgressError.truncated) { try machine.restore(logA, [1]) }
        #expect(machine.encodedProgress(logA).isEmpty)
        #expect(machine.counts == UploadCounts())
    }

    @Test func aRestartSendsAgainOnlyWhatWasInFlight() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 80)
        driver.answer(.accepted)
        driver.answer(.accepted)
        let unanswered = driver.open.map(\.range)
        var next = MachineDriver()
        try next.machine.restore(logA, driver.machine.encodedProgress(logA))
        next.openOld(logA, 80)
        #expect(next.open.map(\.range) == unanswered)
        next.drain()
        #expect(next.machine.counts(logA).uploaded == 80)
    }

    @Test func refusedReadingsKeepTheirNamesOverARestart() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 16)
        driver.settle(poison: [3])
        var next = UploadMachine()
        try next.restore(logA, driver.machine.encodedProgress(logA))
        #expect(next.counts(logA).refused == 1)
        #expect(next.snapshot(now: driver.now).refused.map(\.offset) == [Offset(3)])
    }

    @Test func progressBeyondTheRecoveredEndIsKept() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 80)
        driver.drain()
        var next = MachineDriver()
        try next.machine.restore(logA, driver.machine.encodedProgress(logA))
        next.openOld(logA, 60)
        #expect(next.sent.isEmpty)
        #expect(next.machine.counts(logA).uploaded == 80 && next.machine.counts(logA).isBalanced)
    }

    @Test func moreReasonsThanTheLedgerNamesBecomeOther() throws {
        var driver = MachineDriver()
        driver.openOld(logA, 0)
        for index in 0..<40 as Range<UInt64> {
            driver.step(.lost(logA, span(index * 2, index * 2 + 1), .evicted(reason: "reason-\(index)")))
        }
        let counts = driver.machine.counts(logA)
        #expect(counts.evicted.count == UploadCounts.reasons && counts.evictedTotal == 40)
        #expect(throws: Never.self) { try ProgressCodec.decode(driver.machine.encodedProgress(logA)) }
    }
}
