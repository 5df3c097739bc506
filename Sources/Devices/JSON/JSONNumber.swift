/// Reads decimal numbers from bytes. Short ones, which sensors send, are exact without the C library; the rest goes through it.
enum JSONNumber {
    enum Result {
        case value(Double)
        /// Well formed, but beyond the largest double.
        case unrepresentable
        /// Not a number; the position where it stopped being one.
        case malformed(at: Int)
    }

    /// Text longer than this is no measurement, and the C library's cost grows with it.
    static let lengthLimit = 400

    /// Reads the longest number from `position` on and moves `position` behind it. `strict` is JSON's grammar; otherwise a leading
    /// `+`, leading zeros and a bare point (`.5`, `21.`) pass too.
    static func scan(_ bytes: [UInt8], at position: inout Int, end: Int, strict: Bool) -> Result {
        let start = position
        var index = start
        let isNegative = index < end && bytes[index] == UInt8(ascii: "-")
        if isNegative || (!strict && index < end && bytes[index] == UInt8(ascii: "+")) { index += 1 }

        var mantissa = Mantissa()
        let wholeStart = index
        index = mantissa.take(bytes, from: index, end: end, isFraction: false)
        let wholeCount = index - wholeStart
        if strict, wholeCount == 0 { return .malformed(at: index) }
        if strict, wholeCount > 1, bytes[wholeStart] == UInt8(ascii: "0") { return .malformed(at: wholeStart + 1) }

        var fractionCount = 0
        if index < end, bytes[index] == UInt8(ascii: ".") {
            let fractionStart = index + 1
            index = mantissa.take(bytes, from: fractionStart, end: end, isFraction: true)
            fractionCount = index - fractionStart
            if strict, fractionCount == 0 { return .malformed(at: index) }
        }
        if wholeCount + fractionCount == 0 { return .malformed(at: index) }

        var exponent = 0
        if index < end, bytes[index] | 0x20 == UInt8(ascii: "e") {
            guard let read = Self.exponent(bytes, from: index + 1, end: end) else { return .malformed(at: index + 1) }
            exponent = read.value
            index = read.end
        }
        position = index
        if let exact = mantissa.exactValue(exponent: exponent) { return .value(isNegative ? -exact : exact) }
        return slow(bytes[start..<index])
    }

    private static func exponent(_ bytes: [UInt8], from start: Int, end: Int) -> (value: Int, end: Int)? {
        var index = start
        var isNegative = false
        if index < end, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        let digitsStart = index
        var value = 0
        while index < end, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            if value < 100_000 { value = value * 10 + Int(digit) }
            index += 1
        }
        return index == digitsStart ? nil : (isNegative ? -value : value, index)
    }

    private static func slow(_ text: ArraySlice<UInt8>) -> Result {
        guard text.count <= lengthLimit, let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite
        else {
            return .unrepresentable
        }
        return .value(value)
    }
}

/// Digits as they are read, as long as they fit 64 bits.
private struct Mantissa {
    private var digits: UInt64 = 0
    private var count = 0
    private var fractionCount = 0

    /// Reads digits and gives the position behind them.
    mutating func take(_ bytes: [UInt8], from start: Int, end: Int, isFraction: Bool) -> Int {
        var index = start
        while index < end, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            if count < 18 { digits = digits &* 10 &+ UInt64(digit) }
            if digits != 0 { count += 1 }
            index += 1
        }
        if isFraction { fractionCount = index - start }
        return index
    }

    /// The value where both the digits and the power of ten are exact doubles, so that one rounding gives the nearest double.
    func exactValue(exponent: Int) -> Double? {
        if digits == 0 { return 0 }
        let power = exponent - fractionCount
        guard count <= 18, digits <= 1 << 53, abs(power) < Self.powers.count else { return nil }
        return power < 0 ? Double(digits) / Self.powers[-power] : Double(digits) * Self.powers[power]
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
