import Environment
import GPIODriver
import Model

/// Milliseconds of the edges' clock: readable times for tests.
func at(_ milliseconds: Double) -> Int64 { Int64(milliseconds * 1e6) }

/// A line machine with a wire in front of it: keeps sequence numbers, and hands edges over as a kernel would.
struct LineBench {
    var machine: LineMachine
    private(set) var readings: [LineReading] = []
    private var sequence: UInt32 = 0
    private let isNumbered: Bool

    init(
        mode: GPIOSettings.Mode = .level, edge: GPIOSettings.Edge? = nil, debounce: Duration = .zero,
        interval: Duration = .seconds(1), level: Bool = false, isNumbered: Bool = false, byKernel: Bool = false,
        count: UInt64 = 0, isResumed: Bool = false
    ) {
        let settings = GPIOSettings(
            chip: "gpiochip0", line: .number(3), mode: mode, edge: edge, debounce: debounce, interval: interval)
        machine = LineMachine(
            LineMachine.Plan(settings, isDebouncedByKernel: byKernel), level: level, from: 0, until: 0, count: count,
            isResumed: isResumed)
        self.isNumbered = isNumbered
        take()
    }

    mutating func rise(_ milliseconds: Double) { edge(true, milliseconds) }
    mutating func fall(_ milliseconds: Double) { edge(false, milliseconds) }

    /// Edges that the kernel numbers but drops.
    mutating func drop(_ count: UInt32) { sequence &+= count }
    mutating func setSequence(_ last: UInt32) { sequence = last }

    mutating func tick(_ milliseconds: Double) {
        machine.tick(at: at(milliseconds))
        take()
    }

    mutating func readLevel(_ level: Bool, _ milliseconds: Double) {
        machine.levelRead(level, at: at(milliseconds))
        take()
    }

    mutating func finish(_ milliseconds: Double) {
        machine.finish(at: at(milliseconds))
        take()
    }

    mutating func bufferWasFull() { machine.bufferWasFull() }

    private mutating func edge(_ isRising: Bool, _ milliseconds: Double) {
        sequence &+= 1
        machine.edge(
            EdgeEvent(nanoseconds: at(milliseconds), isRising: isRising, sequence: isNumbered ? sequence : 0))
        take()
    }

    private mutating func take() { readings += machine.takeReadings() }
}

func level(_ level: Bool, _ milliseconds: Double, _ quality: Quality = .good) -> LineReading {
    LineReading(.level(level), quality: quality, nanoseconds: at(milliseconds))
}

func count(_ count: UInt64, _ milliseconds: Double, _ quality: Quality = .good) -> LineReading {
    LineReading(.count(count), quality: quality, nanoseconds: at(milliseconds))
}
