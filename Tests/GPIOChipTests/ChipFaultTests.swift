import Devices
import Environment
import GPIODriver
import Glibc
import Model
import Posix
import Testing

extension ChipTests {
    private func failure(_ settings: GPIOSettings) async -> GPIOError? {
        await RunningDriver(settings).failure() as? GPIOError
    }

    @Test func aChipThatVanishesEndsTheDriverAndOneThatComesBackIsReadAgain() async throws {
        let chip = try SimulatedChip(names: [3: "DOOR"])
        let settings = GPIOSettings(chip: chip.label, line: .name("DOOR"), interval: .milliseconds(50))
        let driver = GPIODriver(settings)
        let first = RunningDriver(driver)
        #expect(try await first.next().value == .flag(false))
        try chip.unplug()
        #expect((await first.failure() as? GPIOError)?.code == .chipVanished)
        #expect((await RunningDriver(driver).failure() as? GPIOError)?.code == .noChip)

        try chip.plugIn()
        let second = RunningDriver(driver)
        #expect(try await second.next().value == .flag(false))
        try chip.pull(3, up: true)
        #expect(try await second.next().value == .flag(true))
    }

    @Test func aCountGoesOnAfterTheChipCameBackAndSaysThatEdgesMayBeMissing() async throws {
        let chip = try SimulatedChip()
        let settings = GPIOSettings(
            chip: chip.label, line: .number(3), mode: .count, interval: .milliseconds(20))
        let driver = GPIODriver(settings)
        let first = RunningDriver(driver)
        _ = try await first.next()
        try await chip.pulse(3, count: 4)
        _ = try await first.next { $0.value == .number(4) }
        try chip.unplug()
        #expect((await first.failure() as? GPIOError)?.code == .chipVanished)

        try chip.plugIn()
        let second = RunningDriver(driver)
        let resumed = try await second.next()
        #expect(resumed.value == .number(4))
        #expect(resumed.quality == .edgesMissed)
        try await chip.pulse(3, count: 1)
        let next = try await second.next()
        #expect(next.value == .number(5))
        #expect(next.quality == .good)
    }

    @Test func aMissingChipIsNamedWithThoseThatArePresent() async throws {
        let chip = try SimulatedChip()
        let error = await failure(GPIOSettings(chip: "gpiochip9", line: .number(0)))
        #expect(error?.code == .noChip)
        #expect(
            error?.message
                == "no chip gpiochip9: is the overlay loaded? chips present: \(chip.device) (\(chip.label))")
        #expect(await failure(GPIOSettings(chip: "/dev/null", line: .number(0)))?.code == .noChip)
    }

    @Test func aMissingLineIsNamedWithThoseThatArePresent() async throws {
        let chip = try SimulatedChip(names: [3: "DOOR", 5: "BELL"])
        let byNumber = await failure(GPIOSettings(chip: chip.device, line: .number(40)))
        #expect(byNumber?.code == .noLine)
        #expect(byNumber?.message == "line 40 is out of range 0…7 of \(chip.device)")
        let byName = await failure(GPIOSettings(chip: chip.device, line: .name("GATE")))
        #expect(byName?.code == .noLine)
        #expect(byName?.message == "\(chip.device) has no line named GATE; its names are DOOR, BELL")
    }

    @Test func aLineInUseNamesItsUser() async throws {
        let chip = try SimulatedChip(names: [3: "DOOR"], hogs: [5: "hog"])
        let hogged = await failure(GPIOSettings(chip: chip.device, line: .number(5)))
        #expect(hogged?.code == .lineUsed)
        #expect(hogged?.message == "line 5 is used by 'hog': release it there first")
        let first = RunningDriver(GPIOSettings(chip: chip.device, line: .name("DOOR")))
        _ = try await first.next()
        let second = await failure(GPIOSettings(chip: chip.device, line: .name("DOOR")))
        #expect(second?.message == "line DOOR is used by 'covey': release it there first")
        // The line is free again as soon as its driver has ended.
        _ = try await first.stop()
        let third = RunningDriver(GPIOSettings(chip: chip.device, line: .name("DOOR")))
        #expect(try await third.next().value == .flag(false))
    }

    @Test func aUserWithoutPermissionIsToldOfTheGroup() async throws {
        let chip = try SimulatedChip()
        #expect(seteuid(65534) == 0)
        let error = await failure(GPIOSettings(chip: chip.device, line: .number(0)))
        #expect(seteuid(0) == 0)
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("group gpio") == true)
    }

    @Test func aCancelledDriverEndsWithinMilliseconds() async throws {
        let chip = try SimulatedChip()
        let driver = RunningDriver(
            GPIOSettings(chip: chip.device, line: .number(3), mode: .count, interval: .seconds(60)))
        _ = try await driver.next()
        try await chip.pulse(3, count: 3)
        let start = RunningDriver.clock.now
        let last = try await driver.stop()
        let elapsed = start.duration(to: RunningDriver.clock.now)
        #expect(elapsed < .milliseconds(200), "\(elapsed.text)")
        #expect(last.map(\.value) == [.number(3)])
    }
}
