// Pure.
package import Model

extension GossipState {
    /// The value of a register; in a single-writer space, this node's own. `nil` where there is none, or the kind is
    /// another.
    package func value(_ name: StateName) -> [UInt8]? {
        if store.model(name.space.rawValue)?.isSingleWriter == true { return own(node, name) }
        guard case .bytes(let value) = read(name) else { return nil }
        return value
    }

    /// What `node`'s newest life wrote there, in a single-writer space.
    package func own(_ node: NodeID, _ name: StateName) -> [UInt8]? {
        let life = node == self.node ? life : lives[node]
        guard let life else { return nil }
        let table = store.table(name.space.rawValue, isShared: false)
        let (row, isThere) = store.tables[table].find(name.key, [])
        guard isThere else { return nil }
        let (cell, isHere) = store.tables[table].rows[row].find(WriterID(node: node, life: life, isShared: false))
        guard isHere, !store.tables[table].rows[row].cells[cell].isDead else { return nil }
        return store.tables[table].rows[row].cells[cell].body
    }

    /// The elements of a set, ascending.
    package func elements(_ name: StateName) -> [[UInt8]] {
        guard case .elements(let elements) = read(name) else { return [] }
        return elements
    }

    /// A counter's sum; 0 where nobody added.
    package func count(_ name: StateName) -> Int64 {
        guard case .count(let count) = read(name) else { return 0 }
        return count
    }

    /// What is read under a name of a multi-writer space.
    package func read(_ name: StateName) -> StateValue? {
        guard let model = store.model(name.space.rawValue), !model.isSingleWriter else { return nil }
        return model.read(store.tables[store.table(name.space.rawValue, isShared: true)].rows(of: name.key))
    }

    /// All keys of a multi-writer space that hold something, ascending.
    package func entries(of space: KeySpaceName) -> [StateEntry] {
        guard let model = store.model(space.rawValue), !model.isSingleWriter else { return [] }
        let rows = store.tables[store.table(space.rawValue, isShared: true)].rows
        var entries: [StateEntry] = []
        var first = 0
        while first < rows.count {
            var end = first + 1
            while end < rows.count, rows[end].key == rows[first].key { end += 1 }
            if let value = model.read(rows[first..<end]) {
                entries.append(StateEntry(key: rows[first].key, value: value))
            }
            first = end
        }
        return entries
    }

    /// All entries of a single-writer space, ascending by key, then node.
    package func ownEntries(_ space: KeySpaceName) -> [OwnEntry] {
        var entries: [OwnEntry] = []
        for row in store.tables[store.table(space.rawValue, isShared: false)].rows {
            for cell in row.cells where !cell.isDead {
                entries.append(OwnEntry(key: row.key, node: cell.writer.node, value: cell.body))
            }
        }
        return entries
    }

    /// What `node` wrote in a single-writer space, ascending by key.
    package func ownEntries(_ space: KeySpaceName, of node: NodeID) -> [OwnEntry] {
        ownEntries(space).filter { $0.node == node }
    }
}
