import CSQLite
import KeyValue

/// One open SQLite file. Not shared: belongs to the store's thread.
final class Database {
    private let path: String
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    /// Raised with every change of ``migrations``.
    static let version = migrations.count

    /// Statement `n` leads from version `n` to `n + 1`. A released one is never changed.
    private static let migrations = [
        """
        CREATE TABLE entries (
            space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
        ) WITHOUT ROWID, STRICT
        """
    ]

    /// Opens or makes the file, checks it and brings it to the present version. Throws `damaged` where what is there cannot be used.
    init(path: String) throws(KeyValueError) {
        var opened: OpaquePointer?
        let status = sqlite3_open_v2(
            path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
        guard let opened else { throw KeyValueError(.failed, "open \(path): out of memory") }
        self.path = path
        handle = opened
        guard status == SQLITE_OK else { throw fault("open", status) }
        sqlite3_extended_result_codes(handle, 1)
        try configure()
        try check()
        try migrate()
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    private func configure() throws(KeyValueError) {
        sqlite3_busy_timeout(handle, 1000)
        // One process owns the file: with an exclusive lock, WAL needs no shared memory beside it.
        try execute("PRAGMA locking_mode = EXCLUSIVE")
        let mode = try text("PRAGMA journal_mode = WAL")
        guard mode == "wal" else { throw KeyValueError(.failed, "open \(path): journal mode is '\(mode)', not WAL") }
        try execute("PRAGMA synchronous = FULL")
        try execute("PRAGMA journal_size_limit = 1048576")
        try execute("PRAGMA trusted_schema = OFF")
        try execute("PRAGMA cell_size_check = ON")
    }

    private func check() throws(KeyValueError) {
        let answer = try text("PRAGMA quick_check(1)")
        guard answer == "ok" else { throw KeyValueError(.damaged, "check of \(path): \(answer)") }
    }

    private func migrate() throws(KeyValueError) {
        let found = Int(try text("PRAGMA user_version")) ?? 0
        guard (0...Self.version).contains(found) else {
            throw KeyValueError(.damaged, "\(path) has version \(found), this program knows \(Self.version)")
        }
        guard found < Self.version else { return }
        try transaction { () throws(KeyValueError) in
            for statement in Self.migrations[found...] { try execute(statement) }
            try execute("PRAGMA user_version = \(Self.version)")
        }
    }

    // MARK: Work

    /// Does `body` whole or not at all; durable when it returns.
    func transaction(_ body: () throws(KeyValueError) -> Void) throws(KeyValueError) {
        try execute("BEGIN IMMEDIATE")
        do {
            try body()
            try execute("COMMIT")
        } catch {
            // Where SQLite has rolled back by itself this fails, and there is nothing left to do.
            _ = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    func execute(_ sql: String) throws(KeyValueError) {
        let status = sqlite3_exec(handle, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw fault(sql, status) }
    }

    /// Runs a statement that is prepared once. `row` is called for each row.
    func run(
        _ sql: String, _ arguments: [Argument], row: (Row) -> Void = { _ in }
    ) throws(KeyValueError) {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, argument) in arguments.enumerated() {
            let status = argument.bind(to: statement, at: Int32(index + 1))
            guard status == SQLITE_OK else { throw fault(sql, status) }
        }
        while true {
            let status = sqlite3_step(statement)
            if status == SQLITE_DONE { return }
            guard status == SQLITE_ROW else { throw fault(sql, status) }
            row(Row(statement: statement))
        }
    }

    private func prepared(_ sql: String) throws(KeyValueError) -> OpaquePointer {
        if let known = statements[sql] { return known }
        var statement: OpaquePointer?
        let status = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard status == SQLITE_OK, let statement else { throw fault(sql, status) }
        statements[sql] = statement
        return statement
    }

    /// The first column of the first row, as text; for pragmas.
    private func text(_ sql: String) throws(KeyValueError) -> String {
        var answer = ""
        var statement: OpaquePointer?
        var status = sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        guard status == SQLITE_OK else { throw fault(sql, status) }
        status = sqlite3_step(statement)
        guard status == SQLITE_ROW || status == SQLITE_DONE else { throw fault(sql, status) }
        if status == SQLITE_ROW, let characters = sqlite3_column_text(statement, 0) {
            answer = String(cString: characters)
        }
        return answer
    }

    private func fault(_ what: String, _ status: Int32) -> KeyValueError {
        let code: KeyValueError.Code =
            switch status & 0xFF {
            case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
            case SQLITE_FULL: .full
            case SQLITE_READONLY: .readOnly
            default: .failed
            }
        return KeyValueError(code, "\(what) in \(path): \(String(cString: sqlite3_errmsg(handle)))")
    }
}

extension Database {
    enum Argument {
        case text(String)
        case bytes([UInt8])
        case integer(Int)

        func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
            switch self {
            case .text(let text): covey_bind_text(statement, index, text, Int32(text.utf8.count))
            // A pointer to nothing would bind NULL rather than no bytes.
            case .bytes(let bytes) where bytes.isEmpty: sqlite3_bind_zeroblob(statement, index, 0)
            case .bytes(let bytes): covey_bind_blob(statement, index, bytes, Int32(bytes.count))
            case .integer(let value): sqlite3_bind_int64(statement, index, Int64(value))
            }
        }
    }

    /// A row of a statement that stands on it; for the time of the call alone.
    struct Row {
        fileprivate let statement: OpaquePointer

        func bytes(_ column: Int32) -> [UInt8] {
            guard let start = sqlite3_column_blob(statement, column) else { return [] }
            return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
        }
    }
}
