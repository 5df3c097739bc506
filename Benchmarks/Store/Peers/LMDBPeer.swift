import BenchmarkKit
import Glibc
import Model
import TestKit

/// LMDB as it comes: each transaction is synced; rows are appended in order.
final class LMDBPeer: Peer {
    let name = "LMDB, rows by offset"
    var readings: Int { Int(rows.count) }
    private let path: String
    private var environment: OpaquePointer?
    private var rows = Row()

    /// `MDB_val`.
    private struct Item {
        var size: Int
        var bytes: UnsafeMutableRawPointer?
    }

    private typealias Put =
        @convention(c) (OpaquePointer?, UInt32, UnsafeMutableRawPointer, UnsafeMutableRawPointer, UInt32) -> Int32
    private let begin: @convention(c) (OpaquePointer?, OpaquePointer?, UInt32, UnsafeMutableRawPointer) -> Int32
    private let open: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, UInt32, UnsafeMutableRawPointer) -> Int32
    private let put: Put
    private let commit: @convention(c) (OpaquePointer?) -> Int32
    private let close: @convention(c) (OpaquePointer?) -> Void

    private static let noSubFolder: UInt32 = 0x4000
    private static let append: UInt32 = 0x20000

    init(path: String) throws {
        self.path = path
        let library = try Library("liblmdb.so.0", package: "liblmdb0")
        begin = library.function("mdb_txn_begin")
        open = library.function("mdb_dbi_open")
        put = library.function("mdb_put")
        commit = library.function("mdb_txn_commit")
        close = library.function("mdb_env_close")
        let create: @convention(c) (UnsafeMutableRawPointer) -> Int32 = library.function("mdb_env_create")
        let limit: @convention(c) (OpaquePointer?, Int) -> Int32 = library.function("mdb_env_set_mapsize")
        let openFile: @convention(c) (OpaquePointer?, UnsafePointer<CChar>, UInt32, mode_t) -> Int32 =
            library.function("mdb_env_open")
        try check(withUnsafeMutablePointer(to: &environment) { create($0) })
        try check(limit(environment, 4 << 30))
        try check(openFile(environment, path, Self.noSubFolder, 0o644))
    }

    deinit { close(environment) }

    func commit(_ readings: [Reading]) throws {
        var transaction: OpaquePointer?
        try check(withUnsafeMutablePointer(to: &transaction) { begin(environment, nil, 0, $0) })
        var table: UInt32 = 0
        try check(withUnsafeMutablePointer(to: &table) { open(transaction, nil, 0, $0) })
        for reading in readings {
            var (key, value) = rows.next(reading)
            let result = key.withUnsafeMutableBytes { key in
                value.withUnsafeMutableBytes { value in
                    var items = (
                        Item(size: key.count, bytes: key.baseAddress), Item(size: value.count, bytes: value.baseAddress)
                    )
                    return withUnsafeMutablePointer(to: &items.0) { key in
                        withUnsafeMutablePointer(to: &items.1) { put(transaction, table, key, $0, Self.append) }
                    }
                }
            }
            try check(result)
        }
        try check(commit(transaction))
    }

    func settle() throws -> Int { try Files.size(path) }

    private func check(_ result: Int32) throws {
        guard result == 0 else { throw ChildFailure(description: "LMDB: error \(result)") }
    }
}
