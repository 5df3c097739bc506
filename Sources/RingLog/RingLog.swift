import Environment
package import LogFormat
package import Model

/// The ring: readings and small records on one fixed-size disk, as a machine of pure steps with one owner.
///
/// It performs no write itself: ``cut(now:using:)`` hands out a plan of writes and one sync, somebody performs it on a thread,
/// ``finished(_:_:now:)`` takes the result. What is not yet durable stays in RAM, so that a failed plan loses nothing. There is
/// one stream of syncs: merged blocks ride in commits, because a descriptor tells a failed write-back to one caller only.
package struct RingLog: Sendable {
    let options: RingOptions
    let store: StoreID
    let isReadOnly: Bool
    /// No header has ever been written: the first commit is a header alone, so that a power cut during it leaves either a ring or
    /// a blank disk, never something in between.
    var isBlank = false
    /// What was found at the start is known to be durable. `false` after a start whose syncs the disk refused, until a commit goes well:
    /// then nobody may be told that this ring holds it.
    package internal(set) var isSettled = true
    var segments: [Segment]
    /// Generation of the newest segment.
    var generation: UInt64 = 0
    var hot: Head?
    var cold: Head?

    var indexes: [LogID: LogIndex] = [:]
    /// Of logs minted here: what a record says was damaged, and was found whole at opening.
    var returned: [LogID: OffsetRanges] = [:]
    /// Oldest first.
    var logOrder: [LogID] = []
    /// The log of this process; `nil` before its first readings are cut.
    package internal(set) var currentLog: LogID?
    /// The offset that the next reading gets.
    package internal(set) var nextOffset = Offset.zero
    /// Everything of ``currentLog`` below is on disk.
    package internal(set) var durableEnd = Offset.zero

    var waiting = Waiting()
    var copyQueue = WaitingCopies()
    /// What segments hold that is pending, until it changes.
    var census: PendingCensus?
    var records = RecordBook()
    var clocks = ClockTable()
    var steady = SteadyClock()
    var inFlight: InFlight?
    var background = Background()
    var health = Health()
    var suspects = Suspects()
    var counters = Counters()
    /// The next cut may find room where there was none.
    var releasedSinceCut = false
    /// Where the readings lay that were evicted last, until somebody asks.
    var evicted: EvictedPlaces?
    /// What steps brought about and no return value has told yet.
    var pendingEvents: [RingEvent] = []
    /// Dictionaries of segments that are read often, newest last.
    var tables: [(segment: Int, generation: UInt64, table: SeriesTable)] = []
    private var lastPlan: WritePlan.ID = 0

    /// Dictionaries kept in RAM: what the uploader reads lies in the newest segments.
    static let tablesKept = 8
    /// Logs that hold nothing any more are remembered so many deep, then forgotten.
    static let finishedLogsKept = 64
    /// So many copies are remembered that hold nothing any more: what was lost of them is not taken back at once.
    static let finishedCopiesKept = 64

    init(options: RingOptions, store: StoreID, segments: [Segment], isReadOnly: Bool) {
        self.options = options
        self.store = store
        self.segments = segments
        self.isReadOnly = isReadOnly
        records.mostMarks = options.marksKept
    }

    mutating func newPlanID() -> WritePlan.ID {
        lastPlan += 1
        return lastPlan
    }
}

extension RingLog {
    /// Takes readings in and returns the offsets they get in the log of this process. They are durable when an event says so.
    ///
    /// Throws ``RingError/bufferFull``, ``RingError/ringFull``, ``RingError/entryTooLarge(bytes:)`` or
    /// ``RingError/readOnly``; then nothing was taken.
    package mutating func append(_ entry: Entry) throws(RingError) -> Range<Offset> {
        guard !isReadOnly else { throw .readOnly }
        let most = BlockBuilder.mostBytesAlone(entry.readings, mark: entry.mark)
        guard most <= options.geometry.blockBytes - 1024, entry.readings.count <= Limits.readingsPerMessage,
            entry.mark.map({ $0.session.utf8.count <= DeliveryMark.sessionBytes }) ?? true
        else { throw .entryTooLarge(bytes: most) }
        guard waiting.bytes + most <= options.pendingBytes else { throw .bufferFull }
        guard options.retention.mayDrop || !isFull else { throw .ringFull }
        let first = nextOffset
        guard !entry.readings.isEmpty || entry.mark != nil else { return first..<first }
        nextOffset = first.advanced(by: entry.readings.count)
        let readings = entry.readings.map { steady.settled($0) }
        waiting.append(Waiting.Item(readings: readings, mark: entry.mark, first: first, bytes: most))
        return first..<nextOffset
    }

    /// Whether the message has been taken in before, durably or not yet.
    package func knows(_ mark: DeliveryMark) -> Bool { records.marks.contains(mark) || waiting.marks.contains(mark) }

    /// Whether the readings of the message are on disk.
    package func isDurable(_ mark: DeliveryMark) -> Bool { records.marks.contains(mark) }

    /// Sets a small record. It rides in one of the next blocks, and is durable when an event names its version.
    ///
    /// An empty value takes the record away.
    ///
    /// Throws ``RingError/stateTooLarge(_:)``, ``RingError/tooManyStates`` or ``RingError/readOnly``.
    @discardableResult
    package mutating func put(_ key: StateKey, _ value: [UInt8]) throws(RingError) -> UInt64 {
        guard !isReadOnly else { throw .readOnly }
        guard key.name.utf8.count <= StateKey.nameBytes, value.count <= StateKey.valueBytes else {
            throw .stateTooLarge(key)
        }
        guard !value.isEmpty else {
            records.remove(key)
            return records.version
        }
        return try records.put(key, value, mostBytes: options.geometry.segmentBytes / 4)
    }

    /// `readings` as ``append(_:)`` would store them: the wall estimates of one clock are kept from moving by less than 1 ms.
    package mutating func settled(_ readings: [Reading]) -> [Reading] { readings.map { steady.settled($0) } }

    /// The latest value put or recovered.
    package func state(_ key: StateKey) -> [UInt8]? { records.values[key] }

    /// All small records, sorted by key.
    package var states: [(key: StateKey, value: [UInt8])] {
        records.values.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    /// Fixes the wall time of one run of the kernel; rides in the next block. The latest for a boot counts.
    package mutating func anchor(_ anchor: ClockAnchor) {
        guard clocks.set(anchor) else { return }
        records.dirty.append(.anchor(anchor))
    }

    /// Readings of `log` below `upTo` may be overwritten without being missed. Never goes back.
    package mutating func setReleased(_ log: LogID, upTo offset: Offset) {
        guard let known = indexes[log], known.released < offset.rawValue else { return }
        indexes[log]?.released = offset.rawValue
        census = nil
        releasedSinceCut = true
    }

    /// Bytes of one segment.
    package var segmentBytes: Int { options.geometry.segmentBytes }

    /// Readings appended and not yet durable.
    package var waitingReadings: Int { waiting.readings + (inFlight?.items.reduce(0) { $0 + $1.readings.count } ?? 0) }
    /// RAM that they are reckoned at, in bytes.
    package var waitingBytes: Int { waiting.bytes + (inFlight?.items.reduce(0) { $0 + $1.bytes } ?? 0) }

    /// Readings from `offset` of ``currentLog`` on that are in RAM only: what sinks are given while nothing can be committed.
    /// Empty before the log has its id.
    package func waiting(from offset: Offset, limit: Int) -> [StoredReading] {
        guard let currentLog else { return [] }
        var found: [StoredReading] = []
        for item in (inFlight?.items ?? []) + waiting.all where item.first.advanced(by: item.readings.count) > offset {
            for (index, reading) in item.readings.enumerated() {
                let place = item.first.advanced(by: index)
                guard place >= offset else { continue }
                guard found.count < limit else { return found }
                found.append(StoredReading(log: currentLog, offset: place, reading: reading))
            }
        }
        return found
    }

    /// A sink has everything below `offset`: entries that lie wholly below leave RAM, and their range becomes a gap that is
    /// no loss. Does nothing while a plan is outstanding, for its readings may become durable yet.
    package mutating func releaseWaiting(upTo offset: Offset) {
        guard let currentLog, inFlight == nil else { return }
        let taken = waiting.removeAll(below: offset)
        guard let first = taken.first, let last = taken.last else { return }
        let end = last.first.advanced(by: last.readings.count)
        // A redelivery in this process is still known as one.
        for mark in taken.compactMap(\.mark) { records.remember(mark) }
        addGap(currentLog, first.first.rawValue, end.rawValue, .uploaded)
        durableEnd = max(durableEnd, end)
    }

    /// Records a gap and returns the parts that are new.
    @discardableResult
    mutating func addGap(_ log: LogID, _ lower: UInt64, _ upper: UInt64, _ reason: GapReason) -> [Gap] {
        let added = indexes[log, default: LogIndex()].addGap(log: log, lower, upper, reason)
        for gap in added { records.note(gap) }
        return added
    }
}

/// One log as callers see it.
package struct LogSummary: Hashable, Sendable {
    package let log: LogID
    /// One past the last offset known to have been used, durable or gone.
    package let end: Offset
    package let isClosed: Bool
    /// Readings held on this disk.
    package let stored: Int
    /// The first offset held; ``end`` where nothing is.
    package let start: Offset
}

extension RingLog {
    /// The ids of ``logs``, without counting anything.
    package var logIDs: [LogID] { logOrder.filter { indexes[$0]?.origin == .own } }

    /// Every log that this ring minted, oldest first.
    package var logs: [LogSummary] {
        logOrder.compactMap { log in
            guard let index = indexes[log], index.origin == .own else { return nil }
            return LogSummary(
                log: log, end: Offset(index.end), isClosed: index.isClosed, stored: index.ranges.count,
                start: Offset(index.ranges.all.first?.lowerBound ?? index.end))
        }
    }

    /// Runs of `log` from `offset` on that hold a reading whose own clock was not trusted; ascending, anchors not considered.
    package func undatedRuns(of log: LogID, from offset: Offset) -> [Range<Offset>] {
        guard let index = indexes[log] else { return [] }
        return index.entries[index.firstIndex(behind: offset.rawValue)...].filter { !$0.isTrusted }
            .map { max(Offset($0.first), offset)..<Offset($0.end) }
    }

    /// What of `log` will never come, sorted.
    package func gaps(of log: LogID) -> [Gap] { indexes[log]?.gaps ?? [] }

    /// Of a log minted here: what was damaged once, so that readers were told that it is gone, and could be read again when this ring was
    /// opened, as after a disk's passing fault. Ascending, disjoint; a later start may name the same again.
    package func returned(of log: LogID) -> [Range<Offset>] {
        guard let found = returned[log] else { return [] }
        var held = found
        for range in found.all {
            for part in indexes[log]?.ranges.missing(in: range) ?? [range] {
                held.remove(part.lowerBound, part.upperBound)
            }
        }
        return held.all.map { Offset($0.lowerBound)..<Offset($0.upperBound) }
    }

    /// The time of `stamp`, corrected by an anchor where there is one.
    package func time(of stamp: Stamp) -> RenderedTime { clocks.time(of: stamp) }

    /// How to tell the time of any stamp, for use on other threads.
    package var clock: ClockTable { clocks }
}

extension RingLog {
    /// Takes back what ``setReleased(_:upTo:)`` said, down to `offset`: what is left of the log is needed again.
    package mutating func takeBackRelease(_ log: LogID, to offset: Offset) {
        guard let known = indexes[log], known.released > offset.rawValue else { return }
        indexes[log]?.released = offset.rawValue
        census = nil
    }

    /// Ends the log of this process; the next reading gets a log of a new id. `false` while readings of it are on their way to the disk.
    package mutating func closeCurrentLog() -> Bool {
        guard let log = currentLog, waiting.isEmpty, inFlight == nil else { return false }
        indexes[log]?.isClosed = true
        currentLog = nil
        nextOffset = .zero
        durableEnd = .zero
        return true
    }
}
