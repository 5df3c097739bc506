import CSQLite
import Glibc
import KeyValue
import SQLiteStore
import TestKit
import Testing

@Suite("The store on SQLite")
struct SQLiteStoreTests {
    @Test("keeps the contract", arguments: KeyValueContract.cases)
    func contract(_ contract: KeyValueContract) async throws {
        let folder = try Folder()
        try await contract.check(try await SQLiteStore.open(at: folder.file("covey.db")))
    }

    @Test("what was written is there after the store was opened again, closed before or not")
    func reopened() async throws {
        let folder = try Folder()
        for round in 0..<4 {
            let store = try await SQLiteStore.open(at: folder.file("covey.db"))
            #expect(try await store.scan(.identity).count == round)
            try await store.put([1], for: "round-\(round)", in: .identity)
            #expect(store.setAside.isEmpty)
            if round.isMultiple(of: 2) { await store.close() }
        }
    }

    @Test("writes go through a write-ahead log that is synced with each transaction")
    func syncsEachTransaction() async throws {
        let folder = try Folder()
        let store = try await SQLiteStore.open(at: folder.file("covey.db"))
        try await store.put([1], for: "a", in: .identity)
        #expect(folder.names == ["covey.db", "covey.db-wal"])

        // A copy of both files is what a power cut now would leave.
        let copy = folder.file("copy.db")
        try folder.write(try folder.read("covey.db"), to: "copy.db")
        try folder.write(try folder.read("covey.db-wal"), to: "copy.db-wal")
        let other = try await SQLiteStore.open(at: copy)
        #expect(try await other.get("a", in: .identity) == [1])
    }

    @Test("a file that is no database is set aside under a name of its own, and the store starts empty")
    func notADatabase() async throws {
        let folder = try Folder()
        let path = folder.file("covey.db")
        for number in 1...9 {
            let text = "this is not a database, number \(number)" + String(repeating: ".", count: 2000)
            try folder.write(Array(text.utf8), to: "covey.db")
            let store = try await SQLiteStore.open(at: path)
            let kept = min(number, 8)
            #expect(store.setAside.map(\.path) == ["\(path).damaged-\(kept)"])
            #expect(store.setAside.first?.reason.contains("file is not a database") == true)
            #expect(try folder.read("covey.db.damaged-\(kept)") == Array(text.utf8))
            try await store.put([1], for: "a", in: .identity)
            #expect(try await store.get("a", in: .identity) == [1])
            await store.close()
        }
    }

    @Test("a damaged page is found at the start, and the file is set aside with its journals")
    func damagedPage() async throws {
        let folder = try Folder()
        let path = folder.file("covey.db")
        try await fill(path)
        var bytes = try folder.read("covey.db")
        for index in 8192..<12288 { bytes[index] = 0xA5 }
        try folder.write(bytes, to: "covey.db")
        try folder.write([1, 2, 3], to: "covey.db-wal")

        let store = try await SQLiteStore.open(at: path)
        #expect(store.setAside.map(\.path) == [path + ".damaged-1"])
        #expect(try await store.scan(.latest) == [])
        #expect(try folder.read("covey.db.damaged-1").count == bytes.count)
    }

    @Test("damage that shows later costs the call that met it, and the next one finds an empty store that works")
    func damagedLater() async throws {
        let folder = try Folder()
        let path = folder.file("covey.db")
        try await fill(path, valueBytes: 8000)
        let store = try await SQLiteStore.open(at: path)
        // The file changes under the open store; only the pages that the check at the start has not cached are read again.
        try folder.overwrite("covey.db", from: 4096, with: [UInt8](repeating: 0xA5, count: 6 << 20))
        var codes: [KeyValueError.Code] = []
        for _ in 0..<3 {
            do throws(KeyValueError) {
                try await store.put([UInt8](repeating: 1, count: 100_000), for: "key-500", in: .latest)
                _ = try await store.scan(.latest)
            } catch {
                codes.append(error.code)
            }
        }
        #expect(codes == [.damaged])
        #expect(store.setAside.map(\.path) == [path + ".damaged-1"])
        #expect(try await store.scan(.latest).map(\.key) == ["key-500"])
    }

    @Test("a file of a newer version is set aside, not read and not changed")
    func newerVersion() async throws {
        let folder = try Folder()
        let path = folder.file("covey.db")
        try await fill(path)
        try run("PRAGMA user_version = 7", on: path)
        let store = try await SQLiteStore.open(at: path)
        #expect(store.setAside.first?.reason == "\(path) has version 7, this program knows 1")
        #expect(try await store.scan(.latest) == [])
    }

    @Test("an empty file is a new store")
    func emptyFile() async throws {
        let folder = try Folder()
        try folder.write([], to: "covey.db")
        let store = try await SQLiteStore.open(at: folder.file("covey.db"))
        #expect(store.setAside.isEmpty)
        try await store.put([1], for: "a", in: .identity)
    }

    @Test("a folder that is not there is an error of the caller's, named")
    func missingFolder() async throws {
        await #expect(throws: KeyValueError(.failed, "open in /nowhere/covey.db: unable to open database file")) {
            _ = try await SQLiteStore.open(at: "/nowhere/covey.db")
        }
    }

    @Test("a second store on the same file is refused, and the first goes on")
    func locked() async throws {
        let folder = try Folder()
        let first = try await SQLiteStore.open(at: folder.file("covey.db"))
        await #expect {
            _ = try await SQLiteStore.open(at: folder.file("covey.db"))
        } throws: { error in
            (error as? KeyValueError)?.message.contains("database is locked") == true
        }
        try await first.put([1], for: "a", in: .identity)
    }

    @Test("stores come and go without leaving their threads behind", .timeLimit(.minutes(1)))
    func threads() async throws {
        let folder = try Folder()
        for number in 0..<50 {
            let store = try await SQLiteStore.open(at: folder.file("\(number).db"))
            await store.close()
        }
        // A thread ends a moment after its store: wait for the fact, not for a time.
        while try Folder.entries(of: "/proc/self/task").count > 40 { await Task.yield() }
    }

    private func fill(_ path: String, valueBytes: Int = 500) async throws {
        let store = try await SQLiteStore.open(at: path)
        try await store.apply(
            (0..<1000).map { number in
                .put(.latest, key: "key-\(number)", value: [UInt8](repeating: UInt8(number % 256), count: valueBytes))
            })
        await store.close()
    }

    private func run(_ sql: String, on path: String) throws {
        var handle: OpaquePointer?
        #expect(sqlite3_open(path, &handle) == SQLITE_OK)
        #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
        sqlite3_close(handle)
    }
}
