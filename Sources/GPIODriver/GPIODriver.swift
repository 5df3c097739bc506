import CGPIOD
package import Devices
import Environment
import Glibc
import Model
import Synchronization
import Threads

/// Reads one line of one GPIO chip: waits for its edges on a thread of its own, and gives every decision to
/// ``LineMachine``.
///
/// The line is held for as long as ``run(_:)`` runs. A chip that is missing, in use or gone is a thrown ``GPIOError``;
/// the supervisor runs the driver again, and counting goes on where it was.
package final class GPIODriver: Driver {
    /// What outlives one run.
    private struct Memory {
        var count: UInt64 = 0
        var missed: UInt64 = 0
        var hasRun = false
    }

    package let settings: GPIOSettings
    private let bufferedEdges: Int
    private let memory = Mutex(Memory())

    /// - Parameter bufferedEdges: how many edges the kernel is asked to keep while this process is busy, 16 to
    ///   ``bufferedEdgesLimit``; libgpiod 1.x always has 16.
    package init(_ settings: GPIOSettings, bufferedEdges: Int = GPIODriver.bufferedEdgesLimit) {
        self.settings = settings
        self.bufferedEdges = bufferedEdges
    }

    /// The version of the libgpiod that is loaded, such as `1.6.3`.
    package static var libraryVersion: String { String(cString: covey_gpio_library_version()) }

    /// The deepest buffer that the kernel grants one line: a second at 1 kHz.
    package static let bufferedEdgesLimit = Int(COVEY_GPIO_EVENTS_MAX)

    /// It waits in `poll`.
    package var blocksThread: Bool { true }

    /// Edges that are known to be missed since the driver was made.
    package var edgesMissed: UInt64 { memory.withLock(\.missed) }

    /// Reads the line until the task is cancelled; then it returns within milliseconds, with what it had gathered
    /// emitted. Throws ``GPIOError``.
    package func run(_ port: DriverPort) async throws {
        if let fault = settings.fault {
            throw GPIOError(.invalidSettings, place: settings.place, message: fault)
        }
        let wakeup: Wakeup
        do {
            wakeup = try Wakeup()
        } catch {
            throw GPIOError(.system, place: settings.place, message: "\(error)")
        }
        try await withTaskCancellationHandler {
            try watch(port, wakeup)
        } onCancel: {
            wakeup.signal()
        }
    }

    private func watch(_ port: DriverPort, _ wakeup: Wakeup) throws(GPIOError) {
        port.heartbeat()
        let line = try Chip(opening: settings.chip).request(settings, bufferedEdges: bufferedEdges)
        let clock = port.clock
        let from = clock.now.nanoseconds
        let level = try line.level()
        let before = memory.withLock { memory in
            defer { memory.hasRun = true }
            return memory
        }
        var machine = LineMachine(
            LineMachine.Plan(settings, isDebouncedByKernel: line.isDebouncedByKernel),
            level: level, from: from, until: clock.now.nanoseconds, count: before.count, isResumed: before.hasRun)

        while !Task.isCancelled {
            deliver(&machine, missedBefore: before.missed, to: port)
            try line.wait(for: wakeup, atMost: machine.deadline - clock.now.nanoseconds)
            port.heartbeat()
            // Taken before the edges are drained, so that the machine has every edge of the time it is told of.
            let now = clock.now.nanoseconds
            try line.drain(into: &machine)
            if machine.isLevelReadDue(at: now) { machine.levelRead(try line.level(), at: now) }
            machine.tick(at: now)
        }
        let now = clock.now.nanoseconds
        try line.drain(into: &machine)
        machine.finish(at: now)
        deliver(&machine, missedBefore: before.missed, to: port)
    }

    private func deliver(_ machine: inout LineMachine, missedBefore: UInt64, to port: DriverPort) {
        memory.withLock { memory in
            memory.count = machine.count
            memory.missed = missedBefore + machine.missed
        }
        let readings = machine.takeReadings()
        guard !readings.isEmpty else { return }
        let time = EdgeTime(sampling: port.clock)
        port.emit(readings.map { sample($0, time) })
    }

    private func sample(_ reading: LineReading, _ time: EdgeTime) -> Sample {
        let stamp = time.stamp(at: reading.nanoseconds)
        switch reading.content {
        case .level(let level):
            return Sample(metric: "level", value: .flag(level), quality: reading.quality, stamp: stamp)
        case .count(let count):
            return Sample(metric: "count", value: .number(Double(count)), quality: reading.quality, stamp: stamp)
        case .frequency(let hertz):
            return Sample(
                metric: "frequency", unit: "Hz", value: .number(hertz), quality: reading.quality, stamp: stamp)
        }
    }
}
