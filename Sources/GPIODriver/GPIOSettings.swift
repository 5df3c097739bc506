/// How one line of one chip is read.
package struct GPIOSettings: Hashable, Sendable {
    /// A line by its number on the chip, or by the name that the board gives it.
    package enum Line: Hashable, Sendable, CustomStringConvertible {
        case number(UInt32)
        case name(String)

        package var description: String {
            switch self {
            case .number(let number): String(number)
            case .name(let name): name
            }
        }
    }

    /// Which changes count. *Rising* is towards the active level, which is low on an active-low line.
    package enum Edge: String, Hashable, Sendable, CaseIterable {
        case rising
        case falling
        case both
        /// No edges at all: the level is sampled at the interval. Only for ``Mode/level``.
        case none
    }

    /// What the readings say.
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        /// Metric `level`, `true` where active: one at the start, and one for each edge of the wanted kind.
        case level
        /// Metric `count`: edges of the wanted kind since the driver was made; at the interval, where it has changed.
        case count
        /// Metric `frequency` in hertz, at the interval; while nothing moves, 0 is told once.
        case frequency
    }

    /// The resistor inside the chip.
    package enum Bias: String, Hashable, Sendable, CaseIterable {
        case asIs = "as-is"
        case disabled
        case pullUp = "pull-up"
        case pullDown = "pull-down"
    }

    /// A chip's name (`gpiochip0`), its label (`pinctrl-bcm2835`), or the path of its device.
    package let chip: String
    package let line: Line
    package let mode: Mode
    package let edge: Edge
    package let bias: Bias
    package let activeLow: Bool
    /// How long a level must hold before it counts; zero: every edge counts. By the kernel where it can, which gives
    /// the change the time at which it had held; else by the driver, which gives it the time of its edge.
    package let debounce: Duration
    /// Between two reports of a count, a frequency or a sampled level.
    package let interval: Duration

    /// - Parameter edge: `nil` takes what suits the mode: `both` for levels, `rising` for counts and frequencies.
    package init(
        chip: String, line: Line, mode: Mode = .level, edge: Edge? = nil, bias: Bias = .asIs, activeLow: Bool = false,
        debounce: Duration = .zero, interval: Duration = .seconds(1)
    ) {
        self.chip = chip
        self.line = line
        self.mode = mode
        self.edge = edge ?? (mode == .level ? .both : .rising)
        self.bias = bias
        self.activeLow = activeLow
        self.debounce = debounce
        self.interval = interval
    }
}

extension GPIOSettings {
    /// Longer than any contact bounces, and far within the kernel's 32 bits of microseconds.
    package static let debounceRange: ClosedRange<Duration> = .zero ... .seconds(10)
    /// Below the shortest, edges should be readings of their own; above the longest, nobody would know whether the
    /// line lives.
    package static let intervalRange: ClosedRange<Duration> = .milliseconds(10) ... .seconds(86400)

    /// What is wrong with these settings, in one line; `nil` where nothing is.
    package var fault: String? {
        if chip.isEmpty { return "the chip has no name" }
        if line == .name("") { return "the line has no name" }
        if !Self.debounceRange.contains(debounce) { return "debounce must be 0 to 10 s" }
        if !Self.intervalRange.contains(interval) { return "interval must be 10 ms to 1 d" }
        guard edge == .none else { return nil }
        if mode != .level { return "mode \"\(mode.rawValue)\" needs edges: set edge to rising, falling or both" }
        return debounce == .zero ? nil : "debounce needs edges: set edge to rising, falling or both"
    }

    /// What the kernel is asked to report. To judge bounces, the driver must see the edges of both directions.
    var watchedEdge: Edge {
        edge != .none && debounce > .zero ? .both : edge
    }
}
