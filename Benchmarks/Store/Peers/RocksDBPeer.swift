import BenchmarkKit
import Glibc
import Model
import TestKit

/// RocksDB as it comes in Debian, each batch synced, and compacted at the end.
final class RocksDBPeer: Peer {
    let name = "RocksDB, rows by offset, synced batches (whole blocks compressed with Snappy)"
    var readings: Int { Int(rows.count) }
    private let path: String
    private let library: Library
    private var database: OpaquePointer?
    private let writing: OpaquePointer?
    private let batch: OpaquePointer?
    private var rows = Row()

    private typealias Make = @convention(c) () -> OpaquePointer?
    private typealias Put =
        @convention(c) (OpaquePointer?, UnsafePointer<UInt8>, Int, UnsafePointer<UInt8>, Int) -> Void
    private typealias Write =
        @convention(c) (OpaquePointer?, OpaquePointer?, OpaquePointer?, UnsafeMutableRawPointer) -> Void
    private typealias Forget = @convention(c) (OpaquePointer?) -> Void
    private let put: Put
    private let write: Write
    private let clear: Forget

    init(path: String) throws {
        self.path = path
        library = try Library("librocksdb.so", package: "librocksdb-dev")
        put = library.function("rocksdb_writebatch_put")
        write = library.function("rocksdb_write")
        clear = library.function("rocksdb_writebatch_clear")
        batch = (library.function("rocksdb_writebatch_create") as Make)()
        writing = (library.function("rocksdb_writeoptions_create") as Make)()
        let set: @convention(c) (OpaquePointer?, UInt8) -> Void = library.function("rocksdb_writeoptions_set_sync")
        set(writing, 1)
        let options = (library.function("rocksdb_options_create") as Make)()
        let create: @convention(c) (OpaquePointer?, UInt8) -> Void =
            library.function("rocksdb_options_set_create_if_missing")
        create(options, 1)
        let compress: @convention(c) (OpaquePointer?, Int32) -> Void = library.function(
            "rocksdb_options_set_compression")
        compress(options, 1)
        let open: @convention(c) (OpaquePointer?, UnsafePointer<CChar>, UnsafeMutableRawPointer) -> OpaquePointer? =
            library.function("rocksdb_open")
        var error: UnsafeMutablePointer<CChar>?
        database = withUnsafeMutablePointer(to: &error) { open(options, path, $0) }
        try check(error)
    }

    deinit { (library.function("rocksdb_close") as Forget)(database) }

    func commit(_ readings: [Reading]) throws {
        clear(batch)
        for reading in readings {
            let (key, value) = rows.next(reading)
            put(batch, key, key.count, value, value.count)
        }
        var error: UnsafeMutablePointer<CChar>?
        withUnsafeMutablePointer(to: &error) { write(database, writing, batch, $0) }
        try check(error)
    }

    /// All of it in tables; the write-ahead log that remains is not counted.
    func settle() throws -> Int {
        let compact: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int, UnsafePointer<CChar>?, Int) -> Void =
            library.function("rocksdb_compact_range")
        compact(database, nil, 0, nil, 0)
        return Int(try Shell.run("cat '\(path)'/*.sst | wc -c").prefix { $0.isNumber }) ?? 0
    }

    private func check(_ error: UnsafeMutablePointer<CChar>?) throws {
        guard let error else { return }
        throw ChildFailure(description: "RocksDB: \(String(cString: error))")
    }
}
