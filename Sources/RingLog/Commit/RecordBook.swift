import LogFormat
import Model

/// The small records: latest values, what of them is not yet durable, and what a new segment must repeat.
struct RecordBook: Sendable {
    private(set) var values: [StateKey: [UInt8]] = [:]
    private var valueBytes = 0
    /// Puts not yet in a block, oldest first. A key put again keeps its place: its newest value goes at that turn.
    private var dirtyStates: [(key: StateKey, version: UInt64)] = []
    private var dirtyKeys: Set<StateKey> = []
    private(set) var version: UInt64 = 0
    /// Gaps, logs and anchors not yet in a block.
    var dirty: [Record] = []
    /// What of the present segment's snapshot is still to be written, next one last.
    var snapshot: [SnapshotItem] = []
    /// The present segment does not repeat everything yet.
    var snapshotIsOpen = false
    /// Whether the block that is being filled ends the snapshot.
    var snapshotIsComplete: Bool { snapshotIsOpen && snapshot.isEmpty && dirty.isEmpty }

    private(set) var marks = MarkTable()
    var mostMarks = 4096
    /// Marks repeated in a new segment, out of those kept: so many are sure to outlive a crash.
    private var marksRepeated: Int { mostMarks / 4 }

    enum SnapshotItem: Sendable {
        case record(Record)
        /// Written with the value it then has.
        case state(StateKey)
    }

    mutating func put(_ key: StateKey, _ value: [UInt8], mostBytes: Int) throws(RingError) -> UInt64 {
        let old = values[key].map { Record.state(key, $0).mostBytes } ?? 0
        let bytes = valueBytes - old + Record.state(key, value).mostBytes
        guard bytes <= mostBytes else { throw .tooManyStates }
        valueBytes = bytes
        values[key] = value
        version += 1
        if dirtyKeys.insert(key).inserted { dirtyStates.append((key, version)) }
        return version
    }

    /// Takes a record away, should there be one. An empty value says so on the disk; a snapshot leaves the key out.
    mutating func remove(_ key: StateKey) {
        guard let old = values.removeValue(forKey: key) else { return }
        valueBytes -= Record.state(key, old).mostBytes
        version += 1
        if dirtyKeys.insert(key).inserted { dirtyStates.append((key, version)) }
    }

    /// A complete snapshot follows: what it does not repeat had been taken away before it.
    mutating func forgetValues() {
        values = [:]
        valueBytes = 0
    }

    mutating func recover(_ key: StateKey, _ value: [UInt8]) {
        guard !value.isEmpty else {
            if let old = values.removeValue(forKey: key) { valueBytes -= Record.state(key, old).mostBytes }
            return
        }
        valueBytes += Record.state(key, value).mostBytes - (values[key].map { Record.state(key, $0).mostBytes } ?? 0)
        values[key] = value
    }

    mutating func remember(_ mark: DeliveryMark) {
        guard marks.append(mark), marks.count > mostMarks + mostMarks / 4 else { return }
        marks.removeFirst(marks.count - mostMarks)
    }

    /// Queues a gap; one that goes on where the last ended makes that one longer, so that a long outage stays one record.
    mutating func note(_ gap: Gap) {
        guard case .gap(let last)? = dirty.last, last.log == gap.log, last.reason == gap.reason,
            last.range.upperBound == gap.range.lowerBound
        else { return dirty.append(.gap(gap)) }
        dirty[dirty.count - 1] = .gap(
            Gap(log: gap.log, range: last.range.lowerBound..<gap.range.upperBound, reason: gap.reason))
    }

    /// The range has come back: what is yet to be written must not say, in a later segment, that it is gone.
    mutating func forgetGap(of log: LogID, _ range: Range<Offset>) {
        func rest(_ record: Record) -> [Record] {
            guard case .gap(let gap) = record, gap.log == log else { return [record] }
            return gap.without(range).map { .gap($0) }
        }
        dirty = dirty.flatMap { rest($0) }
        snapshot = snapshot.flatMap { item -> [SnapshotItem] in
            guard case .record(let record) = item else { return [item] }
            return rest(record).map { .record($0) }
        }
    }

    var hasDirty: Bool { !dirty.isEmpty || !dirtyStates.isEmpty }
    /// All puts up to this one have been in a block that was cut.
    var cutVersion: UInt64 { dirtyStates.first.map { $0.version - 1 } ?? version }

    /// What one block took.
    struct Taken: Sendable {
        var records: [Record] = []
        var states: [(key: StateKey, version: UInt64)] = []
        var snapshot: [SnapshotItem] = []
    }

    /// Moves as much into `builder` as fits its first part, so that readings are never starved.
    mutating func fill(_ builder: inout BlockBuilder, share: Double) -> Taken {
        var taken = Taken()
        while let record = dirty.first, builder.add(record, share: share) {
            taken.records.append(record)
            dirty.removeFirst()
        }
        var count = 0
        for (key, version) in dirtyStates {
            guard builder.add(.state(key, values[key] ?? []), share: share) else { break }
            taken.states.append((key, version))
            dirtyKeys.remove(key)
            count += 1
        }
        dirtyStates.removeFirst(count)
        while let item = snapshot.last {
            let record: Record
            switch item {
            case .record(let given): record = given
            case .state(let key): record = .state(key, values[key] ?? [])
            }
            guard builder.add(record, share: share) else { break }
            taken.snapshot.append(snapshot.removeLast())
        }
        return taken
    }

    /// Nothing of it became durable.
    mutating func putBack(_ taken: Taken, snapshotToo: Bool) {
        dirty = taken.records + dirty
        let again = Set(taken.states.map { $0.key })
        dirtyStates = taken.states + dirtyStates.filter { !again.contains($0.key) }
        dirtyKeys.formUnion(again)
        if snapshotToo { snapshot.append(contentsOf: taken.snapshot.reversed()) }
    }

    mutating func startSnapshot(logs: [LogRecord], gaps: [Gap], anchors: [ClockAnchor]) {
        // The logs come first and all of them, so that whoever replays this segment alone meets them in the order of their age.
        dirty.removeAll { if case .log = $0 { true } else { false } }
        dirty.insert(contentsOf: logs.map { .log($0) }, at: 0)
        var items: [SnapshotItem] = []
        items += gaps.map { .record(.gap($0)) }
        items += anchors.map { .record(.anchor($0)) }
        items += values.keys.sorted().map { .state($0) }
        items += marks.suffix(marksRepeated).map { .record(.repeatedMark($0)) }
        snapshot = items.reversed()
        snapshotIsOpen = true
    }
}
