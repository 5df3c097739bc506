import Environment
import Posix
import Synchronization

/// A file that counts what is written to it, by what it is for.
final class MeteredDisk: Disk {
    /// Bytes.
    struct Counts {
        var blocks = 0
        var merged = 0
        /// Headers and footers of segments.
        var frames = 0
        /// Once in the life of a ring: so that later writes are overwrites.
        var zeros = 0
        var syncs = 0

        /// What goes on for as long as the ring is used.
        var steady: Int { blocks + merged + frames }
        var all: Int { steady + zeros }
    }

    private let disk: FileDisk
    private let counted = Mutex(Counts())
    private let isSyncing = Atomic(true)

    init(path: String, size: Int) throws { disk = try FileDisk(path: path, size: size) }

    var size: Int { disk.size }
    var counts: Counts { counted.withLock { $0 } }

    /// Whether a sync is one; without, a ring is filled fast.
    func sync(for real: Bool) { isSyncing.store(real, ordering: .relaxed) }

    func forgetCounts() { counted.withLock { $0 = Counts() } }

    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] {
        try disk.read(at: position, count: count)
    }

    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) {
        try disk.write(bytes, at: position)
        counted.withLock { counts in
            switch (bytes[..<4], bytes[30]) {
            case ([0, 0, 0, 0], _): counts.zeros += bytes.count
            case ([0x43, 0x76, 0x42, 0x31], 1): counts.blocks += bytes.count
            case ([0x43, 0x76, 0x42, 0x31], 2): counts.merged += bytes.count
            default: counts.frames += bytes.count
            }
        }
    }

    func dropCache() { disk.dropCache() }

    func sync() throws(DiskError) {
        if isSyncing.load(ordering: .relaxed) { try disk.sync() }
        counted.withLock { $0.syncs += 1 }
    }
}
