package import Environment
import LogFormat
package import Model

/// Where readings lie that were evicted a moment ago: they stay readable until their segment is used anew. Read on any thread.
package struct EvictedPlaces: Sendable {
    let store: StoreID
    let geometry: Geometry
    var tables: [Int: SeriesTable] = [:]
    private(set) var parts: [(log: LogID, place: BlockPlace, first: UInt64, end: UInt64)] = []

    /// More than the blocks of two segments; what lies beyond is not told of.
    private static let mostParts = 4096

    init(store: StoreID, geometry: Geometry) {
        self.store = store
        self.geometry = geometry
    }

    mutating func add(_ entry: IndexEntry, of log: LogID, at place: BlockPlace) {
        if parts.count < Self.mostParts { parts.append((log, place, entry.first, entry.end)) }
    }

    /// Gives every reading that can still be had of the blocks that `isWanted` names by log and range. Blocks.
    package func read(
        on disk: any Disk, where isWanted: (LogID, Range<Offset>) -> Bool, _ body: (StoredReading) -> Void
    ) {
        var reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: tables)
        for (log, place, first, end) in parts where isWanted(log, Offset(first)..<Offset(end)) {
            // What has been overwritten or cannot be read stays unknown: it is lost already.
            guard let found = try? reader.readings(of: log, first, end, at: place) else { continue }
            for case (let offset, let reading?) in found {
                body(StoredReading(log: log, offset: Offset(offset), reading: reading))
            }
        }
    }
}

extension RingLog {
    /// Where the readings lay that were evicted since the last call; `nil` where none were.
    package mutating func takeEvicted() -> EvictedPlaces? {
        defer { evicted = nil }
        return evicted
    }

    mutating func noteEvicted(_ entry: IndexEntry, of log: LogID) {
        var places = evicted ?? EvictedPlaces(store: store, geometry: options.geometry)
        let segment = Int(entry.segment)
        if places.tables[segment] == nil, let table = table(of: segment) { places.tables[segment] = table }
        places.add(entry, of: log, at: place(of: entry))
        evicted = places
    }
}
