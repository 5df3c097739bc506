/// What a named path is expected to hold.
package enum ValueKind: String, Hashable, Sendable, CaseIterable {
    case number
    case flag
    case text
}

/// One value of a JSON document that a device's configuration names.
package struct PathSetting: Hashable, Sendable {
    /// Dotted, array elements by their index from 0: `meta.rssi`, `probes.0.value`.
    package let path: String
    /// The reading's metric; the path itself where `nil`.
    package let metric: String?
    package let unit: String?
    /// With a kind, text such as `"21.5"` or `"ON"` is read as that kind, and anything else is a `wrong-type`. `nil` takes what comes.
    package let kind: ValueKind?

    package init(path: String, metric: String? = nil, unit: String? = nil, kind: ValueKind? = nil) {
        self.path = path
        self.metric = metric
        self.unit = unit
        self.kind = kind
    }
}

/// How one configured device wants its messages read. Every member has a default; each decoder looks at those that concern it.
package struct DecoderSettings: Hashable, Sendable {
    /// `number`: the metric; `value` where `nil`.
    package var metric: String?
    /// `number`: the unit.
    package var unit: String?
    /// `json`, `tasmota`, `zigbee2mqtt`: the only values wanted; empty for every value.
    package var paths: [PathSetting]
    /// Metric → unit. Wins over what the payload says and over what the form's documentation says.
    package var units: [String: String]
    /// Seconds east of UTC that a device's time without a zone is taken at.
    package var zoneOffset: Int
    /// `zigbee2mqtt`: its `base_topic`.
    package var baseTopic: String

    package init(
        metric: String? = nil, unit: String? = nil, paths: [PathSetting] = [], units: [String: String] = [:],
        zoneOffset: Int = 0, baseTopic: String = "zigbee2mqtt"
    ) {
        self.metric = metric
        self.unit = unit
        self.paths = paths
        self.units = units
        self.zoneOffset = zoneOffset
        self.baseTopic = baseTopic
    }
}

/// The forms of message that the gateway reads. Raw values are the words of the configuration.
package enum DecoderKind: String, Hashable, Sendable, CaseIterable {
    case json
    case number
    case tasmota
    case zigbee2mqtt

    /// Every word, sorted, to tell what was probably meant.
    package static var names: [String] { allCases.map(\.rawValue).sorted() }

    /// A decoder of this form; never fails, as every setting has a meaning or is not looked at.
    package func makeDecoder(_ settings: DecoderSettings) -> any Decoder {
        switch self {
        case .json: DocumentDecoder(settings)
        case .number: NumberDecoder(settings)
        case .tasmota: TasmotaDecoder(settings)
        case .zigbee2mqtt: Zigbee2MQTTDecoder(settings)
        }
    }
}

/// The decoder that the configuration names; `nil` where there is none of that name.
package func makeDecoder(named name: String, settings: DecoderSettings = DecoderSettings()) -> (any Decoder)? {
    DecoderKind(rawValue: name)?.makeDecoder(settings)
}
