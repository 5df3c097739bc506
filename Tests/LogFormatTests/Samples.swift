import Environment
import LogFormat
import Model

let geometry = Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)
let store = StoreID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)
let log = LogID(0xABCD_EF01_2345_6789)
let boot = BootID(high: 3, low: 4)

func stamp(_ uptime: Int64, offset: Int64 = 1_763_700_000_000_000, trusted: Bool = true) -> Stamp {
    Stamp(boot: boot, uptime: Microseconds(uptime), wallOffset: Microseconds(offset), isTrusted: trusted)
}

func series(_ device: String, _ metric: String = "value", _ unit: String? = nil) -> Series {
    Series(device: DeviceID(device), metric: metric, unit: unit)
}

/// A block of its own segment, and what a reader of it needs.
struct Sample {
    let block: EncodedBlock
    let dictionary: SeriesDictionary

    init(_ readings: [Reading], records: [Record] = [], mark: DeliveryMark? = nil, first: UInt64 = 0) {
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: 64 << 10, room: 4 << 20, footerRuns: 0, geometry: .standard)
        for record in records { precondition(builder.add(record), "\(record) does not fit") }
        precondition(builder.add(readings, log: log, first: Offset(first), mark: mark), "the readings do not fit")
        dictionary = builder.dictionary
        block = builder.finish(
            BlockHeader(kind: .hot, previous: BlockHeader.chainStart(of: 9), generation: 9, index: 0), store: store)
    }

    func frame() throws -> BlockFrame { try LogFormatTests.frame(block.bytes) }

    func decoded() throws -> [Reading?] { try frame().readings(dictionary.table) }
}

func frame(_ bytes: [UInt8]) throws -> BlockFrame {
    guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: 16) else {
        throw FormatError.invalid("block")
    }
    return try BlockFrame(bytes, at: 0, header: header)
}

/// Readings of every kind, as sensors send them and as nobody should.
func mixedReadings(seed: UInt64, count: Int) -> [Reading] {
    var random = SeededRandom(seed: seed)
    var uptime: Int64 = 5_000_000
    return (0..<count).map { index in
        uptime += Int64(random.next() % 50_000) - 1000
        let value: Value
        switch random.next() % 9 {
        case 0: value = .flag(random.next() % 2 == 0)
        case 1: value = .text(["Online", "Offline", "", "größer ☀️"][Int(random.next() % 4)])
        case 2: value = .number([0.0, -0.0, 1e300, -1e-300, 0.1, .pi, 4e15, 123_456_789.123][Int(random.next() % 8)])
        case 3: value = .number(Double.random(in: -1e9...1e9, using: &random))
        default: value = .number(Double(Int64(random.next() % 10_000) - 5000) / 100)
        }
        return Reading(
            series: series("device-\(random.next() % 12)", "metric-\(random.next() % 3)", index % 2 == 0 ? "°C" : nil),
            stamp: stamp(
                uptime, offset: 1_763_700_000_000_000 + Int64(random.next() % 3) * 5000, trusted: random.next() % 7 != 0
            ),
            value: value, quality: Quality.allCases[random.next() % 4 == 0 ? Int(random.next() % 5) : 0],
            deviceTime: random.next() % 3 == 0 ? Milliseconds(Int64(random.next() % 1_000_000_000)) : nil)
    }
}

/// Equal to the last bit: `==` takes -0.0 for 0.0, no NaN for itself, and letters with an accent for those with one beside.
func isSame(_ left: Reading, _ right: Reading) -> Bool {
    guard left.series == right.series, left.stamp == right.stamp, left.quality == right.quality,
        left.deviceTime == right.deviceTime
    else { return false }
    return switch (left.value, right.value) {
    case (.number(let one), .number(let other)): one.bitPattern == other.bitPattern
    case (.text(let one), .text(let other)): one.utf8.elementsEqual(other.utf8)
    case (.flag(let one), .flag(let other)): one == other
    default: false
    }
}
