package import Model

/// One message of a feed, before it is understood.
package struct Message: Sendable {
    /// The full topic, UTF-8.
    package let topic: String
    /// At most ``Limits/payloadBytes``; the link cuts longer ones off and rejects them.
    package let payload: [UInt8]
    /// Replayed by the broker at subscription: a state it remembers, not a new reading.
    package let isRetained: Bool

    package init(topic: String, payload: [UInt8], isRetained: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.isRetained = isRetained
    }
}

/// One value that a decoder found, not yet stamped.
package struct Measurement: Hashable, Sendable {
    package let metric: String
    package let unit: String?
    package let value: Value
    /// The time that the device gave with it, if any.
    package let deviceTime: Milliseconds?

    package init(metric: String, unit: String? = nil, value: Value, deviceTime: Milliseconds? = nil) {
        self.metric = metric
        self.unit = unit
        self.value = value
        self.deviceTime = deviceTime
    }
}

/// Why a message, or one member of it, gave no reading. Each reason is a counter of its own in the loss ledger.
package struct Rejection: Error, Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        case empty
        case tooLarge = "too-large"
        case invalidUTF8 = "invalid-utf8"
        case malformed
        case tooDeep = "too-deep"
        case notANumber = "not-a-number"
        case wrongType = "wrong-type"
        case missingPath = "missing-path"
        case tooManyReadings = "too-many-readings"
        case tooManyDevices = "too-many-devices"
        case badName = "bad-name"
        /// A topic that the configuration does not name, or that its form uses for something other than readings.
        case unknownTopic = "unknown-topic"
        case tooManySeries = "too-many-series"
        case retained
    }

    package let reason: Reason
    /// What was found where, at most a line: `$.meta.rssi: "high" is not a number`.
    package let detail: String

    package init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}

/// What one message came to. A bad member never costs its neighbours, so both lists may hold something.
package struct Decoded: Hashable, Sendable {
    package var measurements: [Measurement]
    package var rejections: [Rejection]

    package init(measurements: [Measurement] = [], rejections: [Rejection] = []) {
        self.measurements = measurements
        self.rejections = rejections
    }
}

/// Turns one message into measurements. Total, pure and bounded: arbitrary bytes give rejections, never a trap, never unbounded work.
package protocol Decoder: Sendable {
    func decode(_ message: Message) -> Decoded
}
