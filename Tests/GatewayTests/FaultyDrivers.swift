import Devices
import Environment
import Glibc
import Logging
import Model
import Synchronization

/// What holds hanging drivers, until the test lets them go.
final class Gate: Sendable {
    private let isOpened = Atomic(false)
    private let sleepers = Mutex<[CheckedContinuation<Void, Never>]>([])
    /// Readable once the gate is open.
    private let ends: (reader: Int32, writer: Int32)

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(Glibc.pipe(&ends) == 0, "no pipe: \(errno)")
        self.ends = (ends[0], ends[1])
    }

    deinit {
        close(ends.reader)
        close(ends.writer)
    }

    var isOpen: Bool { isOpened.load(ordering: .acquiring) }

    func open() {
        let waiting = sleepers.withLock { sleepers in
            isOpened.store(true, ordering: .releasing)
            defer { sleepers = [] }
            return sleepers
        }
        for sleeper in waiting { sleeper.resume() }
        write(ends.writer, "x", 1)
    }

    /// Returns when the gate is open, whatever becomes of the task.
    func sleep() async {
        await withCheckedContinuation { sleeper in
            let isOver = sleepers.withLock { sleepers in
                if !isOpen { sleepers.append(sleeper) }
                return isOpen
            }
            if isOver { sleeper.resume() }
        }
    }

    /// Blocks the thread in the C library until the gate is open.
    func block() {
        var waiting = pollfd(fd: ends.reader, events: Int16(POLLIN), revents: 0)
        while !isOpen { _ = poll(&waiting, 1, -1) }
    }
}

/// Fails as soon as it runs.
struct ThrowingDriver: Driver {
    struct Broken: Error {}

    var blocksThread: Bool { false }

    func run(_ port: DriverPort) async throws { throw Broken() }
}

/// Gives no sign of life, in one of the ways in which code hangs.
struct HangingDriver: Driver {
    enum Way: String, CaseIterable {
        /// Awaits something that never comes, and heeds no cancellation.
        case await
        /// Awaits something that never comes, and ends when it is cancelled.
        case sleep
        /// Blocks its thread in a C call.
        case block
        /// Turns in a loop that never awaits.
        case spin
    }

    let way: Way
    let gate: Gate

    var blocksThread: Bool { way == .block || way == .spin }

    func run(_ port: DriverPort) async throws {
        switch way {
        case .await: await gate.sleep()
        case .sleep: try await port.clock.sleep(for: .seconds(3600))
        case .block: gate.block()
        case .spin: while !gate.isOpen {}
        }
    }
}

/// Emits a great many samples at once, and then lives quietly.
struct FloodingDriver: Driver {
    static let samples = 100_000
    private static let atOnce = 1000

    var blocksThread: Bool { false }

    func run(_ port: DriverPort) async throws {
        for start in stride(from: 0, to: Self.samples, by: Self.atOnce) {
            let stamp = port.clock.stamp
            port.emit(
                (0..<Self.atOnce).map { Sample(metric: "value", value: .number(Double(start + $0)), stamp: stamp) })
        }
        while true {
            port.heartbeat()
            try await port.clock.sleep(for: .milliseconds(100))
        }
    }
}

/// A gateway's log lines, which a test can wait for.
final class LogLines: Sendable {
    private struct State {
        var lines: [String] = []
        var waiters: [(text: String, wake: CheckedContinuation<Void, Never>)] = []
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.append(event.message.description) }
    }

    private let state = Mutex(State())

    var logger: Logger { Logger(label: "gateway") { _ in Handler(lines: self) } }
    var all: [String] { state.withLock(\.lines) }

    /// Returns when a line holds `text`.
    func wait(for text: String) async {
        await withCheckedContinuation { wake in
            let isThere = state.withLock { state in
                if state.lines.contains(where: { $0.contains(text) }) { return true }
                state.waiters.append((text, wake))
                return false
            }
            if isThere { wake.resume() }
        }
    }

    private func append(_ line: String) {
        let woken = state.withLock { state in
            state.lines.append(line)
            defer { state.waiters.removeAll { line.contains($0.text) } }
            return state.waiters.filter { line.contains($0.text) }
        }
        for waiter in woken { waiter.wake.resume() }
    }
}
