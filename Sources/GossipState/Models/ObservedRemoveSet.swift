// Pure.
import Model

/// A row for each element. A body names the adds of other writers that this writer has ended; a write of the same
/// writer takes them over.
struct ObservedRemoveSet: ConsistencyModel {
    let name = "eventual set"
    let isSingleWriter = false

    func write(_ change: StateChange, over cells: [StateCell], by writer: WriterID, at time: () -> HybridTime)
        throws(GossipError) -> StateWrite?
    {
        var covers = cells.first { $0.writer == writer }.map { Self.covers($0.body) } ?? []
        switch change {
        case .insert:
            return StateWrite(Self.body(covers))
        case .discard:
            guard cells.contains(where: { !$0.isDead }) else { return nil }
            for cell in cells where cell.writer != writer {
                covers.removeAll { $0.writer == cell.writer.tag }
                covers.append(Dot(writer: cell.writer.tag, version: cell.version))
            }
            guard covers.count <= GossipLimits.covers else { throw .contended }
            return StateWrite(Self.body(covers), isRemoval: true)
        case .put, .remove, .add: throw .notOfThisKind
        }
    }

    func supersedes(_ cell: StateCell, _ other: StateCell) -> Bool {
        guard cell.body.count > 1 else { return false }
        let tag = other.writer.tag
        return Self.covers(cell.body).contains { $0.writer == tag && other.version <= $0.version }
    }

    func read(_ rows: ArraySlice<StateRow>) -> StateValue? {
        let elements = rows.filter { $0.cells.contains { !$0.isDead } }.map(\.element)
        return elements.isEmpty ? nil : .elements(elements)
    }

    func awaited(by cell: StateCell) -> [Dot] { Self.covers(cell.body) }

    private static func body(_ covers: [Dot]) -> [UInt8] {
        var body: [UInt8] = []
        body.append(varint: UInt64(covers.count))
        for dot in covers {
            body.append(fixed: dot.writer)
            body.append(varint: dot.version)
        }
        return body
    }

    /// Those that can be read; a body that nobody writes has none.
    private static func covers(_ body: [UInt8]) -> [Dot] {
        var reader = ByteReader(body, 0..<body.count)
        guard let count = try? reader.count(limit: GossipLimits.covers, "covers") else { return [] }
        var covers: [Dot] = []
        covers.reserveCapacity(count)
        for _ in 0..<count {
            guard let writer = try? reader.fixed(UInt64.self), let version = try? reader.varint() else { return [] }
            covers.append(Dot(writer: writer, version: version))
        }
        return covers
    }
}
