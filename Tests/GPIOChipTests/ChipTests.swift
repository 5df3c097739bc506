import Devices
import Environment
import GPIODriver
import Glibc
import Model
import Posix
import Synchronization
import Testing
import Threads

/// The driver against the kernel's own GPIO character device and the libgpiod of this machine.
@Suite(.inGuest, .serialized, .timeLimit(.minutes(1)))
struct ChipTests {
    @Test func theLevelIsReadAtTheStartAndEveryEdgeOfBothDirectionsIsAReading() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(3)))
        var before = RunningDriver.clock.stamp
        #expect(try await driver.next().value == .flag(false))
        for level in [true, false, true, false, true] {
            try chip.pull(3, up: level)
            let sample = try await driver.next()
            let after = RunningDriver.clock.stamp
            #expect(sample.metric == "level")
            #expect(sample.value == .flag(level))
            #expect(sample.quality == .good)
            #expect(sample.stamp.boot == after.boot)
            #expect(sample.stamp.uptime >= before.uptime && sample.stamp.uptime <= after.uptime)
            before = sample.stamp
        }
        #expect(driver.driver.edgesMissed == 0)
        #expect(driver.heartbeats > 5)
    }

    @Test func aBurstKeepsItsOrderAndItsTimes() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(0)))
        _ = try await driver.next()
        try await chip.pulse(0, count: 5)
        var samples: [Sample] = []
        while samples.count < 10 { samples.append(try await driver.next()) }
        #expect(samples.map(\.value) == (0..<10).map { .flag($0.isMultiple(of: 2)) })
        #expect(samples.map(\.stamp.uptime) == samples.map(\.stamp.uptime).sorted())
        #expect(samples.allSatisfy { $0.quality == .good })
    }

    @Test func onlyRisingEdgesAreToldWhereOnlyTheyAreWanted() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(1), edge: .rising))
        #expect(try await driver.next().value == .flag(false))
        try await chip.pulse(1, count: 3)
        for _ in 0..<3 { #expect(try await driver.next().value == .flag(true)) }
        #expect(try await driver.stop().isEmpty)
    }

    @Test func onlyFallingEdgesAreToldWhereOnlyTheyAreWanted() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(1), edge: .falling))
        #expect(try await driver.next().value == .flag(false))
        try await chip.pulse(1, count: 3)
        for _ in 0..<3 { #expect(try await driver.next().value == .flag(false)) }
        #expect(try await driver.stop().isEmpty)
    }

    @Test func aPullUpShowsInTheFirstLevel() async throws {
        let chip = try SimulatedChip()
        let up = RunningDriver(GPIOSettings(chip: chip.device, line: .number(2), bias: .pullUp))
        #expect(try await up.next().value == .flag(true))
        let down = RunningDriver(GPIOSettings(chip: chip.device, line: .number(4), bias: .pullDown))
        #expect(try await down.next().value == .flag(false))
    }

    @Test func anActiveLowLineIsActiveWhenItIsLow() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(2), activeLow: true))
        #expect(try await driver.next().value == .flag(true))
        try chip.pull(2, up: true)
        #expect(try await driver.next().value == .flag(false))
        try chip.pull(2, up: false)
        #expect(try await driver.next().value == .flag(true))
        let rising = RunningDriver(GPIOSettings(chip: chip.device, line: .number(6), edge: .rising, activeLow: true))
        #expect(try await rising.next().value == .flag(true))
        try await chip.pulse(6, count: 1)
        #expect(try await rising.next().value == .flag(true))
        #expect(try await rising.stop().isEmpty)
    }

    @Test func aLineWithoutEdgesIsSampled() async throws {
        let chip = try SimulatedChip()
        let settings = GPIOSettings(
            chip: chip.device, line: .number(2), edge: GPIOSettings.Edge.none, interval: .milliseconds(20))
        let driver = RunningDriver(settings)
        #expect(try await driver.next().value == .flag(false))
        #expect(try await driver.next().value == .flag(false))
        try chip.pull(2, up: true)
        let samples = try await driver.next { $0.value == .flag(true) }
        #expect(samples.allSatisfy { $0.quality == .good })
    }

    @Test func chipsAreFoundByNameLabelAndPathAndLinesByName() async throws {
        let chip = try SimulatedChip(names: [3: "DOOR", 5: "BELL"])
        for text in [chip.device, chip.label, "/dev/" + chip.device] {
            let driver = RunningDriver(GPIOSettings(chip: text, line: .name("DOOR")))
            #expect(try await driver.next().value == .flag(false))
            try chip.pull(3, up: true)
            #expect(try await driver.next().value == .flag(true))
            try chip.pull(3, up: false)
            _ = try await driver.stop()
        }
    }
}

// MARK: Counting and measuring

extension ChipTests {
    @Test func pulsesAreCountedAndReportedTogether() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(
            GPIOSettings(chip: chip.device, line: .number(3), mode: .count, interval: .milliseconds(20)))
        var sample = try await driver.next()
        #expect(sample.metric == "count")
        #expect(sample.value == .number(0))
        for total in [5, 10, 15, 20] {
            try await chip.pulse(3, count: 5)
            sample = try await driver.next { $0.value == .number(Double(total)) }.last ?? sample
            #expect(sample.quality == .good)
        }
        try await chip.pulse(3, count: 2)
        _ = try await driver.next { $0.value == .number(22) }
        #expect(driver.driver.edgesMissed == 0)
    }

    @Test func theFrequencyIsThatOfTheEdges() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(
            GPIOSettings(chip: chip.device, line: .number(3), mode: .frequency, interval: .milliseconds(300)))
        #expect(try await driver.next().value == .number(0))
        // The line swings until the driver has measured three intervals.
        let measured = Mutex<[Sample]>([])
        let reader = Task {
            for _ in 0..<3 {
                let sample = try await driver.next()
                measured.withLock { $0.append(sample) }
            }
        }
        let start = RunningDriver.clock.now
        var periods = 0
        while measured.withLock({ $0.count }) < 3, periods < 1000 {
            try await chip.pulse(3, count: 1)
            periods += 1
        }
        let made = Double(periods) / start.duration(to: RunningDriver.clock.now).inSeconds
        try await reader.value
        guard case .number(let hertz)? = measured.withLock({ $0.last })?.value else {
            Issue.record("no frequency")
            return
        }
        #expect(hertz > 0.7 * made && hertz < 1.4 * made, "\(hertz) Hz measured, \(made) Hz made")
        #expect(measured.withLock { $0.allSatisfy { $0.metric == "frequency" && $0.unit == "Hz" } })
    }

    @Test func contactsThatBounceGiveOneReading() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(GPIOSettings(chip: chip.device, line: .number(3), debounce: .milliseconds(150)))
        #expect(try await driver.next().value == .flag(false))
        // A glitch that does not last, and a contact that closes with bounces.
        try await chip.pulse(3, count: 4)
        let pulled = RunningDriver.clock.stamp.uptime.rawValue
        try chip.pull(3, up: true)
        let closed = try await driver.next()
        // A kernel that debounces stamps the end of the quiet; the driver, where it must, the edge before it.
        let isByKernel = closed.stamp.uptime.rawValue - pulled > 140_000
        #expect(isByKernel == GPIODriver.libraryVersion.hasPrefix("2."))
        #expect(closed.value == .flag(true))
        #expect(closed.quality == .good)
        try await chip.pulse(3, count: 2)
        try chip.pull(3, up: false)
        let opened = try await driver.next()
        #expect(opened.value == .flag(false))
        #expect(opened.quality == .good)
        #expect(opened.stamp.uptime > closed.stamp.uptime)
        #expect(try await driver.stop().isEmpty)
    }

    @Test func bouncingPulsesAreCountedOnce() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(
            GPIOSettings(
                chip: chip.device, line: .number(3), mode: .count, debounce: .milliseconds(100),
                interval: .milliseconds(20)))
        #expect(try await driver.next().value == .number(0))
        try await chip.pulse(3, count: 3)
        try chip.pull(3, up: true)
        #expect(try await driver.next().value == .number(1))
    }

    @Test func aBufferThatOverflowsIsToldAndTheLastLevelIsRight() async throws {
        let chip = try SimulatedChip()
        let gate = Gate()
        let settings = GPIOSettings(chip: chip.device, line: .number(3))
        let driver = RunningDriver(GPIODriver(settings, bufferedEdges: 16), gate: { gate.pass() })
        // The driver is held while it hands on its first reading: more edges come than the kernel was asked to keep.
        try await gate.waitUntilHeld()
        try await chip.pulse(3, count: 12)
        try chip.pull(3, up: true)
        gate.open()
        _ = try await driver.next { $0.quality == .edgesMissed }
        #expect(driver.driver.edgesMissed > 0)
        // However many readings were still on their way, from here on the line is told as it is.
        let before = RunningDriver.clock.stamp.uptime
        try chip.pull(3, up: false)
        let down = try await driver.next { $0.stamp.uptime >= before }
        #expect(down.last?.value == .flag(false))
        try chip.pull(3, up: true)
        let up = try await driver.next()
        #expect(up.value == .flag(true))
        #expect(up.quality == .good)
    }
}

/// Holds the driver's thread at its first hand-over.
private final class Gate: Sendable {
    private let isHeld = Semaphore()
    private let isOpen = Semaphore()

    func pass() {
        isHeld.post()
        isOpen.wait()
        // Later hand-overs go through.
        isOpen.post()
    }

    func waitUntilHeld() async throws {
        try await withCheckedThrowingContinuation { (held: CheckedContinuation<Void, any Error>) in
            do {
                try Thread.start("gate") { [isHeld] in
                    isHeld.wait()
                    held.resume()
                }
            } catch {
                held.resume(throwing: error)
            }
        }
    }

    func open() { isOpen.post() }
}
