import Model

// What a scan finds in a segment, place by place, and what it means. `ours`: of this ring and this life of the segment.
//
// | at this place                  | chain to the last good block | a good block of ours behind | meaning                        |
// |--------------------------------|------------------------------|-----------------------------|--------------------------------|
// | whole, ours                    | unbroken                     | -                           | good: use it                   |
// | whole, ours                    | broken, index higher         | -                           | good; what lies between: lost  |
// | whole, ours                    | index not higher             | -                           | misplaced: pass it over        |
// | whole, ours, content senseless | -                            | yes                         | damage                         |
// | whole, ours, content senseless | -                            | no                          | damage: no crash writes that   |
// | broken, claims to be ours      | -                            | yes                         | damage                         |
// | broken, claims to be ours      | -                            | no                          | torn tail                      |
// | another life, another ring,    | -                            | yes                         | damage (if blocks are missing) |
// | no block at all                | -                            | no                          | end of the segment             |
//
// Nothing here deletes: a bad place is passed over, and what it held shows as a hole in the offsets.

/// A block that a scan found good.
package struct ScannedBlock: Sendable {
    package let unit: Int
    /// Without the records that the whole scan tells of.
    package fileprivate(set) var frame: BlockFrame
    /// Readings that can be read: all of the frame's, unless definitions are lost.
    package fileprivate(set) var runs: [Run]

    /// Whether all of its readings can be read.
    package var isReadable: Bool { runs == frame.runs }
}

/// What a scan of a whole segment found.
package struct SegmentScan: Sendable {
    package private(set) var blocks: [ScannedBlock] = []
    package private(set) var table = SeriesTable()
    /// Places, in units, that hold a bad block with a good one behind it, or a senseless one.
    package private(set) var damaged: [Int] = []
    /// Where the chain shows that blocks are missing before this place, in units.
    package private(set) var breaks: [Int] = []
    /// Whole blocks that do not belong where they are, in units.
    package private(set) var misplaced: [Int] = []
    /// Place, in units, of a last write that did not become whole.
    package private(set) var tornTail: Int?
    /// The first unit behind the last good block.
    package private(set) var endUnit = Geometry.firstUnit
    /// What the next block has as index and as `previous`.
    package private(set) var nextIndex = 0
    package private(set) var chain: UInt32
    /// Readings of whole blocks that cannot be read, as the definitions of their series went with other blocks.
    package private(set) var undecodable: [Run] = []
    /// Whether every record that must outlive older segments is repeated here, all of it readable.
    package private(set) var hasSnapshot = false
    /// The small records of all blocks, with the last value of each; in the order in which they came first.
    package private(set) var states: [(key: StateKey, value: [UInt8])] = []
    private var places: [StateKey: Int] = [:]

    /// Marks that are kept, the newest of all blocks: a session has no more message ids. So a scan of a segment that took a thousand messages a
    /// second holds them for a minute or two, and not for all of its life.
    private static let mostMarks = 65_536
    private var marks = 0
    /// The first block whose marks are kept.
    private var firstMarked = 0
    private var waiting: [Int] = []

    /// Scans the bytes of a segment whose life is `generation`.
    package init(_ bytes: [UInt8], store: StoreID, generation: UInt64, geometry: Geometry) {
        chain = BlockHeader.chainStart(of: generation)
        let limit = geometry.blockBytes / Geometry.unit
        var unit = Geometry.firstUnit
        let end = bytes.count / Geometry.unit
        while unit < end {
            switch BlockState.read(bytes, at: unit * Geometry.unit, store: store, limit: min(limit, end - unit)) {
            case .whole(let header, _) where header.generation != generation:
                unit += 1
            case .whole(let header, _) where header.kind == .footer || header.kind == .footerEnd:
                unit = end
            case .whole(let header, _) where header.index < nextIndex:
                misplaced.append(unit)
                unit += header.units
            case .whole(let header, let checksum):
                take(bytes, unit: unit, header: header, checksum: checksum)
                unit += header.units
            case .broken(let claimed) where claimed == generation:
                waiting.append(unit)
                unit += 1
            case .broken, .other:
                unit += 1
            }
        }
        tornTail = waiting.first
        if !isSound { dropUndecodable() }
    }

    /// Lets the bytes of the segment go. The blocks tell of their runs and records then, and have no readings any more.
    package mutating func forgetReadings() {
        for place in blocks.indices { blocks[place].frame.forgetReadings() }
    }

    /// Whether every block from the first to the last good one is there.
    package var isSound: Bool { damaged.isEmpty && breaks.isEmpty && misplaced.isEmpty }

    /// A missing block may have taken definitions along: readings that need them are damaged too, and must not hide a copy of the same
    /// readings elsewhere. The others of their block, and its small records, stand.
    private mutating func dropUndecodable() {
        for place in blocks.indices where !blocks[place].runs.isEmpty {
            let frame = blocks[place].frame
            let readings = (try? frame.readings(table)) ?? Array(repeating: nil, count: frame.header.readings)
            guard readings.contains(nil) else { continue }
            damaged.append(blocks[place].unit)
            blocks[place].runs = []
            var start = 0
            for run in frame.runs {
                for (part, isReadable) in run.parts(readings[start..<start + run.count].map { $0 != nil }) {
                    if isReadable { blocks[place].runs.append(part) } else { undecodable.append(part) }
                }
                start += run.count
            }
        }
    }

    private mutating func take(_ bytes: [UInt8], unit: Int, header: BlockHeader, checksum: UInt32) {
        let isChained = header.index == nextIndex && header.previous == chain
        if !isChained { breaks.append(unit) }
        damaged.append(contentsOf: waiting)
        waiting = []
        nextIndex = header.index + 1
        chain = checksum
        endUnit = unit + header.units
        guard var frame = try? BlockFrame(bytes, at: unit * Geometry.unit, header: header) else {
            damaged.append(unit)
            return
        }
        for (index, definition) in frame.definitions { table.define(index, definition) }
        for (key, value) in frame.takeStates() {
            if let place = places[key] {
                states[place].value = value
            } else {
                places[key] = states.count
                states.append((key, value))
            }
        }
        marks += frame.marks
        blocks.append(ScannedBlock(unit: unit, frame: frame, runs: frame.runs))
        while marks - blocks[firstMarked].frame.marks >= Self.mostMarks {
            marks -= blocks[firstMarked].frame.marks
            blocks[firstMarked].frame.forgetMarks()
            firstMarked += 1
        }
        if header.endsSnapshot { hasSnapshot = breaks.isEmpty && damaged.isEmpty }
    }
}

extension Run {
    /// Its parts by whether they can be read, as `isReadable` says of each reading. The times of the whole bound those of a part as well.
    fileprivate func parts(_ isReadable: [Bool]) -> [(part: Run, isReadable: Bool)] {
        var parts: [(part: Run, isReadable: Bool)] = []
        for (index, readable) in isReadable.enumerated() {
            if parts.last?.isReadable == readable {
                parts[parts.count - 1].part.count += 1
            } else {
                var part = self
                part.first = first.advanced(by: index)
                part.count = 1
                parts.append((part, readable))
            }
        }
        return parts
    }
}
