import LogFormat
import Model
import RingLog

/// One reading's place, by which a sink removes doubles.
struct Key: Hashable, Comparable, CustomStringConvertible {
    let log: LogID
    let offset: UInt64

    init(_ log: LogID, _ offset: UInt64) {
        self.log = log
        self.offset = offset
    }

    init(_ stored: StoredReading) { self.init(stored.log, stored.offset.rawValue) }

    static func < (left: Key, right: Key) -> Bool { (left.log, left.offset) < (right.log, right.offset) }

    var description: String { "\(log)/\(offset)" }
}

/// What became of one reading, as only the simulation can know it.
struct Fate {
    struct Flags: OptionSet {
        let rawValue: UInt8
        /// Was reported durable, or found on a disk by a later process.
        static let durable = Flags(rawValue: 1)
        /// Went to a sink, or was acknowledged, without a disk.
        static let fromMemory = Flags(rawValue: 2)
        /// Is in the counts of its gateway's stored readings.
        static let counted = Flags(rawValue: 4)
        static let poison = Flags(rawValue: 8)
        /// Its source was told that it is safe.
        static let acknowledged = Flags(rawValue: 16)
    }

    let reading: Reading
    var flags: Flags = []
    /// Gateways whose disks hold it, a bit for each.
    var disks: UInt16 = 0
    /// Sinks that have it, a bit for each.
    var sinks: UInt8 = 0

    /// The number by which every reading of a history is told from all others.
    var value: Int {
        guard case .number(let number) = reading.value else { return -1 }
        return Int(number)
    }
}

/// Everything that the simulation knows of one log.
final class LogBook {
    let log: LogID
    /// The gateway that minted it, by its place in the site, and the life that it did so in.
    var owner: Int
    var life: Int
    var fates: [Fate?] = []

    init(log: LogID, owner: Int, life: Int) {
        self.log = log
        self.owner = owner
        self.life = life
    }

    /// The process that last got a receipt for a reading.
    struct Taker: Hashable {
        let gateway: Int32
        let life: Int32
    }

    /// By sink, then by offset.
    private var takers: [[Taker?]] = []

    func note(_ taker: Taker, of offset: UInt64, at sink: Int) {
        while takers.count <= sink { takers.append([]) }
        while UInt64(takers[sink].count) <= offset { takers[sink].append(nil) }
        takers[sink][Int(offset)] = taker
    }

    func taker(of offset: UInt64, at sink: Int) -> Taker? {
        guard sink < takers.count, offset < UInt64(takers[sink].count) else { return nil }
        return takers[sink][Int(offset)]
    }

    func fate(_ offset: UInt64) -> Fate? { offset < UInt64(fates.count) ? fates[Int(offset)] : nil }

    func note(_ offset: UInt64, _ reading: Reading) {
        while UInt64(fates.count) <= offset { fates.append(nil) }
        fates[Int(offset)] = Fate(reading: reading)
    }
}

/// What is true in a history, seen from above: every reading under its key, where its copies are, which sinks have it.
final class Truth {
    private var places: [LogID: Int] = [:]
    /// In the order in which they were first seen.
    private(set) var books: [LogBook] = []
    /// The key that each number was given first.
    var keyOfValue: [Key?] = []
    /// When each number came to be.
    var born: [Int64] = []
    /// Keys whose reading each sink will never take.
    private(set) var poisonByDevice: [DeviceID: UInt64] = [:]
    /// The highest that each node's own processes have had.
    var incarnations: [NodeID: Incarnation] = [:]
    /// By sink.
    var storedByDevice: [[DeviceID: UInt64]]

    init(sinks: Int) {
        storedByDevice = Array(repeating: [:], count: sinks)
    }

    func book(_ log: LogID) -> LogBook? { places[log].map { books[$0] } }

    func open(_ log: LogID, owner: Int, life: Int) -> LogBook {
        if let known = book(log) { return known }
        let book = LogBook(log: log, owner: owner, life: life)
        places[log] = books.count
        books.append(book)
        return book
    }

    func fate(_ key: Key) -> Fate? { book(key.log)?.fate(key.offset) }

    func newValue(at time: Int64) -> Int {
        born.append(time)
        keyOfValue.append(nil)
        return born.count - 1
    }

    func notePoison(_ device: DeviceID) { poisonByDevice[device, default: 0] += 1 }

    static func isPoison(_ value: Int) -> Bool { value % 97 == 13 }

    /// A disk is gone, or goes back to an earlier image: what only it had is expected of nobody any more. Its next start tells what it has.
    func forgetDisk(_ gateway: Int) {
        let bit = UInt16(1) << UInt16(gateway)
        for book in books {
            for index in book.fates.indices where book.fates[index].map({ $0.disks & bit != 0 }) ?? false {
                book.fates[index]?.disks &= ~bit
            }
        }
    }

    /// Whether everything durable on this disk is on another one too, one that is not `rotten`, or at all of `sinks`.
    func isSafe(without gateway: Int, sinks: UInt8, rotten: UInt16) -> Bool {
        let bit = UInt16(1) << UInt16(gateway)
        let sound = ~(bit | rotten)
        for book in books {
            for case let fate? in book.fates where fate.disks & bit != 0 && fate.disks & sound == 0 {
                if sinks == 0 || fate.sinks & sinks != sinks { return false }
            }
        }
        return true
    }
}
