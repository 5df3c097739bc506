import Model

// One token per value, as a variable-length integer:
//   even             a number: the series' last mantissa changed by zigzag(token / 2), at the series' scale
//   1 scale mantissa a number at a new scale, its whole mantissa following
//   3 shape bytes    a number, exclusive-or'ed with the series' last raw one, without its zero bytes at both ends
//   5, 7             false, true
//   9 text           a text
//   11               the series' last text again

enum ValueToken {
    static let rescaled: UInt64 = 1
    static let raw: UInt64 = 3
    static let no: UInt64 = 5
    static let yes: UInt64 = 7
    static let text: UInt64 = 9
    static let sameText: UInt64 = 11
    /// As long as a text may become in a future version; bounds what a reader allocates.
    static let textLimit = 4096
}

/// What both sides remember of a series inside one block.
struct SeriesValueState {
    var scale: UInt8
    /// The writer has met numbers that are no decimals, and stops searching for their scale in this block.
    var isRaw = false
    var mantissa: Int64 = 0
    var bits: UInt64 = 0
    var text: String?
}

struct ValueWriter {
    private(set) var bytes: [UInt8] = []
    private let powers = DecimalScale.powers

    mutating func append(_ value: Value, state: inout SeriesValueState) {
        switch value {
        case .number(let number): append(number, state: &state)
        case .flag(let flag): bytes.append(varint: flag ? ValueToken.yes : ValueToken.no)
        case .text(let text):
            if state.text == text, state.text?.utf8.elementsEqual(text.utf8) == true {
                bytes.append(varint: ValueToken.sameText)
            } else {
                bytes.append(varint: ValueToken.text)
                bytes.append(text: text)
                state.text = text
            }
        }
    }

    private mutating func append(_ number: Double, state: inout SeriesValueState) {
        if let mantissa = DecimalScale.mantissa(of: number, power: powers[Int(state.scale)]) {
            bytes.append(varint: (mantissa - state.mantissa).zigzagged << 1)
            state.mantissa = mantissa
            return
        }
        if !state.isRaw, let scale = DecimalScale.fewest(for: number),
            let mantissa = DecimalScale.mantissa(of: number, power: powers[Int(scale)])
        {
            bytes.append(varint: ValueToken.rescaled)
            bytes.append(scale)
            bytes.append(signed: mantissa)
            state.scale = scale
            state.mantissa = mantissa
            return
        }
        state.isRaw = true
        let change = number.bitPattern ^ state.bits
        state.bits = number.bitPattern
        let trailing = change == 0 ? 0 : change.trailingZeroBitCount / 8
        let leading = change == 0 ? 8 : change.leadingZeroBitCount / 8
        bytes.append(varint: ValueToken.raw)
        bytes.append(UInt8(leading << 4 | trailing))
        var rest = change >> UInt64(trailing * 8)
        for _ in 0..<8 - leading - trailing {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Bytes that `value` takes at most.
    @inline(__always)
    static func mostBytes(_ value: Value) -> Int {
        switch value {
        case .number: 12
        case .flag: 1
        case .text(let text): 4 + text.utf8.count
        }
    }
}

enum ValueReader {
    static func read(from reader: inout ByteReader, state: inout SeriesValueState) throws(FormatError) -> Value {
        let token = try reader.varint()
        if token & 1 == 0 {
            state.mantissa &+= (token >> 1).unzigzagged
            return try number(state)
        }
        switch token {
        case ValueToken.rescaled:
            let scale = try reader.byte()
            guard scale <= DecimalScale.most else { throw .invalid("decimal places") }
            state.scale = scale
            state.mantissa = try reader.signed()
            return try number(state)
        case ValueToken.raw:
            let shape = try reader.byte()
            let (leading, trailing) = (Int(shape >> 4), Int(shape & 0xF))
            guard leading + trailing <= 8 else { throw .invalid("shape of a number") }
            var change: UInt64 = 0
            for index in 0..<8 - leading - trailing {
                change |= UInt64(try reader.byte()) << UInt64((trailing + index) * 8)
            }
            state.bits ^= change
            return .number(Double(bitPattern: state.bits))
        case ValueToken.no: return .flag(false)
        case ValueToken.yes: return .flag(true)
        case ValueToken.text:
            let text = try reader.text(limit: ValueToken.textLimit, "text")
            state.text = text
            return .text(text)
        case ValueToken.sameText:
            guard let text = state.text else { throw .invalid("text") }
            return .text(text)
        default: throw .invalid("value token")
        }
    }

    @inline(__always)
    private static func number(_ state: SeriesValueState) throws(FormatError) -> Value {
        .number(Double(state.mantissa) / DecimalScale.powers[Int(state.scale)])
    }
}
