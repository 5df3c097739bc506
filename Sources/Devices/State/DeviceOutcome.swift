package import Environment
package import Model

/// A message on its way to a device: with the decoder of the route that it took, and the moment of its arrival.
package struct RoutedMessage: Sendable {
    package let message: Message
    package let decoder: any Decoder
    package let stamp: Stamp

    package init(message: Message, decoder: any Decoder, stamp: Stamp) {
        self.message = message
        self.decoder = decoder
        self.stamp = stamp
    }
}

/// Something about a device that a person may want to know, told once when it begins.
package enum DeviceNotice: Hashable, Sendable {
    /// The metric goes on as a new series; `nil` for no unit.
    case unitChanged(metric: String, from: String?, to: String?)
    /// No reading for longer than the expected interval.
    case stale(silentFor: Duration)
    /// A reading came after the device had been stale.
    case fresh
}

/// The newest of the rejections since the last report, to be logged.
package struct RejectionReport: Hashable, Sendable {
    package let rejection: Rejection
    /// How many others there were since the last report.
    package let suppressed: Int
}

/// What one batch of input came to.
package struct DeviceOutcome: Sendable {
    /// Of all inputs, in their order.
    package internal(set) var readings: [Reading] = []
    /// For each input (a message, a sample) the index in `readings` where its own end.
    package internal(set) var ends: [Int] = []
    /// Of this batch alone, to be added to the ledger.
    package internal(set) var counts = DeviceCounts()
    package internal(set) var notices: [DeviceNotice] = []
    /// Set where it is time to log a rejection of this device.
    package internal(set) var report: RejectionReport?

    /// The readings of the input at `index`, to be stored whole or not at all.
    package func readings(ofInput index: Int) -> ArraySlice<Reading> {
        readings[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }
}

/// A device as a person sees it.
package struct DeviceStatus: Sendable {
    package let id: DeviceID
    /// Since the device was made.
    package let counts: DeviceCounts
    /// The last reading of each series, in the order of the series.
    package let latest: [Reading]
    package let seriesCount: Int
    /// Set while the device is stale.
    package let staleSince: MonotonicInstant?
    package let lastReadingAt: MonotonicInstant?
    package let lastRejection: Rejection?
    package let lastRejectionAt: MonotonicInstant?
}
