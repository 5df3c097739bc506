// Pure.
import Environment
import Model

/// Entries of all writers and how far each writer is known; merges what others send. Knows of no peers and no messages.
///
/// The rule under everything: what a member lacks of a stream up to the version it claims is dead, here and in any
/// merge with others.
struct StateStore: Sendable {
    let settings: GossipSettings
    private let models: [(any ConsistencyModel)?]
    /// Ascending by (tag, id).
    private(set) var writers: [WriterRecord] = []
    /// Single-writer spaces, then shared ones: a stream's kind alone decides where its entries go, so that unknown
    /// spaces are carried too.
    private(set) var tables = [StateTable](repeating: StateTable(), count: 512)
    /// The sum of all writers' digests, and of those in each bucket.
    private(set) var root: UInt64 = 0
    private(set) var buckets = [UInt64](repeating: 0, count: GossipLimits.buckets)
    private(set) var bytes = 0
    /// Dead entries in the order of their deaths, from `firstDead` on.
    private(set) var dead: [(at: MonotonicInstant, writer: WriterID, version: UInt64, place: Place)] = []
    private(set) var firstDead = 0
    private var sweepAt = 64

    init(_ declarations: [SpaceDeclaration], settings: GossipSettings) {
        self.settings = settings
        var models = [(any ConsistencyModel)?](repeating: nil, count: 256)
        for declaration in declarations { models[Int(declaration.name.rawValue)] = declaration.model }
        self.models = models
    }

    func model(_ space: UInt8) -> (any ConsistencyModel)? { models[Int(space)] }

    /// The model of entries that this kind of stream writes there; `nil` where the space is unknown or declared
    /// otherwise here.
    func model(_ space: UInt8, of writer: WriterID) -> (any ConsistencyModel)? {
        guard let model = models[Int(space)], model.isSingleWriter == !writer.isShared else { return nil }
        return model
    }

    func table(_ space: UInt8, isShared: Bool) -> Int { Int(space) + (isShared ? 256 : 0) }

    // MARK: Writers

    /// Where the writer is, or would be put in.
    func find(_ writer: WriterID) -> (index: Int, isThere: Bool) {
        let tag = writer.tag
        var low = firstWriter(from: tag)
        while low < writers.count, writers[low].tag == tag, writers[low].id < writer { low += 1 }
        return (low, low < writers.count && writers[low].id == writer)
    }

    /// The first writer whose tag is `tag` or greater.
    func firstWriter(from tag: UInt64) -> Int {
        var low = 0
        var high = writers.count
        while low < high {
            let middle = (low + high) / 2
            if writers[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The record of that writer, a new one if need be; `nil` where there are too many.
    mutating func open(_ writer: WriterID, now: MonotonicInstant) -> Int? {
        let (index, isThere) = find(writer)
        if isThere { return index }
        guard writers.count < settings.mostWriters else { return nil }
        writers.insert(WriterRecord(id: writer, now: now), at: index)
        count(index, with: &+)
        return index
    }

    /// Forgets the stream and its entries; says what changed by it.
    mutating func drop(_ index: Int, changes: inout [Place]) {
        let record = writers[index]
        for slot in record.log {
            guard let at = locate(slot.place, record.id, slot.version) else { continue }
            if !tables[at.table].rows[at.row].cells[at.cell].isDead { changes.append(slot.place) }
            discard(at, of: index)
        }
        count(index, with: &-)
        writers.remove(at: index)
    }

    /// Changes a record and keeps the sums right.
    mutating func update(_ index: Int, _ change: (inout WriterRecord) -> Void) {
        count(index, with: &-)
        change(&writers[index])
        count(index, with: &+)
    }

    /// Changes what no sum counts.
    mutating func note(_ index: Int, _ change: (inout WriterRecord) -> Void) {
        change(&writers[index])
    }

    private mutating func count(_ index: Int, with combine: (UInt64, UInt64) -> UInt64) {
        let digest = writers[index].digest
        let bucket = writers[index].bucket
        root = combine(root, digest)
        buckets[bucket] = combine(buckets[bucket], digest)
    }

    // MARK: Entries

    struct Address {
        let table: Int
        let row: Int
        let cell: Int
    }

    /// Where that very entry is; `nil` where it was superseded by its writer, or is gone.
    func locate(_ place: Place, _ writer: WriterID, _ version: UInt64) -> Address? {
        let table = table(place.space, isShared: writer.isShared)
        let (row, isThere) = tables[table].find(place.key, place.element)
        guard isThere else { return nil }
        let (cell, isHere) = tables[table].rows[row].find(writer)
        guard isHere, tables[table].rows[row].cells[cell].version == version else { return nil }
        return Address(table: table, row: row, cell: cell)
    }

    /// Whether one more entry of that size has room; an entry that replaces another of its writer counts only by what
    /// it adds. Removals have twice the room: what is full can be emptied.
    func refusal(_ index: Int, _ place: Place, bytes added: Int, isRemoval: Bool) -> GossipError? {
        let room = isRemoval ? 2 : 1
        let table = tables[table(place.space, isShared: writers[index].id.isShared)]
        let (row, isThere) = table.find(place.key, place.element)
        var size = Self.size(place, added)
        if isThere {
            let (cell, isHere) = table.rows[row].find(writers[index].id)
            if isHere {
                size -= Self.size(place, table.rows[row].cells[cell].body.count)
                return bytes + size > settings.mostBytes * room ? .full : nil
            }
        }
        if writers[index].counts[place.space, default: 0] >= settings.entriesPerSpace * room {
            return .tooManyEntries(KeySpaceName(place.space))
        }
        return bytes + size > settings.mostBytes * room ? .full : nil
    }

    /// Puts in the next entry of a stream, whose version is above all of its others.
    mutating func insert(_ cell: StateCell, at place: Place, of index: Int, now: MonotonicInstant) {
        let number = table(place.space, isShared: cell.writer.isShared)
        let (row, isThere) = tables[number].find(place.key, place.element)
        if !isThere {
            tables[number].rows.insert(StateRow(key: place.key, element: place.element, cells: []), at: row)
        }
        let (at, isHere) = tables[number].rows[row].find(cell.writer)
        if isHere {
            bytes -= Self.size(place, tables[number].rows[row].cells[at].body.count)
            die(tables[number].rows[row].cells[at], index)
            tables[number].rows[row].cells[at] = cell
        } else {
            tables[number].rows[row].cells.insert(cell, at: at)
            writers[index].live += 1
            writers[index].counts[place.space, default: 0] += 1
        }
        bytes += Self.size(place, cell.body.count)
        writers[index].log.append((cell.version, place))
        compact(index)
        if cell.isDead {
            bury(cell, place, now)
        } else {
            update(index) { $0.alive &+= mix(cell.version, 0) }
        }
        settle(number, row, at, place, now)
    }

    /// Takes an entry that stood until now out of its stream's sum.
    private mutating func die(_ cell: StateCell, _ index: Int) {
        guard !cell.isDead else { return }
        update(index) { $0.alive &-= mix(cell.version, 0) }
    }

    /// Marks an entry dead.
    private mutating func end(_ table: Int, _ row: Int, _ cell: Int, _ place: Place, _ now: MonotonicInstant) {
        let gone = tables[table].rows[row].cells[cell]
        let (index, isThere) = find(gone.writer)
        if isThere { die(gone, index) }
        tables[table].rows[row].cells[cell].isDead = true
        bury(gone, place, now)
    }

    /// Finds out which entries of a row the new one ends, and whether one of them ends it.
    private mutating func settle(_ table: Int, _ row: Int, _ new: Int, _ place: Place, _ now: MonotonicInstant) {
        let count = tables[table].rows[row].cells.count
        guard count > 1, let model = model(place.space, of: tables[table].rows[row].cells[new].writer),
            !model.isSingleWriter
        else { return }
        let cell = tables[table].rows[row].cells[new]
        var isDead = cell.isDead
        for index in 0..<count where index != new {
            let other = tables[table].rows[row].cells[index]
            if !other.isDead, model.supersedes(cell, other) {
                end(table, row, index, place, now)
            }
            if !isDead, model.supersedes(other, cell) {
                isDead = true
                end(table, row, new, place, now)
            }
        }
    }

    private mutating func bury(_ cell: StateCell, _ place: Place, _ now: MonotonicInstant) {
        dead.append((now, cell.writer, cell.version, place))
        guard dead.count >= sweepAt else { return }
        // Dead entries that their writers have since written over: without this a busy key would fill the queue.
        dead = dead[firstDead...].filter { locate($0.place, $0.writer, $0.version) != nil }
        firstDead = 0
        sweepAt = max(64, 2 * dead.count)
    }

    /// Takes an entry out. The writer's slot for it goes stale.
    mutating func discard(_ at: Address, of index: Int) {
        let row = tables[at.table].rows[at.row]
        let space = UInt8(truncatingIfNeeded: at.table)
        bytes -= Self.size(row.key.count + row.element.count, row.cells[at.cell].body.count)
        die(row.cells[at.cell], index)
        writers[index].live -= 1
        writers[index].counts[space, default: 1] -= 1
        if row.cells.count == 1 {
            tables[at.table].rows.remove(at: at.row)
        } else {
            tables[at.table].rows[at.row].cells.remove(at: at.cell)
        }
    }

    /// Throws out stale slots when they are the greater part, so that a slot costs nothing in the long run.
    private mutating func compact(_ index: Int) {
        guard writers[index].log.count > max(32, 2 * writers[index].live) else { return }
        let record = writers[index]
        writers[index].log = record.log.filter { locate($0.place, record.id, $0.version) != nil }
    }

    private static func size(_ place: Place, _ body: Int) -> Int { size(place.key.count + place.element.count, body) }

    /// 64 B for cell, row and slot.
    private static func size(_ name: Int, _ body: Int) -> Int { name + body + 64 }

    // MARK: Collection

    /// When the next dead entry may be collected.
    var nextCollection: MonotonicInstant? {
        firstDead < dead.count ? dead[firstDead].at.advanced(by: settings.collectAfter) : nil
    }

    /// Collects what has been dead for long enough, and with an entry all that it had ended.
    mutating func collect(now: MonotonicInstant) {
        while firstDead < dead.count, dead[firstDead].at.advanced(by: settings.collectAfter) <= now {
            let mark = dead[firstDead]
            firstDead += 1
            guard let at = locate(mark.place, mark.writer, mark.version) else { continue }
            let cell = tables[at.table].rows[at.row].cells[at.cell]
            let model = model(mark.place.space, of: cell.writer)
            if model == nil, cell.writer.isShared { continue }
            if let model, !model.awaited(by: cell).allSatisfy({ isKnown($0) }) {
                dead.append((now, mark.writer, mark.version, mark.place))
                continue
            }
            let ended = tables[at.table].rows[at.row].cells.filter { model?.supersedes(cell, $0) == true }
            for gone in ended + [cell] { collect(gone, mark.place) }
        }
        if firstDead > 64, firstDead * 2 > dead.count {
            dead.removeFirst(firstDead)
            firstDead = 0
        }
    }

    private mutating func collect(_ cell: StateCell, _ place: Place) {
        let (index, isThere) = find(cell.writer)
        guard isThere, let at = locate(place, cell.writer, cell.version) else { return }
        discard(at, of: index)
        if !cell.writer.isShared { note(index) { $0.collected = max($0.collected, cell.version) } }
    }

    private func isKnown(_ dot: Dot) -> Bool {
        let index = firstWriter(from: dot.writer)
        return index < writers.count && writers[index].tag == dot.writer && writers[index].version >= dot.version
    }
}
