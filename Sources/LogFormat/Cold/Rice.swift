import Model

/// Golomb-Rice codes whose parameter follows the mean of what came last, so that quiet and lively stretches of a column cost what each of
/// them is worth. A value is `value >> shift` zeros, a one, and its lowest `shift` bits; values far beyond the mean are written with their length.
struct Rice {
    /// Some 32 times the mean of the last 32 values.
    private var sum: UInt64

    /// So many zeros in front say that a length and all bits follow.
    private static let escape = 20
    /// What counts of larger values: keeps the sum within 64 bits.
    private static let most: UInt64 = 1 << 57
    static let startBits = 6

    /// `start`: the first shift, 0 to 63.
    init(start: Int) {
        sum = 32 << UInt64(min(start, 56))
    }

    /// The shift that suits values of this mean: the geometric distribution's best one.
    static func start(sum: UInt64, count: Int) -> Int {
        let mean = sum / UInt64(max(count, 1))
        let raised = min(mean, most) * 11 / 8
        return raised == 0 ? 0 : 63 - raised.leadingZeroBitCount
    }

    @inline(__always)
    private var shift: Int {
        let raised = (sum &+ sum >> 1 &- sum >> 3) >> 5
        return raised == 0 ? 0 : 63 - raised.leadingZeroBitCount
    }

    @inline(__always)
    private mutating func note(_ value: UInt64) { sum = sum &- sum >> 5 &+ min(value, Self.most) }

    @inline(__always)
    mutating func write(_ value: UInt64, to sink: inout some BitSink) {
        let shift = shift
        let zeros = value >> UInt64(shift)
        if zeros < UInt64(Self.escape) {
            sink.append(1, bits: Int(zeros) + 1)
            sink.append(value, bits: shift)
        } else {
            let length = 64 - value.leadingZeroBitCount
            sink.append(0, bits: Self.escape)
            sink.append(UInt64(length - 1), bits: 6)
            sink.append(value, bits: length)
        }
        note(value)
    }

    @inline(__always)
    mutating func read(from reader: inout BitReader) throws(FormatError) -> UInt64 {
        let shift = shift
        let zeros = try reader.zeros(limit: Self.escape)
        let value: UInt64
        if zeros < Self.escape {
            value = UInt64(zeros) << UInt64(shift) | (try reader.read(shift))
        } else {
            value = try reader.read(Int(try reader.read(6)) + 1)
        }
        note(value)
        return value
    }
}
