import Glibc
import LogFormat
import TestKit

/// Damage to what a gateway keeps on its disk while it is stopped.
struct RingRow: Sendable {
    /// How many of the readings of before can still be queried.
    enum Survivors: Sendable {
        case all
        case some
        case none
    }

    let page: BadInput
    let survivors: Survivors
    /// Whether the gateway runs as a user to whom not everything is allowed.
    var asNobody = false
    /// Spoils a copy of the data directory; `other` is that of another gateway.
    let spoil: @Sendable (_ data: String, _ other: String) throws -> Void

    init(
        _ thing: String, says message: String?, _ counters: Counter..., keeps survivors: Survivors,
        asNobody: Bool = false,
        do advice: String,
        spoil: @escaping @Sendable (_ data: String, _ other: String) throws -> Void
    ) {
        let recovery = message.map { [Counter("ring.recovery", .says($0))] } ?? []
        page = BadInput(
            source: .ring, thing: thing, message: message, counters: counters + recovery, advice: advice)
        self.survivors = survivors
        self.asNobody = asNobody
        self.spoil = spoil
    }
}

extension RingRow {
    static let rows = whole + segments + store

    private static func ring(_ data: String) -> StoredFile { StoredFile(path: data + "/ring") }
    private static func database(_ data: String) -> StoredFile { StoredFile(path: data + "/covey.db") }

    private static let lookAside = "Look at the file that was set aside; it is never deleted."

    /// The ring file as a whole.
    static let whole = [
        RingRow(
            "empty", says: "was there and held nothing: it begins as a new ring", keeps: .none,
            do: "Nothing: it is filled anew. Ask who emptied it.",
            spoil: { data, _ in try ring(data).truncate(to: 0) }),
        RingRow(
            "all zeros", says: "was there and held nothing: it begins as a new ring", keeps: .none,
            do: "Ask who emptied it; suspect the flash.",
            spoil: { data, _ in
                let file = ring(data)
                for segment in 0..<file.size / StoredFile.segmentBytes {
                    try file.put([UInt8](repeating: 0, count: StoredFile.segmentBytes), segment: segment)
                }
            }),
        RingRow(
            "random bytes", says: "not a ring of Covey's: segment 0 holds something else: set aside as ", keeps: .none,
            do: lookAside,
            spoil: { data, _ in
                let file = ring(data)
                var random = UInt64(7)
                for segment in 0..<file.size / StoredFile.segmentBytes {
                    try file.fill(segment * StoredFile.segmentBytes..<segment * StoredFile.segmentBytes + 65_536) {
                        random = random &* 6_364_136_223_846_793_005 &+ 1
                        return UInt8(random >> 56)
                    }
                }
            }),
        RingRow(
            "cut off in the middle", says: "segments and was made with 12", keeps: .some,
            do: "The file system was full or is damaged: check it.",
            spoil: { data, _ in try ring(data).truncate(to: 9 * StoredFile.segmentBytes + 5000) }),
        RingRow(
            "cut off near its beginning", says: "the ring has room for 3 segments, and needs at least 8: set aside as ",
            keeps: .none, do: lookAside,
            spoil: { data, _ in try ring(data).truncate(to: 3 * StoredFile.segmentBytes) }),
        RingRow(
            "a folder in its place", says: "it cannot be opened (Is a directory): set aside as ", keeps: .none,
            do: lookAside,
            spoil: { data, _ in
                unlink(data + "/ring")
                mkdir(data + "/ring", 0o755)
            }),
        RingRow(
            "somebody else's: `sudo covey run` was tried once",
            says: "it cannot be opened (Permission denied): set aside as ",
            keeps: .none, asNobody: true, do: "chown covey: the file that was set aside, and put it back.",
            spoil: { data, _ in chmod(data + "/ring", 0) }),
        RingRow(
            "of a newer version", says: "the ring is in format 99, and this Covey reads up to 4", keeps: .none,
            do: "Install the newer Covey again and put the file back.",
            spoil: { data, _ in try ring(data).age(segment: try ring(data).usedSegments()[0]) }),
        RingRow(
            "another gateway's", says: "is it another gateway's card?", keeps: .none,
            do: "Put each card into its own gateway, or set node.",
            spoil: { data, other in
                unlink(data + "/ring")
                guard system("cp '\(other)/ring' '\(data)/ring'") == 0 else { throw ChildFailure(description: "cp") }
            }),
    ]

    /// Parts of it.
    static let segments = [
        RingRow(
            "one header copy spoiled", says: "one header copy is spoiled, the other serves", keeps: .all,
            do: "Nothing yet; suspect the flash.",
            spoil: { data, _ in
                let file = ring(data)
                try file.flip(at: file.usedSegments()[0] * StoredFile.segmentBytes + 100)
            }),
        RingRow(
            "both header copies spoiled", says: "both header copies are spoiled, its blocks were read instead",
            keeps: .all, do: "Nothing yet; suspect the flash.",
            spoil: { data, _ in
                let file = ring(data)
                let start = try file.usedSegments()[0] * StoredFile.segmentBytes
                try file.flip(at: start + 100)
                try file.flip(at: start + Geometry.unit + 100)
            }),
        RingRow(
            "a bit of a block flipped", says: "is damaged", Counter("ring.damaged", .atLeast(1)), keeps: .some,
            do: "The readings of that block are counted as damaged; suspect the flash.",
            spoil: { data, _ in
                let file = ring(data)
                for segment in try file.usedSegments() {
                    try file.flip(at: segment * StoredFile.segmentBytes + Geometry.headerBytes + 300)
                }
            }),
        RingRow(
            "a segment zeroed", says: "lost to damage", Counter("ring.damaged", .atLeast(1)), keeps: .some,
            do: "The readings of that segment are counted as damaged; suspect the flash.",
            spoil: { data, _ in
                let file = ring(data)
                let blank = [UInt8](repeating: 0, count: StoredFile.segmentBytes)
                try file.put(blank, segment: try file.usedSegments()[0])
            }),
        RingRow(
            "two segments swapped", says: "holds what was written to segment", keeps: .all,
            do: "Nothing: both serve. Ask who copied the file.",
            spoil: { data, _ in
                let file = ring(data)
                let used = try file.usedSegments()
                let (first, second) = (try file.segment(used[0]), try file.segment(used[1]))
                try file.put(second, segment: used[0])
                try file.put(first, segment: used[1])
            }),
        RingRow(
            "a segment copied over a free one", says: "left out", keeps: .all,
            do: "Nothing: the copy is not used. Ask who copied the file.",
            spoil: { data, _ in
                let file = ring(data)
                try file.put(try file.segment(try file.usedSegments()[0]), segment: 11)
            }),
        RingRow(
            "a segment of another gateway's ring", says: "belongs to another ring, left alone",
            Counter("ring.set_aside", .by(1)), keeps: .all, do: "Ask who copied it there; its place stays unused.",
            spoil: { data, other in
                let file = ring(other)
                try ring(data).put(try file.segment(try file.usedSegments()[0]), segment: 11)
            }),
    ]

    /// `covey.db`.
    static let store = [
        RingRow(
            "covey.db: random bytes", says: "covey.db is damaged and was set aside as ", keeps: .all, do: lookAside,
            spoil: { data, _ in
                var random = UInt64(7)
                try database(data).fill(0..<8192) {
                    random = random &* 6_364_136_223_846_793_005 &+ 1
                    return UInt8(random >> 56)
                }
            }),
        RingRow(
            "covey.db: cut off", says: "covey.db is damaged and was set aside as ", keeps: .all, do: lookAside,
            spoil: { data, _ in try database(data).truncate(to: database(data).size / 2) }),
        RingRow(
            "covey.db: a folder in its place",
            says: "the key-value store cannot be opened, this run keeps it in memory",
            keeps: .all, do: "Remove the folder, and start anew.",
            spoil: { data, _ in
                unlink(data + "/covey.db")
                mkdir(data + "/covey.db", 0o755)
            }),
        RingRow(
            "covey.db: not there", says: nil, keeps: .all,
            do: "Nothing: the node id is in the ring too, and devices appear again as they speak.",
            spoil: { data, _ in _ = unlink(data + "/covey.db") }),
    ]
}
