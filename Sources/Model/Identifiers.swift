/// Names of things. Wrapper types rather than bare integers and strings, so that an offset is never taken for a count.

/// One gateway, for as long as it exists: 16 random bytes, kept on its disk or set in its configuration.
@usableFromInline package struct NodeID: Hashable, Comparable, Sendable {
    @usableFromInline package let high: UInt64
    @usableFromInline package let low: UInt64

    @inlinable package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(using generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next())
    }

    /// Reads 32 hexadecimal digits; `nil` for anything else.
    package init?(hex: some StringProtocol) {
        guard hex.utf8.count == 32, let high = hexadecimalValue(hex.utf8.prefix(16)),
            let low = hexadecimalValue(hex.utf8.suffix(16))
        else { return nil }
        self.init(high: high, low: low)
    }

    @inlinable package static func < (left: NodeID, right: NodeID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension NodeID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    @usableFromInline package var description: String { hexadecimal(high) + hexadecimal(low) }
}

/// One *life* of a gateway's log: random, minted at the first commit of every process start, never used again.
@usableFromInline package struct LogID: Hashable, Comparable, Sendable {
    @usableFromInline package let rawValue: UInt64

    @inlinable package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(using generator: inout some RandomNumberGenerator) {
        self.init(generator.next())
    }

    /// Reads 16 hexadecimal digits; `nil` for anything else.
    package init?(hex: some StringProtocol) {
        guard hex.utf8.count == 16, let value = hexadecimalValue(hex.utf8) else { return nil }
        self.init(value)
    }

    @inlinable package static func < (left: LogID, right: LogID) -> Bool { left.rawValue < right.rawValue }
}

extension LogID: CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    @usableFromInline package var description: String { hexadecimal(rawValue) }
}

/// A position in one log. The first reading of a log has offset 0.
@usableFromInline package struct Offset: Hashable, Comparable, Sendable {
    @usableFromInline package let rawValue: UInt64

    @inlinable package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static let zero = Offset(0)

    @inlinable package static func < (left: Offset, right: Offset) -> Bool { left.rawValue < right.rawValue }

    /// The position `count` readings later.
    @inlinable package func advanced(by count: Int) -> Offset { Offset(rawValue + UInt64(count)) }

    /// How many readings lie from `self` up to, not including, `end`; negative where `end` comes first.
    @inlinable package func distance(to end: Offset) -> Int { Int(Int64(bitPattern: end.rawValue &- rawValue)) }
}

extension Offset: CustomStringConvertible {
    @usableFromInline package var description: String { String(rawValue) }
}

/// One run of the kernel: the 16 bytes of `/proc/sys/kernel/random/boot_id`.
package struct BootID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension BootID: CustomStringConvertible {
    package var description: String { hexadecimal(high) + hexadecimal(low) }
}

/// A device's name, as the configuration or a topic gives it: 1 to ``Limits/deviceNameBytes`` bytes of UTF-8.
package struct DeviceID: Hashable, Comparable, Sendable {
    package let rawValue: String

    package init(_ rawValue: String) {
        self.rawValue = rawValue
    }

    /// `nil` where `text` is empty, too long, or holds a control character, a space or an MQTT wildcard.
    package init?(validating text: String) {
        guard (1...Limits.deviceNameBytes).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "#") })
        else { return nil }
        self.init(text)
    }

    package static func < (left: DeviceID, right: DeviceID) -> Bool { left.rawValue < right.rawValue }
}

extension DeviceID: CustomStringConvertible {
    package var description: String { rawValue }
}

func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Digits alone: `UInt64(_:radix:)` would take a sign for the first of them.
private func hexadecimalValue(_ digits: some Sequence<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for byte in digits {
        guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
        value = value << 4 | UInt64(digit)
    }
    return value
}
