// Pure.
import Model

/// The first model: members that know the same writes read the same, and news reaches everyone in the end.
package enum Eventual {
    /// Each node's own register: holdings, uploads, health, devices, latest values.
    package static let own: any ConsistencyModel = OwnRegister()
    /// Last writer wins, by hybrid logical clock.
    package static let register: any ConsistencyModel = LastWriterRegister()
    /// Observed-remove: a removal ends the adds that its writer knew of.
    package static let set: any ConsistencyModel = ObservedRemoveSet()
    /// Grows and shrinks by what each writer adds and takes.
    package static let counter: any ConsistencyModel = SignedCounter()
}

extension ConsistencyModel {
    package func supersedes(_ cell: StateCell, _ other: StateCell) -> Bool { false }
    package func time(of body: [UInt8]) -> HybridTime? { nil }
    package func awaited(by cell: StateCell) -> [Dot] { [] }
    package var judge: any HistoryJudge { EventualJudge() }
}

struct OwnRegister: ConsistencyModel {
    let name = "eventual own register"
    let isSingleWriter = true

    func write(_ change: StateChange, over cells: [StateCell], by writer: WriterID, at time: () -> HybridTime)
        throws(GossipError) -> StateWrite?
    {
        let mine = cells.first { $0.writer == writer }
        switch change {
        case .put(let value):
            guard value.count <= GossipLimits.valueBytes else { throw .valueLength(value.count) }
            if let mine, !mine.isRemoval, mine.body == value { return nil }
            return StateWrite(value)
        case .remove:
            guard let mine, !mine.isRemoval else { return nil }
            return StateWrite([], isRemoval: true)
        case .insert, .discard, .add: throw .notOfThisKind
        }
    }

    /// The one entry, where there is but one; several are read by node.
    func read(_ rows: ArraySlice<StateRow>) -> StateValue? {
        guard let row = rows.first, let cell = row.cells.first(where: { !$0.isDead }) else { return nil }
        return .bytes(cell.body)
    }
}

struct LastWriterRegister: ConsistencyModel {
    let name = "eventual register"
    let isSingleWriter = false

    func write(_ change: StateChange, over cells: [StateCell], by writer: WriterID, at time: () -> HybridTime)
        throws(GossipError) -> StateWrite?
    {
        switch change {
        case .put(let value):
            guard value.count <= GossipLimits.valueBytes else { throw .valueLength(value.count) }
            var body: [UInt8] = []
            body.reserveCapacity(8 + value.count)
            body.append(fixed: time().rawValue)
            return StateWrite(body + value)
        case .remove:
            guard cells.contains(where: { !$0.isDead }) else { return nil }
            var body: [UInt8] = []
            body.append(fixed: time().rawValue)
            return StateWrite(body, isRemoval: true)
        case .insert, .discard, .add: throw .notOfThisKind
        }
    }

    func supersedes(_ cell: StateCell, _ other: StateCell) -> Bool {
        guard let ours = time(of: cell.body), let theirs = time(of: other.body) else { return false }
        return ours == theirs ? other.writer < cell.writer : theirs < ours
    }

    func read(_ rows: ArraySlice<StateRow>) -> StateValue? {
        guard let cell = rows.first?.cells.first(where: { !$0.isDead && $0.body.count >= 8 }) else { return nil }
        return .bytes(Array(cell.body[8...]))
    }

    func time(of body: [UInt8]) -> HybridTime? {
        guard body.count >= 8 else { return nil }
        var time: UInt64 = 0
        for index in 0..<8 { time |= UInt64(body[index]) << (8 * index) }
        return HybridTime(time)
    }
}

struct SignedCounter: ConsistencyModel {
    let name = "eventual counter"
    let isSingleWriter = false

    func write(_ change: StateChange, over cells: [StateCell], by writer: WriterID, at time: () -> HybridTime)
        throws(GossipError) -> StateWrite?
    {
        guard case .add(let amount) = change else { throw .notOfThisKind }
        if amount == 0 { return nil }
        var (up, down) = cells.first { $0.writer == writer }.flatMap { Self.totals($0.body) } ?? (0, 0)
        let limit = UInt64(Int64.max)
        if amount > 0 { up += UInt64(amount) } else { down += amount.magnitude }
        guard up <= limit, down <= limit else { throw .overflow }
        var body: [UInt8] = []
        body.append(varint: up)
        body.append(varint: down)
        return StateWrite(body)
    }

    /// Wraps where all writers together leave 63 bits, alike everywhere.
    func read(_ rows: ArraySlice<StateRow>) -> StateValue? {
        guard let row = rows.first else { return nil }
        var sum: Int64?
        for cell in row.cells where !cell.isDead {
            guard let (up, down) = Self.totals(cell.body) else { continue }
            sum = (sum ?? 0) &+ Int64(bitPattern: up &- down)
        }
        return sum.map(StateValue.count(_:))
    }

    /// Each at most `Int64.max`.
    private static func totals(_ body: [UInt8]) -> (up: UInt64, down: UInt64)? {
        var reader = ByteReader(body, 0..<body.count)
        guard let up = try? reader.varint(), let down = try? reader.varint(), up | down <= UInt64(Int64.max) else {
            return nil
        }
        return (up, down)
    }
}
