import BenchmarkKit
import CSQLite
import Glibc
import Model
import TestKit

/// The same readings in SQLite as a careful programmer would keep them: WAL, `synchronous=FULL` (each commit is
/// synced), prepared statements, a table of series, and rows of (series, time, value, quality) in the order of
/// arrival, without any further index.
final class SQLitePeer: Peer {
    let name = "SQLite, WAL, synchronous=FULL, rows in order (milliseconds; no times of devices)"
    private(set) var readings = 0
    private var database: OpaquePointer?
    private var insert: OpaquePointer?
    private var series: [Series: Int64] = [:]
    let path: String

    init(path: String) throws {
        self.path = path
        try check(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil))
        for statement in [
            "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
            "CREATE TABLE series(id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT)",
            "CREATE TABLE readings(series INTEGER NOT NULL, t INTEGER NOT NULL, value, quality INTEGER)",
        ] { try execute(statement) }
        try check(sqlite3_prepare_v2(database, "INSERT INTO readings VALUES(?,?,?,?)", -1, &insert, nil))
    }

    deinit {
        sqlite3_finalize(insert)
        sqlite3_close_v2(database)
    }

    /// One transaction.
    func commit(_ readings: [Reading]) throws {
        try execute("BEGIN")
        for reading in readings {
            sqlite3_bind_int64(insert, 1, try id(of: reading.series))
            sqlite3_bind_int64(insert, 2, reading.stamp.wall.rawValue)
            switch reading.value {
            case .number(let number): sqlite3_bind_double(insert, 3, number)
            case .flag(let flag): sqlite3_bind_int64(insert, 3, flag ? 1 : 0)
            case .text(let text): _ = covey_bind_text(insert, 3, text, Int32(text.utf8.count))
            }
            sqlite3_bind_int64(insert, 4, Int64(reading.quality.rawValue))
            guard sqlite3_step(insert) == SQLITE_DONE else { throw failure() }
            sqlite3_reset(insert)
        }
        try execute("COMMIT")
        self.readings += readings.count
    }

    func settle() throws -> Int {
        try checkpoint()
        return try Files.size(path)
    }

    /// Moves what is in the write-ahead log to the database; its size then is what the readings take at rest.
    private func checkpoint() throws { try execute("PRAGMA wal_checkpoint(TRUNCATE)") }

    private func id(of wanted: Series) throws -> Int64 {
        if let known = series[wanted] { return known }
        let id = Int64(series.count + 1)
        try execute("INSERT INTO series VALUES(\(id),'\(wanted.device.rawValue)','\(wanted.metric)',NULL)")
        series[wanted] = id
        return id
    }

    private func execute(_ statement: String) throws { try check(sqlite3_exec(database, statement, nil, nil, nil)) }

    private func check(_ result: Int32) throws {
        guard result == SQLITE_OK else { throw failure() }
    }

    private func failure() -> ChildFailure {
        ChildFailure(description: "\(path): \(String(cString: sqlite3_errmsg(database)))")
    }
}
