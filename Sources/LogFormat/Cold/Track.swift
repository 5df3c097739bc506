import Model

/// The values of one series in a cold block, in order, with what is said beside them.
///
/// Its form is one byte:
///
/// | bits | meaning                                                                                                       |
/// |------|---------------------------------------------------------------------------------------------------------------|
/// | 0-3  | 0 to 9: decimals with so many places; 10: numbers by their bits; 11: flags; 12: texts; 13: of several kinds      |
/// | 4    | some numbers are no such decimals, and are written out                                                        |
/// | 5    | some qualities are not good                                                                                   |
/// | 6-7  | times of devices; 0: none, 1: as they are, 2: less our own, 3: those of the group's first series               |
enum TrackForm {
    static let bits: UInt8 = 10
    static let flags: UInt8 = 11
    static let texts: UInt8 = 12
    static let mixed: UInt8 = 13
    static let kinds: UInt8 = 0x0F
    static let hasExceptions: UInt8 = 0x10
    static let hasQualities: UInt8 = 0x20
    static let deviceTimes: UInt8 = 6
}

/// What devices said of the time; each as many as the series has readings.
struct DeviceTimeTrack: Equatable {
    static let absolute: UInt8 = 1
    static let relative: UInt8 = 2
    static let shared: UInt8 = 3

    var times: [Int64?]

    /// - Returns: The form, 0 to 3.
    func write(uptimes: [Int64], first: DeviceTimeTrack?, to bytes: inout [UInt8]) -> UInt8 {
        guard times.contains(where: { $0 != nil }) else { return 0 }
        if let first, first == self { return Self.shared }
        IntegerColumn.write(times.map { $0 == nil ? 0 : 1 }, to: &bytes)
        var absolute: [Int64] = []
        var relative: [Int64] = []
        for (time, uptime) in zip(times, uptimes) {
            guard let time else { continue }
            absolute.append(time)
            relative.append(time &- uptime.flooredDivision(by: 1000))
        }
        var (one, other): ([UInt8], [UInt8]) = ([], [])
        IntegerColumn.write(absolute, isSteady: true, to: &one)
        IntegerColumn.write(relative, to: &other)
        bytes.append(contentsOf: one.count <= other.count ? one : other)
        return one.count <= other.count ? Self.absolute : Self.relative
    }

    static func read(
        _ form: UInt8, uptimes: [Int64], first: DeviceTimeTrack?, from reader: inout ByteReader
    ) throws(FormatError) -> DeviceTimeTrack? {
        guard form != 0 else { return nil }
        if form == shared {
            guard let first, first.times.count == uptimes.count else { throw .invalid("times of a device") }
            return first
        }
        let isThere = try IntegerColumn.read(uptimes.count, from: &reader)
        let count = isThere.count { $0 == 1 }
        guard count > 0 else { throw .invalid("times of a device") }
        var found = try IntegerColumn.read(count, from: &reader)[...]
        var track = DeviceTimeTrack(times: [])
        track.times.reserveCapacity(uptimes.count)
        for (mark, uptime) in zip(isThere, uptimes) {
            guard mark == 1, let time = found.popFirst() else {
                track.times.append(nil)
                continue
            }
            track.times.append(form == relative ? time &+ uptime.flooredDivision(by: 1000) : time)
        }
        return track
    }
}

/// The values of a ``Track`` as a reader has them.
enum TrackValues {
    case numbers([Double])
    case flags([Int64])
    case texts([String], [Int64])
    case mixed([Value])

    @inline(__always)
    subscript(index: Int) -> Value {
        switch self {
        case .numbers(let numbers): .number(numbers[index])
        case .flags(let flags): .flag(flags[index] != 0)
        case .texts(let texts, let places): .text(texts[Int(places[index])])
        case .mixed(let values): values[index]
        }
    }

    static func read(_ form: UInt8, _ count: Int, from reader: inout ByteReader) throws(FormatError) -> TrackValues {
        switch form & TrackForm.kinds {
        case 0...DecimalScale.most: return .numbers(try decimals(form, count, from: &reader))
        case TrackForm.bits:
            return .numbers(
                try IntegerColumn.read(count, from: &reader).map { Double(bitPattern: UInt64(ordered: $0)) })
        case TrackForm.flags:
            var flags = try IntegerColumn.read(count, from: &reader)
            for index in 1..<max(count, 1) { flags[index] ^= flags[index - 1] }
            return .flags(flags)
        case TrackForm.texts:
            var texts: [String] = []
            for _ in 0..<(try reader.count(limit: count, "texts")) {
                texts.append(try reader.text(limit: ValueToken.textLimit, "text"))
            }
            let places = try IntegerColumn.read(count, from: &reader)
            for place in places where place < 0 || place >= Int64(texts.count) { throw .invalid("place of a text") }
            return .texts(texts, places)
        case TrackForm.mixed:
            var state = SeriesValueState(scale: 0)
            var values: [Value] = []
            for _ in 0..<count { values.append(try ValueReader.read(from: &reader, state: &state)) }
            return .mixed(values)
        default: throw .invalid("form of values")
        }
    }

    private static func decimals(
        _ form: UInt8, _ count: Int, from reader: inout ByteReader
    ) throws(FormatError) -> [Double] {
        let power = DecimalScale.powers[Int(form & TrackForm.kinds)]
        var numbers = try IntegerColumn.read(count, from: &reader).map { Double($0) / power }
        guard form & TrackForm.hasExceptions != 0 else { return numbers }
        var place = 0
        for _ in 0..<(try reader.count(limit: count, "exceptions")) {
            place += try reader.count(limit: count, "place of an exception")
            guard place < count else { throw .invalid("place of an exception") }
            numbers[place] = Double(bitPattern: try reader.fixed(UInt64.self))
        }
        return numbers
    }
}

extension UInt64 {
    /// Bits of a floating-point number out of the integer that stands for it.
    init(ordered: Int64) { self = UInt64(bitPattern: ordered ^ (ordered >> 63 & .max)) }

    /// An integer that grows as the floating-point number of these bits does: numbers that are close have a small difference.
    var ordered: Int64 { Int64(bitPattern: self) ^ (Int64(bitPattern: self) >> 63 & .max) }
}
