package import Environment
import Synchronization

/// A disk in memory that can be cut off from power at any moment. What is written stays pending, sector by sector, until a sync;
/// faults are laid over the contents, which stay pristine, so that faults can be lifted again.
package final class SimulatedDisk: Disk {
    /// The unit that a real disk writes whole or not at all, in bytes.
    package static let sectorBytes = 512

    /// One sector written and not yet synced.
    struct PendingSector: Sendable {
        let position: Int
        let bytes: [UInt8]
    }

    struct State: Sendable {
        var durable: [UInt8]
        /// What a reader sees: durable contents and everything written.
        var seen: [UInt8]
        var pending: [PendingSector] = []
        /// Exclusive-or masks over what readers see, by position.
        var flips: [Int: UInt8] = [:]
        var unreadable: [Range<Int>] = []
        var failingSyncs: Set<Int> = []
        var failingWrites: Set<Int> = []
        var syncLies = false
        var refusal: DiskError.Code?
        var counts = Counts()
    }

    /// How often each operation was called, failures included.
    package struct Counts: Hashable, Sendable {
        package internal(set) var reads = 0
        package internal(set) var writes = 0
        package internal(set) var syncs = 0
        package internal(set) var bytesWritten = 0
        package internal(set) var bytesRead = 0
    }

    package let size: Int
    private let state: Mutex<State>

    /// A disk of `size` zeros.
    package convenience init(size: Int) {
        self.init(contents: [UInt8](repeating: 0, count: size))
    }

    /// A disk that holds `contents`, all durable.
    package init(contents: [UInt8]) {
        size = contents.count
        state = Mutex(State(durable: contents, seen: contents))
    }

    package func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] {
        let size = size
        let result: Result<[UInt8], DiskError> = state.withLock { state in
            state.counts.reads += 1
            state.counts.bytesRead += count
            guard position >= 0, count >= 0, position + count <= size else {
                return .failure(DiskError(.outOfRange, "read of \(count) bytes at \(position)"))
            }
            let range = position..<position + count
            if state.unreadable.contains(where: { $0.overlaps(range) }) {
                return .failure(DiskError(.failed, "read at \(position): Input/output error"))
            }
            var bytes = Array(state.seen[range])
            for place in state.flips.keys where range.contains(place) {
                bytes[place - position] ^= state.flips[place] ?? 0
            }
            return .success(bytes)
        }
        return try result.get()
    }

    package func write(_ bytes: [UInt8], at position: Int) throws(DiskError) {
        let size = size
        let result: Result<Void, DiskError> = state.withLock { state in
            let ordinal = state.counts.writes
            state.counts.writes += 1
            if let code = state.refusal { return .failure(DiskError(code, "write at \(position): refused")) }
            guard position >= 0, position + bytes.count <= size else {
                return .failure(DiskError(.outOfRange, "write of \(bytes.count) bytes at \(position)"))
            }
            if state.failingWrites.contains(ordinal) {
                return .failure(DiskError(.failed, "write at \(position): Input/output error"))
            }
            state.counts.bytesWritten += bytes.count
            state.seen.replaceSubrange(position..<position + bytes.count, with: bytes)
            var start = position
            while start < position + bytes.count {
                let end = min((start / Self.sectorBytes + 1) * Self.sectorBytes, position + bytes.count)
                state.pending.append(
                    PendingSector(position: start, bytes: Array(bytes[start - position..<end - position])))
                start = end
            }
            return .success(())
        }
        try result.get()
    }

    package func sync() throws(DiskError) {
        let result: Result<Void, DiskError> = state.withLock { state in
            let ordinal = state.counts.syncs
            state.counts.syncs += 1
            if let code = state.refusal { return .failure(DiskError(code, "sync: refused")) }
            if state.failingSyncs.contains(ordinal) {
                // As Linux does: what was dirty is forgotten, readers still see it, and a later sync will not write it.
                for sector in state.pending.enumerated() where sector.offset % 2 == 0 {
                    Self.apply(sector.element, to: &state.durable)
                }
                state.pending = []
                return .failure(DiskError(.failed, "fdatasync: Input/output error"))
            }
            guard !state.syncLies else { return .success(()) }
            for sector in state.pending { Self.apply(sector, to: &state.durable) }
            state.pending = []
            return .success(())
        }
        try result.get()
    }

    private static func apply(_ sector: PendingSector, to contents: inout [UInt8]) {
        contents.replaceSubrange(sector.position..<sector.position + sector.bytes.count, with: sector.bytes)
    }
}

extension SimulatedDisk {
    package var counts: Counts { state.withLock { $0.counts } }

    /// Sectors written and not yet synced.
    package var pendingSectors: Int { state.withLock { $0.pending.count } }

    /// The disk as it is found after a power cut now. `keeping` says of each pending sector, in the order of the writes, whether
    /// it had reached the medium.
    package func afterPowerCut(keeping: (Int) -> Bool) -> SimulatedDisk {
        let copy = state.withLock { $0 }
        var contents = copy.durable
        for (index, sector) in copy.pending.enumerated() where keeping(index) { Self.apply(sector, to: &contents) }
        return SimulatedDisk(contents: contents)
    }

    /// The disk as a new process finds it after this one was killed: the kernel still has everything written.
    package func afterKill() -> SimulatedDisk { SimulatedDisk(contents: state.withLock { $0.seen }) }

    /// The sync with this number, counted from 0, fails; what was pending is partly lost, and no later sync brings it back.
    package func failSync(number: Int) { state.withLock { _ = $0.failingSyncs.insert(number) } }

    /// The write with this number, counted from 0, fails.
    package func failWrite(number: Int) { state.withLock { _ = $0.failingWrites.insert(number) } }

    /// Writes and syncs answer with `code` from now on; `nil` lifts that.
    package func refuse(_ code: DiskError.Code?) { state.withLock { $0.refusal = code } }

    /// Syncs return without having done anything.
    package func lie(_ lies: Bool) { state.withLock { $0.syncLies = lies } }

    /// Readers see the byte at `position` with the bits of `mask` turned over, until ``healBits()``.
    package func flip(at position: Int, mask: UInt8) { state.withLock { $0.flips[position, default: 0] ^= mask } }

    package func healBits() { state.withLock { $0.flips = [:] } }

    /// Reads that touch the range fail.
    package func makeUnreadable(_ range: Range<Int>) { state.withLock { $0.unreadable.append(range) } }

    /// Writes past all bookkeeping, durably: what a misdirected write or another program does.
    package func overwrite(_ bytes: [UInt8], at position: Int) {
        state.withLock { state in
            state.durable.replaceSubrange(position..<position + bytes.count, with: bytes)
            state.seen.replaceSubrange(position..<position + bytes.count, with: bytes)
        }
    }

    /// What readers see, without the faults.
    package var contents: [UInt8] { state.withLock { $0.seen } }
}
