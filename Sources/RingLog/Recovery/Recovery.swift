import Environment
import LogFormat
import Model

// What a segment's place shows at the start, and what is made of it. `probe`: what lies where the first block belongs.
//
// | header                        | probe           | the segment is                                                     |
// |-------------------------------|-----------------|--------------------------------------------------------------------|
// | blank                         | no block        | never used                                                         |
// | blank or spoiled              | block of ours   | used; its header is lost, its blocks say the rest                  |
// | spoiled                       | no block        | unreadable; used anew, its readings show as holes                  |
// | ours, generation seen already | -               | a copy: the one that lies where its header says stays              |
// | ours, for another place       | -               | moved: serves from where it is                                     |
// | ours                          | -               | used                                                               |
// | another ring's                | -               | left alone                                                         |
// | newer version, any segment    | -               | reason to stop: the newer program knows better                     |

/// Opens a ring: finds out what each segment is, reads as little as that takes, and names what it cannot use.
struct Recovery {
    let disk: any Disk
    let options: RingOptions
    let isReadOnly: Bool
    var report = RecoveryReport()
    private var found: [Found] = []

    /// A used segment.
    struct Found {
        let segment: Int
        let kind: SegmentKind
        let generation: UInt64
        /// `nil` where the header is lost.
        let header: SegmentHeader?
        var scan: SegmentScan?
        var footer: Footer?
    }

    init(disk: any Disk, options: RingOptions, isReadOnly: Bool) {
        self.disk = disk
        self.options = options
        self.isReadOnly = isReadOnly
    }

    private var geometry: Geometry { options.geometry }
    private var count: Int { min(disk.size / geometry.segmentBytes, Geometry.mostSegments) }

    mutating func run(newStore: StoreID) throws(RingError) -> RingLog {
        guard count >= Geometry.fewestSegments else { throw .tooSmall(segments: count) }
        let isSettled = isReadOnly || settleMedium()
        var headers: [SegmentHeaderState] = []
        for segment in 0..<count {
            headers.append(readHeader(segment))
            if case .newer(let version) = headers[segment] { throw .newerVersion(found: version) }
        }
        var known = mainStore(headers)
        if known == nil { known = try storeOfBlocks(headers, newStore: newStore) }
        guard let store = known else {
            report.created = true
            let blank = Segment(state: .blank(zeroed: 0), kind: .hot, generation: 0)
            var ring = RingLog(
                options: options, store: newStore, segments: Array(repeating: blank, count: count),
                isReadOnly: isReadOnly)
            ring.isBlank = true
            return ring
        }
        try checkGeometry(headers, store: store)
        var states = classify(headers, store: store)
        dropCopies(&states)
        found.sort { $0.generation < $1.generation }
        readSegments(store: store)
        var ring = RingLog(options: options, store: store, segments: states, isReadOnly: isReadOnly)
        ring.generation = found.last?.generation ?? 0
        var report = report
        ring.recover(found, report: &report) { place in isWhole(place, store: store) }
        self.report = report
        ring.isSettled = isSettled
        if isSettled && !isReadOnly { ring.resume(found) }
        if !isReadOnly {
            ring.freeEmpty()
            ring.makeRoomAtStart()
        }
        return ring
    }

    /// What an earlier process wrote may lie in the page cache alone: a sync brings it to the medium, or fails and says nothing about what
    /// it left out, and then the cache still shows it. So everything is read after a sync and from the medium.
    ///
    /// - Returns: Whether all that will be read is durable. After one failed sync a second one tells: the first gave up what it could not
    ///   write, and the cache has let go of it.
    private mutating func settleMedium() -> Bool {
        var failure: DiskError?
        for _ in 0..<2 {
            do throws(DiskError) {
                try disk.sync()
                disk.dropCache()
                return true
            } catch {
                failure = error
            }
        }
        disk.dropCache()
        report.findings.append(.syncFailed(message: failure?.message ?? ""))
        return false
    }

    /// Whether a block is there as it was written; one that the disk does not give is not.
    private func isWhole(_ place: BlockPlace, store: StoreID) -> Bool {
        let position = place.segment * geometry.segmentBytes + place.unit * Geometry.unit
        guard let bytes = try? disk.read(at: position, count: place.units * Geometry.unit),
            case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: place.units)
        else { return false }
        return header.generation == place.generation
    }

    // MARK: Headers

    private mutating func read(_ position: Int, _ count: Int, segment: Int) -> [UInt8]? {
        report.reads += 1
        do {
            return try disk.read(at: position, count: count)
        } catch {
            report.findings.append(.diskError(segment: segment, message: error.message))
            return nil
        }
    }

    /// A segment, with ones in every bit where the disk does not give what is there, which is no block and no free place: one bad place
    /// must not cost what lies beside it. `nil` where the disk gives nothing.
    private mutating func readAll(of segment: Int) -> [UInt8]? {
        let start = segment * geometry.segmentBytes
        if let bytes = read(start, geometry.segmentBytes, segment: segment) { return bytes }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(geometry.segmentBytes)
        var given = 0
        for unit in 0..<geometry.segmentUnits {
            if let some = try? disk.read(at: start + unit * Geometry.unit, count: Geometry.unit) {
                bytes += some
                given += 1
            } else {
                bytes += [UInt8](repeating: 0xFF, count: Geometry.unit)
            }
        }
        return given > 0 ? bytes : nil
    }

    private mutating func readHeader(_ segment: Int) -> SegmentHeaderState {
        guard let bytes = read(segment * geometry.segmentBytes, Geometry.headerBytes, segment: segment) else {
            return .unreadable
        }
        return SegmentHeaderState.read(bytes)
    }

    /// The ring that most segments belong to, the later one where there are as many.
    private func mainStore(_ headers: [SegmentHeaderState]) -> StoreID? {
        var stores: [(store: StoreID, count: Int, newest: UInt64)] = []
        for case .found(let header, _) in headers {
            if let index = stores.firstIndex(where: { $0.store == header.store }) {
                stores[index].count += 1
                stores[index].newest = max(stores[index].newest, header.generation)
            } else {
                stores.append((header.store, 1, header.generation))
            }
        }
        return stores.max { ($0.count, $0.newest) < ($1.count, $1.newest) }?.store
    }

    /// Without any header: the ring of the blocks that are still there, as after damage to a young ring; `nil`
    /// for a blank disk. Throws where the disk holds something, though no ring.
    private mutating func storeOfBlocks(
        _ headers: [SegmentHeaderState], newStore: StoreID
    ) throws(RingError) -> StoreID? {
        var strange: Int?
        for (segment, header) in headers.enumerated() {
            let position = segment * geometry.segmentBytes + Geometry.headerBytes
            guard let bytes = read(position, Geometry.unit, segment: segment) else { continue }
            if let bits = BlockState.storeBits(bytes) {
                return StoreID(high: newStore.high, low: newStore.low & ~0xFFFF_FFFF | UInt64(bits))
            }
            if header != .blank || bytes.contains(where: { $0 != 0 }) { strange = strange ?? segment }
        }
        if let strange { throw .notARing("segment \(strange) holds something else") }
        return nil
    }

    private mutating func checkGeometry(_ headers: [SegmentHeaderState], store: StoreID) throws(RingError) {
        var most = count
        for case .found(let header, _) in headers where header.store == store {
            guard header.geometry == geometry else {
                throw .otherGeometry(
                    "\(header.geometry.segmentBytes) bytes each, blocks of \(header.geometry.blockBytes)")
            }
            most = max(most, header.segments)
        }
        if most > count { report.findings.append(.truncated(segments: count, expected: most)) }
    }

    private mutating func classify(_ headers: [SegmentHeaderState], store: StoreID) -> [Segment] {
        var states: [Segment] = []
        for (segment, header) in headers.enumerated() {
            let unused = Segment(state: .blank(zeroed: 0), kind: .hot, generation: 0)
            switch header {
            case .found(let header, _) where header.store != store:
                report.findings.append(.foreignSegment(segment: segment))
                states.append(Segment(state: .setAside, kind: header.kind, generation: header.generation))
            case .found(let header, let spoiled):
                if spoiled > 0 { report.findings.append(.headerCopySpoiled(segment: segment)) }
                if header.index != segment {
                    report.findings.append(.segmentMoved(segment: segment, from: header.index))
                }
                found.append(Found(segment: segment, kind: header.kind, generation: header.generation, header: header))
                states.append(Segment(state: .sealed, kind: header.kind, generation: header.generation))
            case .blank, .unreadable, .newer:
                if let probed = probe(segment, store: store) {
                    report.findings.append(.headerLost(segment: segment))
                    found.append(probed)
                    states.append(Segment(state: .sealed, kind: probed.kind, generation: probed.generation))
                } else {
                    if header != .blank { report.findings.append(.segmentUnreadable(segment: segment)) }
                    states.append(unused)
                }
            }
        }
        return states
    }

    /// Looks for a block where the first one belongs.
    private mutating func probe(_ segment: Int, store: StoreID) -> Found? {
        let position = segment * geometry.segmentBytes + Geometry.headerBytes
        guard let first = read(position, Geometry.unit, segment: segment) else { return nil }
        let limit = geometry.blockBytes / Geometry.unit
        guard case .broken = BlockState.read(first, at: 0, store: store, limit: limit) else {
            if case .whole(let header, _) = BlockState.read(first, at: 0, store: store, limit: limit) {
                return found(segment, header)
            }
            return nil
        }
        guard let all = read(position, geometry.blockBytes, segment: segment),
            case .whole(let header, _) = BlockState.read(all, at: 0, store: store, limit: limit)
        else { return nil }
        return found(segment, header)
    }

    private func found(_ segment: Int, _ header: BlockHeader) -> Found {
        Found(
            segment: segment, kind: header.kind == .cold ? .cold : .hot, generation: header.generation, header: nil)
    }

    /// Of several segments with one generation, the one in its own place stays, else the first.
    private mutating func dropCopies(_ states: inout [Segment]) {
        var kept: [UInt64: Int] = [:]
        for item in found {
            let isHome = item.header?.index == item.segment
            if kept[item.generation] == nil || isHome { kept[item.generation] = item.segment }
        }
        for item in found {
            guard let original = kept[item.generation], original != item.segment else { continue }
            report.findings.append(.segmentCopied(segment: item.segment, of: original))
            states[item.segment] = Segment(state: .free, kind: item.kind, generation: 0)
        }
        found.removeAll { kept[$0.generation] != $0.segment }
    }

    // MARK: Blocks

    /// Scans the newest hot segments, until two have been and one of them repeats all small records, and whatever has no
    /// footer; reads the footers of the others.
    private mutating func readSegments(store: StoreID) {
        var hotScanned = 0
        var hasSnapshot = false
        for index in found.indices.reversed() {
            let item = found[index]
            let reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: [:])
            report.reads += 2
            found[index].footer = (try? reader.footer(segment: item.segment, generation: item.generation)) ?? nil
            // Its dictionary is read again where it is asked for: those of all segments together would take more than all else.
            found[index].footer?.table = SeriesTable()
            let mustScan = item.kind == .hot && (hotScanned < 2 || !hasSnapshot)
            guard mustScan || found[index].footer == nil || item.header == nil else { continue }
            guard let bytes = readAll(of: item.segment) else { continue }
            var scan = SegmentScan(bytes, store: store, generation: item.generation, geometry: geometry)
            scan.forgetReadings()
            found[index].scan = scan
            if item.kind == .hot {
                hotScanned += 1
                hasSnapshot = hasSnapshot || scan.hasSnapshot
            }
            name(scan, segment: item.segment)
            let isNewest = !found[(index + 1)...].contains { $0.kind == item.kind }
            if found[index].footer == nil, !isNewest { report.findings.append(.footerLost(segment: item.segment)) }
        }
    }

    private mutating func name(_ scan: SegmentScan, segment: Int) {
        for unit in scan.damaged { report.findings.append(.blockDamaged(segment: segment, unit: unit)) }
        for unit in scan.breaks { report.findings.append(.chainBroken(segment: segment, unit: unit)) }
        for unit in scan.misplaced { report.findings.append(.blockMisplaced(segment: segment, unit: unit)) }
        if let unit = scan.tornTail { report.findings.append(.tornTail(segment: segment, unit: unit)) }
    }
}
