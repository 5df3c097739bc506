package import KeyValue
import Synchronization
import Threads

/// The store on SQLite: one file with a write-ahead log, every batch one transaction that is synced before it returns.
///
/// It never refuses to start for what is in the file: a damaged file, or one that a newer version of the program wrote,
/// is renamed to `NAME.damaged-N`, and the store begins empty. The same happens when damage shows later; the call that
/// met it throws `damaged`.
package actor SQLiteStore: KeyValueStore {
    package nonisolated let path: String
    /// SQLite waits for the disk, and the pool must not. Its queue holds one job for each caller that waits; callers are
    /// bounded where they are made.
    private let executor: ThreadExecutor
    private let moved = Mutex<[SetAside]>([])
    private var database: Database?
    private var isClosed = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the store at `path`, whose folder must exist. Throws only where the folder cannot be used or another
    /// process has the store open: the caller can then go on with a ``MemoryStore``.
    package static func open(at path: String) async throws(KeyValueError) -> SQLiteStore {
        let executor: ThreadExecutor
        do {
            executor = try ThreadExecutor(name: "covey-keyvalue")
        } catch {
            throw KeyValueError(.failed, "open \(path): \(error)")
        }
        let store = SQLiteStore(path: path, executor: executor)
        try await store.reopen()
        return store
    }

    private init(path: String, executor: ThreadExecutor) {
        self.path = path
        self.executor = executor
    }

    deinit {
        executor.retire()
    }

    /// The files that were set aside since ``open(at:)``, for the log and the status.
    package nonisolated var setAside: [SetAside] { moved.withLock { $0 } }

    private func reopen() throws(KeyValueError) {
        database = nil
        do {
            database = try Database(path: path)
        } catch {
            guard error.code == .damaged else { throw error }
            try putAside(because: error.message)
            database = try Database(path: path)
        }
    }

    private func putAside(because reason: String) throws(KeyValueError) {
        let aside = try SetAside(movingAway: path, because: reason)
        moved.withLock { $0.append(aside) }
    }

    // MARK: The contract

    package func get(_ key: String, in space: KeySpace) async throws(KeyValueError) -> [UInt8]? {
        try KeyValueLimits.check(key: key)
        return try perform { (database) throws(KeyValueError) in
            var value: [UInt8]?
            try database.run(
                "SELECT value FROM entries WHERE space = ?1 AND key = ?2",
                [.text(space.name), .bytes(Array(key.utf8))]
            ) { value = $0.bytes(0) }
            return value
        }
    }

    package func scan(
        _ space: KeySpace, prefix: String, after: String?, limit: Int
    ) async throws(KeyValueError) -> [KeyValueEntry] {
        guard (1...KeyValueLimits.pageEntries).contains(limit) else {
            throw KeyValueError(.limit, "a page of \(limit) entries; the limit is \(KeyValueLimits.pageEntries)")
        }
        let first = Array(prefix.utf8)
        // UTF-8 has no byte above 0xF4, so that adding one to the last byte never overflows.
        let end: [UInt8] = first.last.map { first.dropLast() + [$0 + 1] } ?? [0xFF]
        let behind = after.map { Array($0.utf8) }
        return try perform { (database) throws(KeyValueError) in
            var entries: [KeyValueEntry] = []
            let start = behind ?? []
            let comparison = behind == nil || start.lexicographicallyPrecedes(first) ? ">=" : ">"
            try database.run(
                """
                SELECT key, value FROM entries WHERE space = ?1 AND key \(comparison) ?2 AND key < ?3
                ORDER BY key LIMIT ?4
                """,
                [
                    .text(space.name), .bytes(comparison == ">" ? start : first), .bytes(Array(end)), .integer(limit),
                ]
            ) { row in
                entries.append(
                    KeyValueEntry(key: String(decoding: row.bytes(0), as: UTF8.self), value: row.bytes(1)))
            }
            return entries
        }
    }

    package func apply(_ writes: [KeyValueWrite]) async throws(KeyValueError) {
        try KeyValueLimits.check(writes)
        try perform { (database) throws(KeyValueError) in
            if writes.isEmpty { return }
            try database.transaction { () throws(KeyValueError) in
                for write in writes { try Self.run(write, in: database) }
            }
        }
    }

    private static func run(_ write: KeyValueWrite, in database: Database) throws(KeyValueError) {
        switch write {
        case .put(let space, let key, let value):
            try database.run(
                "INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
                [.text(space.name), .bytes(Array(key.utf8)), .bytes(value)])
        case .delete(let space, let key):
            try database.run(
                "DELETE FROM entries WHERE space = ?1 AND key = ?2", [.text(space.name), .bytes(Array(key.utf8))])
        }
    }

    package func close() async {
        isClosed = true
        database = nil
    }

    /// Works on the open file. Damage that shows here moves the file away, so that the next call finds an empty store
    /// that works. After a failure of the disk the next call opens the file anew: it may lie on another card by then.
    private func perform<Result>(
        _ body: (Database) throws(KeyValueError) -> Result
    ) throws(KeyValueError) -> Result {
        if isClosed { throw KeyValueError(.closed, "the store is closed") }
        if database == nil { try reopen() }
        do throws(KeyValueError) {
            guard let database else { throw KeyValueError(.failed, "\(path) is not open") }
            return try body(database)
        } catch {
            switch error.code {
            case .damaged:
                database = nil
                try putAside(because: error.message)
            case .failed, .readOnly: database = nil
            default: break
            }
            throw error
        }
    }
}
