/// One quantity of a device. A unit that changes in mid-stream makes a new series.
package struct Series: Hashable, Comparable, Sendable {
    package let device: DeviceID
    /// Dotted path of the quantity, such as `DS18B20.Temperature`; 1 to ``Limits/metricNameBytes`` bytes.
    package let metric: String
    /// Unit as the source or the configuration names it, such as `°C`; `nil` where nobody says.
    package let unit: String?

    package init(device: DeviceID, metric: String, unit: String? = nil) {
        self.device = device
        self.metric = metric
        self.unit = unit
    }

    package static func < (left: Series, right: Series) -> Bool {
        (left.device, left.metric, left.unit ?? "") < (right.device, right.metric, right.unit ?? "")
    }
}

extension Series: CustomStringConvertible {
    /// `device/metric`, the form that a glob is matched against.
    package var description: String { device.rawValue + "/" + metric }
}

/// What was measured.
package enum Value: Hashable, Sendable {
    /// Always finite: decoders reject NaN and infinities.
    case number(Double)
    case flag(Bool)
    /// At most ``Limits/textValueBytes`` bytes of UTF-8.
    case text(String)
}

/// How far a reading can be trusted. Raw values are part of the stored format.
package enum Quality: UInt8, Hashable, Sendable, CaseIterable {
    case good = 0
    case clockUnsynced = 1
    case edgesMissed = 2
    case stale = 3
    case bad = 4

    /// The word of the JSON forms.
    package var word: String {
        switch self {
        case .good: "good"
        case .clockUnsynced: "clock-unsynced"
        case .edgesMissed: "edges-missed"
        case .stale: "stale"
        case .bad: "bad"
        }
    }
}

/// When something was seen, on the clocks of this board. Stored bytes never change, so all three are kept: the boot clock orders,
/// the wall clock is an estimate that a later anchor may correct.
package struct Stamp: Hashable, Sendable {
    package let boot: BootID
    /// Time since that boot, suspend included (`CLOCK_BOOTTIME`).
    package let uptime: Microseconds
    /// Wall clock minus uptime, as estimated at that moment; Unix epoch.
    package let wallOffset: Microseconds
    /// Whether the wall clock was known to be right at that moment.
    package let isTrusted: Bool

    package init(boot: BootID, uptime: Microseconds, wallOffset: Microseconds, isTrusted: Bool) {
        self.boot = boot
        self.uptime = uptime
        self.wallOffset = wallOffset
        self.isTrusted = isTrusted
    }

    /// The estimated Unix time.
    package var wall: Milliseconds { Milliseconds((uptime.rawValue + wallOffset.rawValue).flooredDivision(by: 1000)) }
}

/// A count of microseconds, signed.
package struct Microseconds: Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static func < (left: Microseconds, right: Microseconds) -> Bool { left.rawValue < right.rawValue }
}

/// Unix time in milliseconds (UTC).
package struct Milliseconds: Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    package static func < (left: Milliseconds, right: Milliseconds) -> Bool { left.rawValue < right.rawValue }
}

extension Int64 {
    /// Division that rounds towards minus infinity, so that times before 1970 keep their order.
    package func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// One value of one series at one time.
package struct Reading: Hashable, Sendable {
    package let series: Series
    package let stamp: Stamp
    package let value: Value
    package let quality: Quality
    /// The time that the device itself gave, kept beside ours; `nil` where it gave none.
    package let deviceTime: Milliseconds?

    package init(
        series: Series, stamp: Stamp, value: Value, quality: Quality = .good, deviceTime: Milliseconds? = nil
    ) {
        self.series = series
        self.stamp = stamp
        self.value = value
        self.quality = quality
        self.deviceTime = deviceTime
    }
}

/// A reading with its place in a log: with the node id this is its idempotency key.
package struct StoredReading: Hashable, Sendable {
    package let log: LogID
    package let offset: Offset
    package let reading: Reading

    package init(log: LogID, offset: Offset, reading: Reading) {
        self.log = log
        self.offset = offset
        self.reading = reading
    }
}
