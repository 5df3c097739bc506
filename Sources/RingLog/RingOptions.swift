package import Environment
package import LogFormat
package import Model

/// How a ring is run.
package struct RingOptions: Sendable {
    /// What happens when the ring is full of readings that nobody has uploaded.
    package enum Retention: Hashable, Sendable {
        /// The oldest go, counted and recorded.
        case dropOldest
        /// New ones are refused.
        case rejectNew
        /// The oldest go; before, they are named by ``RingLog/nextToGo()``, so that less can be stored in their place.
        case downsample

        /// Whether readings that no sink has may be given up.
        var mayDrop: Bool { self != .rejectNew }
    }

    package var geometry = Geometry.standard
    package var retention = Retention.dropOldest
    /// Bytes of RAM for readings that are not yet durable; beyond, ``RingLog/append(_:)`` refuses and sources must wait.
    package var pendingBytes = 16 << 20
    /// The part, 0 to 1, of the segments that hold data which copies of other logs that are not released may take where own readings
    /// need the room.
    package var copiesShare = 0.5
    /// Bytes of merged blocks or zero-fill that one commit carries beside its own block: keeps a commit short on slow flash.
    package var backgroundBytes = 256 << 10
    /// Delivery marks remembered; a quarter of them is sure to outlive a crash, which is more messages than a broker keeps in
    /// flight to us.
    package var marksKept = 4096

    package init() {}
}

/// Readings that belong together, such as those of one message: stored in one block or not at all.
package struct Entry: Hashable, Sendable {
    /// At most ``Limits/readingsPerMessage``.
    package var readings: [Reading]
    /// How a redelivery of the message can be known; `nil` where the source never repeats.
    package var mark: DeliveryMark?

    package init(_ readings: [Reading], mark: DeliveryMark? = nil) {
        self.readings = readings
        self.mark = mark
    }
}

/// What the ring can answer instead of doing what was asked.
package enum RingError: Error, Hashable, Sendable {
    /// The disk has fewer than ``Geometry/fewestSegments`` segments.
    case tooSmall(segments: Int)
    /// A newer Covey wrote it. Nothing was touched.
    case newerVersion(found: UInt16)
    /// It is not blank, and no ring of Covey's either. Nothing was touched; set the file aside and make a new one.
    case notARing(String)
    /// It was made with other segments. Nothing was touched.
    case otherGeometry(String)
    case disk(DiskError)
    /// The readings cannot fit one block, whatever else it holds; `Int.max` bytes where one has a name, a text or a time beyond
    /// all limits.
    case entryTooLarge(bytes: Int)
    /// ``RingOptions/pendingBytes`` are waiting: read no source until a commit has succeeded.
    case bufferFull
    /// Full, nothing released, and ``RingOptions/retention`` forbids to drop.
    case ringFull
    /// Opened for reading only.
    case readOnly
    /// The log is not for ``RingLog/store(_:first:readings:anchors:)``: this ring knows it as another gateway's.
    case notACopy(LogID)
    /// There is no room, and copies have their ``RingOptions/copiesShare`` of the ring: offer them again later.
    case copiesFull
    /// Name or value is beyond its limit.
    case stateTooLarge(StateKey)
    /// All small records together must fit a quarter of a segment.
    case tooManyStates
}

extension RingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooSmall(let segments):
            "the ring has room for \(segments) segments, and needs at least \(Geometry.fewestSegments)"
        case .newerVersion(let found):
            "the ring is in format \(found), and this Covey reads up to \(SegmentHeader.version): "
                + "run the newer version again, or move the ring file aside"
        case .notARing(let what): "not a ring of Covey's: \(what)"
        case .otherGeometry(let what): "the ring was made with other segments: \(what)"
        case .disk(let error): error.message
        case .entryTooLarge(let bytes): "the readings of one message take \(bytes) bytes, more than one block"
        case .bufferFull: "too many readings wait for the disk"
        case .ringFull: "the ring is full of readings that are not uploaded"
        case .readOnly: "the ring is open for reading only"
        case .notACopy(let log): "log \(log) is another gateway's"
        case .copiesFull: "the ring has no room for more copies of other gateways' readings"
        case .stateTooLarge(let key): "the record \(key.kind)/\(key.name) is too large"
        case .tooManyStates: "the small records take more than a quarter of a segment"
        }
    }
}

/// What a step brought about, for the caller to act on, count and log.
package enum RingEvent: Hashable, Sendable {
    /// All offsets of `log` below `upTo`, and all puts up to `stateVersion`, are on disk. `log` is `nil` before the first
    /// readings of this process.
    case durable(log: LogID?, upTo: Offset, stateVersion: UInt64)
    /// Readings that ``RingLog/store(_:first:readings:anchors:)`` took in are on disk.
    case copied(LogName, Range<Offset>)
    /// The same of a log that this ring minted: damage had taken them, and they are no loss any more. `devices`: whose they are.
    case restored(LogID, Range<Offset>, devices: [DeviceID: Int])
    /// Nothing of that plan is durable. It stays in RAM and is written again elsewhere.
    case failed(DiskError)
    /// The segment is not used again while there are others.
    case retired(segment: Int, reason: String)
    /// A retired segment is written to again, from its beginning: no other was left.
    case reused(segment: Int)
    /// Commits are given up for now; readings are held in RAM only.
    case memoryOnly(reason: String)
    /// A commit succeeded after that.
    case durableAgain
    /// `range` was given up to make room. `pending`: it was not released, so this is a loss to count, unless `log` is a copy.
    case evicted(log: LogID, range: Range<Offset>, pending: Bool)
    /// `range` was found unreadable: a loss to count, unless `log` is a copy.
    case damaged(log: LogID, range: Range<Offset>, reason: String)
}

/// Readings that a reader found unreadable; feed them to ``RingLog/noteDamage(_:)``.
package struct DamagedRange: Hashable, Sendable {
    package let log: LogID
    package let range: Range<Offset>
    package let segment: Int
    package let generation: UInt64
    package let reason: String

    /// What a block holds of a log from `first` up to `end`.
    init(_ log: LogID, _ first: UInt64, _ end: UInt64, at place: BlockPlace, _ reason: String) {
        (self.log, range, self.reason) = (log, Offset(first)..<Offset(end), reason)
        (segment, generation) = (place.segment, place.generation)
    }
}

/// Writes, then one sync: performed by one thread, in the order in which plans were handed out.
package struct WritePlan: Sendable {
    package typealias ID = UInt64
    package let id: ID
    package let writes: [(position: Int, bytes: [UInt8])]
    /// Own readings that become durable with it.
    package let readings: Int
    /// Bytes of the commit's own block; 0 where the plan carries background work alone.
    package let blockBytes: Int
    /// Set while commits are given up: what lies at the disk's place now may be another file than the one that is open.
    let home: RingHome?

    /// Bytes of all writes.
    package var bytes: Int { writes.reduce(0) { $0 + $1.bytes.count } }

    /// Writes in order and syncs once; stops at the first failure. Blocks.
    package func perform(on disk: any Disk) -> Result<Void, DiskError> {
        do {
            if let home { try disk.reopen { home.lies(on: $0) } }
            for write in writes { try disk.write(write.bytes, at: write.position) }
            try disk.sync()
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}
