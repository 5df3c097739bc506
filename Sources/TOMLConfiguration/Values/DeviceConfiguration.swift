package import Devices

/// One `[[device]]`.
package struct DeviceConfiguration: Hashable, Sendable {
    /// A device's name, or a pattern with one `{device}` that the topic fills in.
    package var id: String
    package var source: Source
    /// The device's own, or the one of `[storage]`.
    package var commitWindow: Duration
    /// Readings; what is more is acknowledged, dropped and counted. `nil` without a limit.
    package var maximumRate: Rate?
    /// Silent for longer than this, the device is stale. `nil` never.
    package var expectedInterval: Duration?
    /// 0 to 9: where the ring must drop what no sink has, it drops the lowest first.
    package var priority: Int

    package enum Source: Hashable, Sendable {
        case mqtt(MQTTSource)
        case gpio(GPIOSource)
        case simulated(SimulatedSettings)

        /// The word of the configuration.
        package var driver: DriverKind {
            switch self {
            case .mqtt: .mqtt
            case .gpio: .gpio
            case .simulated: .simulated
            }
        }
    }

    /// Raw values are the words of the configuration.
    package enum DriverKind: String, Hashable, Sendable, CaseIterable {
        case mqtt
        case gpio
        case simulated
    }

    package struct MQTTSource: Hashable, Sendable {
        /// The name of a ``BrokerConfiguration``.
        package var broker: String
        /// A valid ``TopicFilter``, perhaps with `{device}`.
        package var topic: String
        package var decoder: DecoderKind
        package var decoding: DecoderSettings
    }

    package struct GPIOSource: Hashable, Sendable {
        /// `gpiochip0`, a chip's label, or a path below `/dev`.
        package var chip: String
        package var line: Line
        package var mode: Mode
        package var edge: Edge
        package var bias: Bias
        package var activeLow: Bool
        /// Zero for none.
        package var debounce: Duration
        /// Between two readings of a count, a frequency or a sampled level.
        package var interval: Duration
    }

    package enum Line: Hashable, Sendable {
        /// 0 to 1023 on the chip.
        case number(Int)
        /// As the board's device tree names it.
        case name(String)
    }

    /// Raw values are the words of the configuration.
    package enum Mode: String, Hashable, Sendable, CaseIterable {
        case level
        case count
        case frequency
    }

    /// Raw values are the words of the configuration.
    package enum Edge: String, Hashable, Sendable, CaseIterable {
        case rising
        case falling
        case both
        /// The level is sampled at the interval. Only for ``Mode/level``.
        case none
    }

    /// Raw values are the words of the configuration.
    package enum Bias: String, Hashable, Sendable, CaseIterable {
        case asIs = "as-is"
        case disabled
        case pullUp = "pull-up"
        case pullDown = "pull-down"
    }
}
