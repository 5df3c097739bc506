/// The store without a disk: for tests, for simulations, and for a gateway whose disk fails.
package actor MemoryStore: KeyValueStore {
    /// Ordered by bytes, as `String` compares by canonical equivalence and would take two spellings for one key.
    private var spaces: [KeySpace: [(key: [UInt8], value: [UInt8])]] = [:]
    private var isClosed = false

    package init() {}

    package func get(_ key: String, in space: KeySpace) async throws(KeyValueError) -> [UInt8]? {
        try checkOpen()
        try KeyValueLimits.check(key: key)
        let bytes = Array(key.utf8)
        let entries = spaces[space, default: []]
        let index = Self.lowerBound(bytes, in: entries)
        return index < entries.count && entries[index].key == bytes ? entries[index].value : nil
    }

    package func scan(
        _ space: KeySpace, prefix: String, after: String?, limit: Int
    ) async throws(KeyValueError) -> [KeyValueEntry] {
        try checkOpen()
        guard (1...KeyValueLimits.pageEntries).contains(limit) else {
            throw KeyValueError(.limit, "a page of \(limit) entries; the limit is \(KeyValueLimits.pageEntries)")
        }
        let prefix = Array(prefix.utf8)
        let entries = spaces[space, default: []]
        var index = Self.lowerBound(prefix, in: entries)
        if let after {
            let after = Array(after.utf8)
            index = max(index, Self.lowerBound(after, in: entries))
            if index < entries.count, entries[index].key == after { index += 1 }
        }
        return entries[index...].prefix(while: { $0.key.starts(with: prefix) }).prefix(limit).map {
            KeyValueEntry(key: String(decoding: $0.key, as: UTF8.self), value: $0.value)
        }
    }

    package func apply(_ writes: [KeyValueWrite]) async throws(KeyValueError) {
        try checkOpen()
        try KeyValueLimits.check(writes)
        for write in writes {
            switch write {
            case .put(let space, let key, let value):
                let bytes = Array(key.utf8)
                var entries = spaces.removeValue(forKey: space) ?? []
                let index = Self.lowerBound(bytes, in: entries)
                if index < entries.count, entries[index].key == bytes {
                    entries[index].value = value
                } else {
                    entries.insert((bytes, value), at: index)
                }
                spaces[space] = entries
            case .delete(let space, let key):
                let bytes = Array(key.utf8)
                guard var entries = spaces.removeValue(forKey: space) else { continue }
                let index = Self.lowerBound(bytes, in: entries)
                if index < entries.count, entries[index].key == bytes { entries.remove(at: index) }
                spaces[space] = entries
            }
        }
    }

    package func close() async { isClosed = true }

    private func checkOpen() throws(KeyValueError) {
        if isClosed { throw KeyValueError(.closed, "the store is closed") }
    }

    /// Index of the first entry whose key is not before `key`.
    private static func lowerBound(_ key: [UInt8], in entries: [(key: [UInt8], value: [UInt8])]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
