// Pure.

/// What a key space promises, in one type: how a write is made, which of two entries of one key gives way, how the key
/// is read, and who judges what was seen. Dissemination carries entries without looking into them, so another model is
/// another conformer.
package protocol ConsistencyModel: Sendable {
    /// `eventual register` and the like.
    var name: String { get }
    /// `true`: each node has an entry of its own under a key, which ends with the node's life.
    var isSingleWriter: Bool { get }
    /// The write that makes `change`, seeing the entries that stand under that key and element. `nil` where there is
    /// nothing to change.
    func write(_ change: StateChange, over cells: [StateCell], by writer: WriterID, at time: () -> HybridTime)
        throws(GossipError) -> StateWrite?
    /// Whether `cell` ends `other`, an entry of another writer under the same key and element. Must not depend on order
    /// of arrival.
    func supersedes(_ cell: StateCell, _ other: StateCell) -> Bool
    /// What a key holds, given its rows (one, or one for each element, ascending) with entries that stand and dead
    /// ones. `nil`: nothing.
    func read(_ rows: ArraySlice<StateRow>) -> StateValue?
    /// The timestamp that a body carries, for the clock.
    func time(of body: [UInt8]) -> HybridTime?
    /// Writes of others that a dead entry speaks of: it is not collected before they are known, as it would then have
    /// been in vain.
    func awaited(by cell: StateCell) -> [Dot]
    var judge: any HistoryJudge { get }
}

package enum StateChange: Hashable, Sendable {
    case put([UInt8])
    case remove
    /// The element is part of the row.
    case insert
    case discard
    case add(Int64)
}

package struct StateWrite: Hashable, Sendable {
    package let body: [UInt8]
    package let isRemoval: Bool

    package init(_ body: [UInt8], isRemoval: Bool = false) {
        self.body = body
        self.isRemoval = isRemoval
    }
}

/// One write, by its writer's tag.
package struct Dot: Hashable, Sendable {
    package let writer: UInt64
    package let version: UInt64

    package init(writer: UInt64, version: UInt64) {
        self.writer = writer
        self.version = version
    }
}

/// The latest write of one stream under one key and element.
package struct StateCell: Hashable, Sendable {
    package let writer: WriterID
    package let version: UInt64
    package let isRemoval: Bool
    package let body: [UInt8]
    /// A removal, or superseded here at some time: it is not read, and collected after a while.
    package internal(set) var isDead: Bool

    package init(writer: WriterID, version: UInt64, isRemoval: Bool, body: [UInt8]) {
        self.writer = writer
        self.version = version
        self.isRemoval = isRemoval
        self.body = body
        isDead = isRemoval
    }
}

/// All entries under one key and element (empty but in sets), ascending by writer.
package struct StateRow: Hashable, Sendable {
    package let key: [UInt8]
    package let element: [UInt8]
    package internal(set) var cells: [StateCell]
}

/// What clients saw, as a simulation or test writes it down.
package struct StateHistory: Sendable {
    package struct Reading: Sendable {
        /// Which member, for the report.
        package let replica: String
        /// ``GossipState/context`` at that time.
        package let context: UInt64
        package let name: StateName
        package let value: StateValue?

        package init(replica: String, context: UInt64, name: StateName, value: StateValue?) {
            self.replica = replica
            self.context = context
            self.name = name
            self.value = value
        }
    }

    /// All changes that were made, of all members, in any order; elements of sets with them.
    package var changes: [(name: StateName, element: [UInt8], change: StateChange)] = []
    package var readings: [Reading] = []
    /// Readings at the end, after all was delivered.
    package var final: [Reading] = []

    package init() {}
}

/// Says what in a history breaks a model's promise; empty where nothing does.
package protocol HistoryJudge: Sendable {
    func faults(in history: StateHistory) -> [String]
}
