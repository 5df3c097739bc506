package import Model

/// What a run of readings is, in 64 bits: gateways compare it to know that they speak of the same readings. It is the wrapping sum over
/// the readings of a hash each, so that parts can be reckoned apart, in any order, and added. It finds faults, not forgers.
///
/// The canonical form of one reading, of which the hash is made (integers little-endian, text as length in 4 bytes and UTF-8):
///
/// | field       | bytes                                                                               |
/// |-------------|-------------------------------------------------------------------------------------|
/// | log, offset | 8, 8                                                                                |
/// | series      | device as text, metric as text, 0 or 1 and the unit as text                         |
/// | stamp       | boot id 8 (high), 8 (low); uptime 8, wall offset 8, in microseconds; trusted 0 or 1 |
/// | value       | 0 and the bits of the number, 8; 1 and the flag, 1; 2 and text                      |
/// | quality     | 1, its raw value                                                                    |
/// | device time | 0, or 1 and 8 bytes of milliseconds                                                 |
///
/// The hash is FNV-1a of 64 bits over these bytes, then stirred as MurmurHash3 ends (`fmix64`), so that sums do not cancel out.
package struct RunDigest: Hashable, Sendable {
    package private(set) var rawValue: UInt64

    /// Of no readings.
    package init() {
        rawValue = 0
    }

    /// As ``rawValue`` gave it.
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Of `readings`, which take the offsets of `log` from `first` on.
    package init(log: LogID, first: Offset, readings: [Reading]) {
        self.init()
        for (index, reading) in readings.enumerated() { add(reading, log: log, offset: first.advanced(by: index)) }
    }

    package mutating func add(_ reading: Reading, log: LogID, offset: Offset) {
        var hash = CanonicalHash()
        hash.add(log.rawValue)
        hash.add(offset.rawValue)
        hash.add(reading)
        rawValue &+= hash.value
    }

    package mutating func add(_ stored: StoredReading) { add(stored.reading, log: stored.log, offset: stored.offset) }

    package static func + (left: RunDigest, right: RunDigest) -> RunDigest {
        RunDigest(left.rawValue &+ right.rawValue)
    }

    package static func += (left: inout RunDigest, right: RunDigest) { left.rawValue &+= right.rawValue }
}

private struct CanonicalHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    var value: UInt64 {
        var mixed = (state ^ (state >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        mixed = (mixed ^ (mixed >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return mixed ^ (mixed >> 33)
    }

    mutating func add(_ byte: UInt8) { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }

    mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func add(_ number: Int64) { add(UInt64(bitPattern: number)) }

    mutating func add(_ text: String) {
        let count = UInt32(truncatingIfNeeded: text.utf8.count)
        for shift in stride(from: UInt32(0), to: 32, by: 8) { add(UInt8(truncatingIfNeeded: count >> shift)) }
        for byte in text.utf8 { add(byte) }
    }

    mutating func add(_ reading: Reading) {
        add(reading.series.device.rawValue)
        add(reading.series.metric)
        add(UInt8(reading.series.unit == nil ? 0 : 1))
        if let unit = reading.series.unit { add(unit) }
        add(reading.stamp.boot.high)
        add(reading.stamp.boot.low)
        add(reading.stamp.uptime.rawValue)
        add(reading.stamp.wallOffset.rawValue)
        add(UInt8(reading.stamp.isTrusted ? 1 : 0))
        switch reading.value {
        case .number(let number):
            add(UInt8(0))
            add(number.bitPattern)
        case .flag(let flag):
            add(UInt8(1))
            add(UInt8(flag ? 1 : 0))
        case .text(let text):
            add(UInt8(2))
            add(text)
        }
        add(reading.quality.rawValue)
        add(UInt8(reading.deviceTime == nil ? 0 : 1))
        if let time = reading.deviceTime { add(time.rawValue) }
    }
}
