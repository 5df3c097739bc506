import Glibc
import KeyValue
import SQLiteStore
import Testing

@Suite("Power loss under the store", .serialized)
struct StorePowerLossTests {
    /// `COVEY_STORE_IMAGES=100000` starts on more.
    private static let images = getenv("COVEY_STORE_IMAGES").flatMap { Int(String(cString: $0)) } ?? 1500

    /// Devices that come and go, the newest values a minute, a node id: what a gateway keeps in the store, with a clean stop now and then.
    private func live(_ trace: StoreTrace, _ path: String, rounds: Int) async throws {
        var random = Dice(seed: 5)
        var store = try await SQLiteStore.open(at: path)
        var contents: StoreTrace.Contents = [:]
        for round in 0..<rounds {
            var after = contents
            var writes: [KeyValueWrite] = []
            for _ in 0...random.draw(round % 5 == 4 ? 120 : 6) {
                let key = "key-\(random.draw(60))"
                if random.draw(5) == 0 {
                    after[key] = nil
                    writes.append(.delete(.devices, key: key))
                } else {
                    let value = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: random.draw(700))
                    after[key] = value
                    writes.append(.put(.devices, key: key, value: value))
                }
            }
            trace.note(.attempt(before: contents, after: after))
            try await store.apply(writes)
            contents = after
            trace.note(.attempt(before: contents, after: contents))
            guard round % 12 == 11 else { continue }
            await store.close()
            store = try await SQLiteStore.open(at: path)
        }
        await store.close()
    }

    @Test(
        "What a power cut leaves of its files at any moment opens, with every batch that was answered, whole or not at all"
    )
    func survives() async throws {
        let folder = try Folder()
        let trace = try StoreTrace(folder: folder.path)
        try await live(trace, folder.file("covey.db"), rounds: 40)
        trace.end()
        var crashes = try StoreCrashes(wanted: Self.images)
        let tally = try await crashes.run(trace.steps)
        #expect(tally.faults.isEmpty, "\(tally.faults.prefix(5))")
        #expect(tally.distinct >= Self.images && tally.writes > 300 && tally.syncs > 50)
        print("store: \(tally.writes) writes, \(tally.syncs) syncs, \(tally.distinct) distinct images")
    }

    @Test("A store whose syncs do nothing is found out")
    func unsynced() async throws {
        let folder = try Folder()
        let trace = try StoreTrace(folder: folder.path)
        try await live(trace, folder.file("covey.db"), rounds: 6)
        trace.end()
        let lying = trace.steps.filter { step in
            if case .sync = step { false } else { true }
        }
        var crashes = try StoreCrashes(wanted: 300)
        let tally = try await crashes.run(lying)
        #expect(!tally.faults.isEmpty)
    }
}

/// Opens the store on what is left of its files, and compares.
private struct StoreCrashes {
    struct Tally {
        var writes = 0
        var syncs = 0
        var distinct = 0
        var faults: [String] = []
    }

    let wanted: Int
    private var tally = Tally()
    /// Images by a hash of their contents.
    private var seen: Set<Int> = []
    private let folder: Folder

    init(wanted: Int) throws {
        self.wanted = wanted
        folder = try Folder()
    }

    /// Goes over the trace again, with other random subsets, until there are enough images.
    mutating func run(_ steps: [StoreTrace.Step]) async throws -> Tally {
        for step in steps {
            if case .write = step { tally.writes += 1 }
            if case .sync = step { tally.syncs += 1 }
        }
        var random = Dice(seed: 1)
        for _ in 0..<1000 where tally.distinct < wanted && tally.faults.count < 5 {
            var replay = StoreReplay()
            var (before, after): (StoreTrace.Contents, StoreTrace.Contents) = ([:], [:])
            for step in steps where tally.faults.count < 5 && tally.distinct < wanted {
                replay.perform(step)
                if case .attempt(let old, let new) = step { (before, after) = (old, new) }
                // A few of each kind every time: the trace is long, and every moment has its turn.
                try await check(replay.image { _ in false }, before, after)
                guard !replay.pending.isEmpty else { continue }
                try await check(replay.image { _ in true }, before, after)
                let torn = replay.lastWrite + random.draw(replay.pending.count - replay.lastWrite + 1)
                try await check(replay.image { $0 < torn }, before, after)
                try await check(replay.image { $0 < replay.lastWrite || $0 >= torn }, before, after)
                let kept = replay.pending.map { _ in random.draw(2) == 0 }
                try await check(replay.image { kept[$0] }, before, after)
                let pages = random.draw(1 << 30)
                try await check(
                    replay.image { index in
                        guard case .bytes(_, let position, _) = replay.pending[index] else { return pages & 1 == 0 }
                        return Dice.isHeads(pages &+ position / 4096)
                    }, before, after)
            }
        }
        return tally
    }

    private mutating func check(
        _ files: [String: [UInt8]], _ before: StoreTrace.Contents, _ after: StoreTrace.Contents
    ) async throws {
        var hasher = Hasher()
        for name in files.keys.sorted() {
            hasher.combine(name)
            files[name]?.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        guard seen.insert(hasher.finalize()).inserted else { return }
        tally.distinct += 1
        for name in folder.names { unlink(folder.file(name)) }
        for name in files.keys.sorted() { try folder.write(files[name] ?? [], to: name) }
        do {
            let store = try await SQLiteStore.open(at: folder.file("covey.db"))
            var found: StoreTrace.Contents = [:]
            for entry in try await store.scan(.devices, prefix: "", after: nil, limit: 65_536) {
                found[entry.key] = entry.value
            }
            await store.close()
            if found != before, found != after {
                tally.faults.append("neither before nor after a batch: \(found.keys.sorted())")
            }
            if !store.setAside.isEmpty, !before.isEmpty { tally.faults.append("set aside: \(store.setAside)") }
        } catch {
            tally.faults.append("does not open: \(error)")
        }
    }
}

private struct Dice {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// From 0 up to, not including, `count`.
    mutating func draw(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return count > 0 ? Int(truncatingIfNeeded: state >> 33) % count : 0
    }

    static func isHeads(_ seed: Int) -> Bool {
        var dice = Dice(seed: UInt64(bitPattern: Int64(seed)))
        _ = dice.draw(2)
        return dice.draw(2) == 0
    }
}
