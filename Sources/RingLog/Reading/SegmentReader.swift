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
    private var last: (place: BlockPlace, frame: BlockFrame, readings: [Reading?])?

    init(disk: any Disk, store: StoreID, geometry: Geometry, tables: [Int: SeriesTable]) {
        self.disk = disk
        self.store = store
        self.geometry = geometry
        self.tables = tables
    }

    /// The block's readings, `nil` for those whose series is lost.
    mutating func block(
        at place: BlockPlace
    ) throws(ReadFailure) -> (frame: BlockFrame, readings: [Reading?]) {
        if let last, last.place == place { return (last.frame, last.readings) }
        let position = place.segment * geometry.segmentBytes + place.unit * Geometry.unit
        let bytes = try read(at: position, count: place.units * Geometry.unit)
        guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: place.units),
            header.generation == place.generation
        else { throw try fault(at: place, "the checksum of a block does not match") }
        let table = try table(of: place)
        do {
            let frame = try BlockFrame(bytes, at: 0, header: header)
            let readings = try frame.readings(table)
            last = (place, frame, readings)
            return (frame, readings)
        } catch {
            throw .damaged("a block cannot be decoded")
        }
    }

    /// The readings of `log` from `lower` up to `upper` out of a block, which must hold them.
    mutating func readings(
        of log: LogID, _ lower: UInt64, _ upper: UInt64, at place: BlockPlace
    ) throws(ReadFailure) -> [(offset: UInt64, reading: Reading?)] {
        let (frame, readings) = try block(at: place)
        var found: [(offset: UInt64, reading: Reading?)] = []
        found.reserveCapacity(Int(upper - lower))
        var start = 0
        for run in frame.runs {
            let first = run.first.rawValue
            if run.log == log, first < upper, first + UInt64(run.count) > lower {
                for offset in max(first, lower)..<min(first + UInt64(run.count), upper) {
                    found.append((offset, readings[start + Int(offset - first)]))
                }
            }
            start += run.count
        }
        return found
    }

    private func read(at position: Int, count: Int) throws(ReadFailure) -> [UInt8] {
        do { return try disk.read(at: position, count: count) } catch { throw .disk(error) }
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
