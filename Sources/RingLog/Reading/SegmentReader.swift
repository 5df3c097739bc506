import Environment
import LogFormat
import Model

/// Why a block could not be read.
enum ReadFailure: Error, Hashable, Sendable {
    /// The segment has been used anew since the plan was made.
    case overwritten
    case damaged(String)
    /// The disk did not answer: says nothing about what is stored.
    case disk(DiskError)
    /// The disk gives what lies elsewhere, and not this: gone, should it stay so.
    case unread(DiskError)
}

/// Where a block lies, and in which life of its segment.
struct BlockPlace: Hashable, Sendable {
    let segment: Int
    let generation: UInt64
    let unit: Int
    let units: Int
}

/// Reads blocks for plans, on any thread. Every block is checked after it was read: checksum, ring, generation.
struct SegmentReader {
    let disk: any Disk
    let store: StoreID
    let geometry: Geometry
    /// Dictionaries known so far, by segment.
    var tables: [Int: SeriesTable]
    private var last: OpenBlock?
    /// Of each series of a segment, whether it is asked for.
    private var wanted: [Int: [Bool]] = [:]

    private struct OpenBlock {
        let place: BlockPlace
        let frame: BlockFrame
        let table: SeriesTable
        /// All of them, once somebody has come back for more.
        var readings: [Reading?]?
        /// Those that were asked for by their series, and where they stand in the block.
        var chosen: [(place: Int, reading: Reading?)]?
    }

    init(disk: any Disk, store: StoreID, geometry: Geometry, tables: [Int: SeriesTable]) {
        self.disk = disk
        self.store = store
        self.geometry = geometry
        self.tables = tables
    }

    /// The readings of `log` from `lower` up to `upper` out of a block, which must hold them; `nil` for those whose series is lost.
    ///
    /// In a covey a block holds readings of several logs, of which most readers want one: only who comes back gets the others decoded.
    mutating func readings(
        of log: LogID, _ lower: UInt64, _ upper: UInt64, at place: BlockPlace
    ) throws(ReadFailure) -> [(offset: UInt64, reading: Reading?)] {
        let block = try block(at: place)
        var found: [(offset: UInt64, reading: Reading?)] = []
        found.reserveCapacity(Int(upper - lower))
        var start = 0
        for run in block.frame.runs {
            let first = run.first.rawValue
            let wanted = max(first, lower)..<max(min(first + UInt64(run.count), upper), first, lower)
            if run.log == log, !wanted.isEmpty {
                let from = start + Int(wanted.lowerBound - first)
                let readings = try decoded(block, from..<from + wanted.count)
                for (offset, reading) in zip(wanted, readings) { found.append((offset, reading)) }
            }
            start += run.count
        }
        return found
    }

    /// Those of series that `matches` takes; it must be the same for all calls on one reader.
    mutating func readings(
        of log: LogID, _ lower: UInt64, _ upper: UInt64, at place: BlockPlace, where matches: (Series) -> Bool
    ) throws(ReadFailure) -> [(offset: UInt64, reading: Reading?)] {
        let chosen = try chosen(at: place, where: matches)
        var found: [(offset: UInt64, reading: Reading?)] = []
        var start = 0
        var next = 0
        for run in chosen.runs {
            while next < chosen.readings.count, chosen.readings[next].place < start + run.count {
                let (position, reading) = chosen.readings[next]
                let offset = run.first.rawValue + UInt64(position - start)
                if run.log == log, offset >= lower, offset < upper { found.append((offset, reading)) }
                next += 1
            }
            start += run.count
        }
        return found
    }

    private mutating func chosen(
        at place: BlockPlace, where matches: (Series) -> Bool
    ) throws(ReadFailure) -> (runs: [Run], readings: [(place: Int, reading: Reading?)]) {
        var block = if let last, last.place == place { last } else { try block(at: place) }
        if let chosen = block.chosen { return (block.frame.runs, chosen) }
        let wanted = wanted[place.segment] ?? block.table.definitions.map { $0.map { matches($0.series) } ?? true }
        self.wanted[place.segment] = wanted
        var chosen: [(place: Int, reading: Reading?)] = []
        let all = 0..<block.frame.header.readings
        do {
            try block.frame.forEach(block.table, at: all, wanted: wanted) { chosen.append(($0, $1)) }
        } catch { throw Self.undecodable }
        block.chosen = chosen
        last = block
        return (block.frame.runs, chosen)
    }

    private func decoded(_ block: OpenBlock, _ places: Range<Int>) throws(ReadFailure) -> ArraySlice<Reading?> {
        if let readings = block.readings { return readings[places] }
        do { return try block.frame.readings(block.table, at: places)[...] } catch { throw Self.undecodable }
    }

    private static let undecodable = ReadFailure.damaged("a block cannot be decoded")

    private mutating func block(at place: BlockPlace) throws(ReadFailure) -> OpenBlock {
        if var block = last, block.place == place {
            guard block.readings == nil else { return block }
            do { block.readings = try block.frame.readings(block.table) } catch { throw Self.undecodable }
            last = block
            return block
        }
        let position = place.segment * geometry.segmentBytes + place.unit * Geometry.unit
        let bytes = try read(at: position, count: place.units * Geometry.unit)
        guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: place.units),
            header.generation == place.generation
        else { throw try fault(at: place, "the checksum of a block does not match") }
        let table = try table(of: place)
        do {
            let block = OpenBlock(
                place: place, frame: try BlockFrame(bytes, at: 0, header: header, readingsAlone: true), table: table)
            last = block
            return block
        } catch {
            throw Self.undecodable
        }
    }

    private func read(at position: Int, count: Int) throws(ReadFailure) -> [UInt8] {
        do { return try disk.read(at: position, count: count) } catch {
            throw error.code == .failed && answersElsewhere(than: position) ? .unread(error) : .disk(error)
        }
    }

    /// Whether the disk gives two other segments' headers, and not out of a cache.
    private func answersElsewhere(than position: Int) -> Bool {
        disk.dropCache()
        let (segment, count) = (position / geometry.segmentBytes, disk.size / geometry.segmentBytes)
        return [1, count / 2].allSatisfy { step in
            let other = (segment + step) % count * geometry.segmentBytes
            return (try? disk.read(at: other, count: Geometry.headerBytes)) != nil
        }
    }

    /// Tells an overwritten block from a damaged one by what the segment's header says now.
    private func fault(at place: BlockPlace, _ what: String) throws(ReadFailure) -> ReadFailure {
        let bytes = try read(at: place.segment * geometry.segmentBytes, count: Geometry.headerBytes)
        if case .found(let header, _) = SegmentHeaderState.read(bytes), header.generation != place.generation {
            return .overwritten
        }
        return .damaged(what)
    }

    private mutating func table(of place: BlockPlace) throws(ReadFailure) -> SeriesTable {
        if let known = tables[place.segment] { return known }
        let start = place.segment * geometry.segmentBytes
        let table: SeriesTable
        if let footer = try footer(segment: place.segment, generation: place.generation) {
            table = footer.table
        } else {
            let bytes = try read(at: start, count: geometry.segmentBytes)
            table = SegmentScan(bytes, store: store, generation: place.generation, geometry: geometry).table
        }
        tables[place.segment] = table
        return table
    }

    /// The footer of a sealed segment; `nil` where there is no whole one.
    func footer(segment: Int, generation: UInt64) throws(ReadFailure) -> Footer? {
        let start = segment * geometry.segmentBytes
        let end = try read(at: start + geometry.segmentBytes - Geometry.unit, count: Geometry.unit)
        guard let position = Footer.start(end, store: store, generation: generation, geometry: geometry) else {
            return nil
        }
        let bytes = try read(at: start + position, count: geometry.segmentBytes - position)
        return Footer.read(bytes, store: store, generation: generation, geometry: geometry)
    }
}
