package import Environment
import LogFormat
package import Model

// What reading a whole segment shows. `known`: as the ring had it when it was opened.
//
// | header                       | blocks                                     | the segment                                    |
// |------------------------------|--------------------------------------------|------------------------------------------------|
// | another life than the known  | -                                          | was used anew meanwhile: nothing is said of it |
// | one copy or both are spoiled | -                                          | damaged; its blocks are read all the same      |
// | spoiled, segment not used    | -                                          | damaged                                        |
// | -                            | broken, misplaced, missing, not decodable  | damaged                                        |
// | -                            | last one cut off, the segment has a footer | damaged: it was whole when that was written    |
// | -                            | last one cut off, no footer                | sound: a write that nobody was told of         |
// | -                            | whole, and not what the index says         | damaged                                        |

/// What reading one segment in full shows: every checksum, the chain, every reading.
package struct SegmentCheck: Sendable {
    /// A damaged place.
    package struct Fault: Hashable, Sendable {
        /// Where in the segment, in units of ``Geometry/unit``; `nil` where it is all of it.
        package let unit: Int?
        package let what: String
    }

    /// Readings that the ring counts on and that cannot be read.
    package struct Loss: Hashable, Sendable {
        package let log: LogID
        package let range: Range<Offset>
    }

    package let segment: Int
    package internal(set) var isUsed = false
    package internal(set) var blocks = 0
    package internal(set) var readings = 0
    package internal(set) var faults: [Fault] = []
    /// Ascending.
    package internal(set) var losses: [Loss] = []
    /// Where a last write was cut off, in units.
    package internal(set) var tornTail: Int?
    /// It was used anew since the ring was opened: what it holds now was not looked at.
    package internal(set) var wasReused = false

    package var isDamaged: Bool { !faults.isEmpty || !losses.isEmpty }

    /// What a second look found as well: where somebody writes, a place may have been read half old and half new.
    package func confirmed(by again: SegmentCheck) -> SegmentCheck {
        var both = again
        both.faults = again.faults.filter(faults.contains)
        both.losses = again.losses.filter(losses.contains)
        return both
    }

    mutating func fault(_ unit: Int?, _ what: String) { faults.append(Fault(unit: unit, what: what)) }
}

/// One segment to be read in full, on any thread. Holds one segment in memory.
package struct SegmentCheckPlan: Sendable {
    let segment: Int
    /// `nil` where the ring does not use it.
    let generation: UInt64?
    let newest: UInt64
    let store: StoreID
    let geometry: Geometry
    fileprivate(set) var entries: [(log: LogID, entry: IndexEntry)] = []

    /// Reads, checks and decodes. Blocks.
    package func perform(on disk: any Disk) -> SegmentCheck {
        var check = SegmentCheck(segment: segment)
        check.isUsed = generation != nil
        let bytes: [UInt8]
        do {
            let count = generation == nil ? Geometry.headerBytes : geometry.segmentBytes
            bytes = try disk.read(at: segment * geometry.segmentBytes, count: count)
        } catch {
            check.fault(nil, "cannot be read: \(error.message)")
            check.losses = losses(entries)
            return check
        }
        guard readHeader(bytes, &check), let generation else { return check }
        let scan = SegmentScan(bytes, store: store, generation: generation, geometry: geometry)
        let (hasFooter, footer) = readFooter(bytes, generation, &check)
        // A whole block that a scan alone cannot decode may be decoded with the names in the footer, as readers do.
        let whole = Set(scan.blocks.map(\.unit))
        for unit in scan.damaged where !whole.contains(unit) { check.fault(unit, "the block is damaged") }
        for unit in scan.breaks { check.fault(unit, "blocks are missing before this one") }
        for unit in scan.misplaced { check.fault(unit, "the block does not belong there") }
        if let unit = scan.tornTail {
            if hasFooter { check.fault(unit, "the block is damaged") } else { check.tornTail = unit }
        }
        let sound = decode(scan, footer?.table ?? scan.table, &check)
        check.losses = losses(
            entries.flatMap { log, entry in
                let ranges = sound[Int(entry.unit)]?[log] ?? OffsetRanges()
                return ranges.missing(in: entry.first..<entry.end).map {
                    (log, entry.clipped($0.lowerBound, $0.upperBound))
                }
            })
        check.faults.sort { ($0.unit ?? -1, $0.what) < ($1.unit ?? -1, $1.what) }
        return check
    }

    /// Whether the blocks are to be read.
    private func readHeader(_ bytes: [UInt8], _ check: inout SegmentCheck) -> Bool {
        switch SegmentHeaderState.read(Array(bytes[..<Geometry.headerBytes])) {
        case .found(let header, let spoiled):
            guard let generation else {
                check.wasReused = header.store == store && header.generation > newest
                return false
            }
            guard header.store == store, header.generation == generation else {
                check.wasReused = true
                return false
            }
            if spoiled > 0 { check.fault(0, "one copy of the segment's header is spoiled") }
        case .newer: check.wasReused = true
        case .blank where generation == nil: return false
        case .unreadable where generation == nil: check.fault(nil, "neither header nor blocks can be read")
        case .blank, .unreadable: check.fault(0, "both copies of the segment's header are spoiled")
        }
        return !check.wasReused
    }

    /// Whether the segment has been finished, and its footer where that is whole.
    private func readFooter(
        _ bytes: [UInt8], _ generation: UInt64, _ check: inout SegmentCheck
    ) -> (isFinished: Bool, footer: Footer?) {
        let last = geometry.segmentBytes - Geometry.unit
        let end = Array(bytes[last...])
        guard let start = Footer.start(end, store: store, generation: generation, geometry: geometry) else {
            let state = BlockState.read(end, at: 0, store: store, limit: 1)
            guard case .broken(generation) = state else { return (false, nil) }
            check.fault(last / Geometry.unit, "the segment's footer is damaged")
            return (true, nil)
        }
        let footer = Footer.read(Array(bytes[start...]), store: store, generation: generation, geometry: geometry)
        if footer == nil { check.fault(start / Geometry.unit, "the segment's footer is damaged") }
        return (true, footer)
    }

    /// Decodes everything, and returns what could be, by unit.
    private func decode(
        _ scan: SegmentScan, _ table: SeriesTable, _ check: inout SegmentCheck
    ) -> [Int: [LogID: OffsetRanges]] {
        var sound: [Int: [LogID: OffsetRanges]] = [:]
        for block in scan.blocks {
            check.blocks += 1
            guard block.frame.header.readings > 0 else { continue }
            let readings = (try? block.frame.readings(table)) ?? []
            check.readings += readings.count { $0 != nil }
            if readings.isEmpty || readings.contains(nil) { check.fault(block.unit, "the block cannot be decoded") }
            guard !readings.isEmpty else { continue }
            var start = 0
            for run in block.frame.runs {
                let there = offsets(of: run, readings[start..<start + run.count])
                for range in there {
                    sound[block.unit, default: [:]][run.log, default: OffsetRanges()]
                        .insert(range.lowerBound, range.upperBound)
                }
                start += run.count
            }
        }
        return sound
    }

    /// What of a run can be read.
    private func offsets(of run: Run, _ readings: ArraySlice<Reading?>) -> [Range<UInt64>] {
        let first = run.first.rawValue
        guard readings.contains(nil) else { return [first..<first + UInt64(run.count)] }
        return zip(first..., readings).filter { $0.1 != nil }.map { $0.0..<$0.0 + 1 }
    }

    private func losses(_ entries: [(log: LogID, entry: IndexEntry)]) -> [SegmentCheck.Loss] {
        var losses: [SegmentCheck.Loss] = []
        for (log, entry) in entries.sorted(by: { ($0.log, $0.entry.first) < ($1.log, $1.entry.first) }) {
            let range = Offset(entry.first)..<Offset(entry.end)
            if let last = losses.last, last.log == log, last.range.upperBound == range.lowerBound {
                losses[losses.count - 1] = .init(log: log, range: last.range.lowerBound..<range.upperBound)
            } else {
                losses.append(.init(log: log, range: range))
            }
        }
        return losses
    }
}

extension RingLog {
    /// Every segment of this ring, to be read in full one after the other.
    package var segmentChecks: [SegmentCheckPlan] {
        var plans = segments.indices.map { index in
            let segment = segments[index]
            let isUsed = segment.isOurs && segment.state != .free
            return SegmentCheckPlan(
                segment: index, generation: isUsed ? segment.generation : nil, newest: generation, store: store,
                geometry: options.geometry)
        }
        for log in logOrder {
            for entry in indexes[log]?.entries ?? [] { plans[Int(entry.segment)].entries.append((log, entry)) }
        }
        return plans.filter { segments[$0.segment].state != .setAside }
    }
}
