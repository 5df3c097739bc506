package import Environment
import Synchronization

/// A disk in memory that can be cut off from power at any moment. What is written stays pending, sector by sector, until a sync;
/// faults are laid over the contents, which stay pristine, so that faults can be lifted again.
///
/// Contents are pages that copies share, so that a power cut or an image costs what has changed and no more.
package final class SimulatedDisk: Disk {
    /// The unit that a real disk writes whole or not at all, in bytes.
    package static let sectorBytes = 512

    struct State: Sendable {
        /// What a power cut would leave, were nothing pending lucky.
        var durable: PagedBytes
        /// What a reader sees: durable contents and everything written.
        var seen: PagedBytes
        /// Written and not yet synced, in order.
        var pending: [(position: Int, bytes: ArraySlice<UInt8>)] = []
        /// Pages that a failed sync left different on the medium from what readers see.
        var stale: Set<Int> = []
        /// Exclusive-or masks over what readers see, by position.
        var flips: [Int: UInt8] = [:]
        var unreadable: [Range<Int>] = []
        var failingSyncs: Set<Int> = []
        var failingWrites: Set<Int> = []
        /// Writes that land elsewhere, by number: how far off, in bytes.
        var astray: [Int: Int] = [:]
        var syncLies = false
        var refusal: DiskError.Code?
        var counts = Counts()
        /// Takes down what is written and synced.
        var recorder: DiskRecorder?
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
        self.init(PagedBytes(zeros: size))
    }

    /// A disk that holds `contents`, all durable.
    package convenience init(contents: [UInt8]) {
        self.init(PagedBytes(contents))
    }

    /// From now on every write that lands and every sync that does its work is taken down.
    package func record(to recorder: DiskRecorder) { state.withLock { $0.recorder = recorder } }

    init(_ contents: PagedBytes, faultsOf old: State? = nil) {
        size = contents.count
        var state = State(durable: contents, seen: contents)
        state.flips = old?.flips ?? [:]
        state.unreadable = old?.unreadable ?? []
        state.syncLies = old?.syncLies ?? false
        self.state = Mutex(state)
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
            var bytes = state.seen.bytes(in: range)
            for (place, mask) in state.flips where range.contains(place) { bytes[place - position] ^= mask }
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
            let off = state.astray.removeValue(forKey: ordinal) ?? 0
            let place = max(0, min(position + off, size - bytes.count))
            state.seen.replace(at: place, with: bytes[...])
            state.pending.append((place, bytes[...]))
            state.recorder?.note(.write(position: place, bytes: bytes))
            // What is written anew is whole again.
            if !state.flips.isEmpty {
                state.flips = state.flips.filter { !(place..<place + bytes.count).contains($0.key) }
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
                state.forgetDirtyPages()
                return .failure(DiskError(.failed, "fdatasync: Input/output error"))
            }
            if !state.syncLies {
                state.settlePending()
                state.recorder?.note(.sync)
            }
            return .success(())
        }
        try result.get()
    }

    package func dropCache() { state.withLock { $0.dropCleanPages() } }
}

extension SimulatedDisk.State {
    /// A page that is still to be written stays as it is.
    fileprivate mutating func dropCleanPages() {
        let dirty = Set(pending.flatMap { pages(of: $0).map(Array.init) ?? [] })
        for page in stale where !dirty.contains(page) { seen.share(page: page, of: durable) }
        stale.formIntersection(dirty)
    }

    private func pages(of write: (position: Int, bytes: ArraySlice<UInt8>)) -> ClosedRange<Int>? {
        guard !write.bytes.isEmpty else { return nil }
        let last = write.position + write.bytes.count - 1
        return write.position / PagedBytes.pageBytes...last / PagedBytes.pageBytes
    }

    fileprivate mutating func settlePending() {
        for write in pending {
            guard let touched = pages(of: write) else { continue }
            if stale.isEmpty {
                for page in touched { durable.share(page: page, of: seen) }
            } else {
                durable.replace(at: write.position, with: write.bytes)
            }
        }
        pending = []
    }

    /// As Linux does after a failed sync: what was dirty is forgotten, readers still see it, and a later sync will not write it. Every
    /// other sector had reached the medium.
    fileprivate mutating func forgetDirtyPages() {
        for write in pending {
            for page in pages(of: write).map(Array.init) ?? [] { stale.insert(page) }
        }
        for (index, sector) in pendingSectors.enumerated() where index.isMultiple(of: 2) {
            durable.replace(at: sector.position, with: sector.bytes)
        }
        pending = []
    }

    /// The pending writes cut at the borders of sectors.
    var pendingSectors: [(position: Int, bytes: ArraySlice<UInt8>)] {
        var sectors: [(position: Int, bytes: ArraySlice<UInt8>)] = []
        for write in pending {
            var start = write.position
            var rest = write.bytes
            while !rest.isEmpty {
                let length = min(SimulatedDisk.sectorBytes - start % SimulatedDisk.sectorBytes, rest.count)
                sectors.append((start, rest.prefix(length)))
                rest = rest.dropFirst(length)
                start += length
            }
        }
        return sectors
    }
}

extension SimulatedDisk {
    package var counts: Counts { state.withLock { $0.counts } }

    /// Sectors written and not yet synced.
    package var pendingSectors: Int { state.withLock { $0.pendingSectors.count } }

    /// What had become of a pending sector when the power went.
    package enum SectorFate: Hashable, Sendable {
        case kept
        case lost
        /// So many bytes of it are new, the rest is old: a card that promises no whole sectors.
        case torn(Int)
    }

    /// The disk as it is found after a power cut now. `fate` says of each pending sector, in the order of the writes, what had
    /// become of it: whatever is said, an earlier one may be lost where a later one is kept.
    package func afterPowerCut(fates fate: (Int) -> SectorFate) -> SimulatedDisk {
        state.withLock { state in
            var contents = state.durable
            for (index, sector) in state.pendingSectors.enumerated() {
                switch fate(index) {
                case .kept: contents.replace(at: sector.position, with: sector.bytes)
                case .lost: break
                case .torn(let bytes): contents.replace(at: sector.position, with: sector.bytes.prefix(bytes))
                }
            }
            return SimulatedDisk(contents, faultsOf: state)
        }
    }

    /// The same with whole sectors alone.
    package func afterPowerCut(keeping: (Int) -> Bool) -> SimulatedDisk {
        afterPowerCut(fates: { keeping($0) ? .kept : .lost })
    }

    /// The disk as a new process finds it after this one was killed: the kernel still has everything written, and writes it in time.
    package func afterKill() -> SimulatedDisk { SimulatedDisk(state.withLock { $0.seen }) }

    /// The same under a new process of the same kernel: what is pending stays pending, and may yet be lost with the power.
    package func reopen() {
        state.withLock { state in
            state.failingSyncs = []
            state.failingWrites = []
            state.astray = [:]
        }
    }

    /// A copy of what is durable now: an image that somebody took, a card that somebody cloned.
    package func image() -> SimulatedDisk { SimulatedDisk(state.withLock { $0.durable }) }
}

extension SimulatedDisk {
    /// The sync with this number, counted from 0, fails; what was pending is partly lost, and no later sync brings it back.
    package func failSync(number: Int) { state.withLock { _ = $0.failingSyncs.insert(number) } }

    /// The write with this number, counted from 0, fails.
    package func failWrite(number: Int) { state.withLock { _ = $0.failingWrites.insert(number) } }

    /// The write with this number, counted from 0, lands so many bytes off its place, and says it went well.
    package func misdirectWrite(number: Int, by bytes: Int) { state.withLock { $0.astray[number] = bytes } }

    /// Writes and syncs answer with `code` from now on; `nil` lifts that.
    package func refuse(_ code: DiskError.Code?) { state.withLock { $0.refusal = code } }

    /// Syncs return without having done anything.
    package func lie(_ lies: Bool) { state.withLock { $0.syncLies = lies } }

    /// Readers see the byte at `position` with the bits of `mask` turned over, until ``healBits()``.
    package func flip(at position: Int, mask: UInt8) { state.withLock { $0.flips[position, default: 0] ^= mask } }

    package func healBits() { state.withLock { $0.flips = [:] } }

    /// Reads that touch the range fail.
    package func makeUnreadable(_ range: Range<Int>) { state.withLock { $0.unreadable.append(range) } }

    package func makeAllReadable() { state.withLock { $0.unreadable = [] } }

    /// Writes past all bookkeeping, durably: what another program does.
    package func overwrite(_ bytes: [UInt8], at position: Int) {
        state.withLock { state in
            state.durable.replace(at: position, with: bytes[...])
            state.seen.replace(at: position, with: bytes[...])
        }
    }

    /// What readers see, without the faults.
    package var contents: [UInt8] { state.withLock { $0.seen.bytes(in: 0..<$0.seen.count) } }
}
