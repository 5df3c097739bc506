import LogFormat
import Model

/// What the ring knows of one segment.
struct Segment: Sendable {
    enum State: Hashable, Sendable {
        /// Never used, or not readable as ours: zero-filled up to this unit.
        case blank(zeroed: Int)
        /// Ready to be opened.
        case free
        case open
        /// Full, or left as it was by an earlier process.
        case sealed
        /// To be freed as soon as the record of what it held is durable.
        case leaving
        /// A write to it failed. Not used again while there are others; what it holds can still be read.
        case retired
        /// Belongs to another store: left alone.
        case setAside

        /// Whether it can be opened now.
        var isUnused: Bool {
            switch self {
            case .free, .blank: true
            default: false
            }
        }
    }

    var state: State
    var kind: SegmentKind
    var generation: UInt64
    /// Every record that must outlive older segments is in it, durably.
    var hasSnapshot = false
    /// Readings that the index finds here.
    var held = 0
    /// Merging it failed on a read error: left alone, so that it is not tried for ever.
    var cannotMerge = false
}

/// Where the next block of an open segment goes.
struct Head: Sendable {
    let segment: Int
    let generation: UInt64
    var unit: Int
    var index: Int
    var chain: UInt32
    var dictionary: SeriesDictionary
    /// Durable blocks with readings, for the footer.
    var blocks: [BlockEntry]
    /// Runs in `blocks` and in blocks on the way.
    var runs: Int
    /// Whether the header has been written.
    var hasHeader: Bool

    /// A segment opened anew.
    init(segment: Int, generation: UInt64) {
        self.segment = segment
        self.generation = generation
        unit = Geometry.firstUnit
        index = 0
        chain = BlockHeader.chainStart(of: generation)
        dictionary = SeriesDictionary()
        blocks = []
        runs = 0
        hasHeader = false
    }

    /// A segment that an earlier process left open.
    init(segment: Int, generation: UInt64, continuing scan: SegmentScan) {
        self.segment = segment
        self.generation = generation
        unit = scan.endUnit
        index = scan.nextIndex
        chain = scan.chain
        dictionary = SeriesDictionary(continuing: scan.table, floor: 0)
        blocks = scan.blocks.filter { !$0.frame.runs.isEmpty }.map {
            BlockEntry(unit: $0.unit, units: $0.frame.header.units, runs: $0.frame.runs)
        }
        runs = blocks.reduce(0) { $0 + $1.runs.count }
        hasHeader = true
    }

    func room(_ geometry: Geometry) -> Int { geometry.segmentBytes - unit * Geometry.unit }

    /// A builder for the next block, leaving `spare` units of the segment untouched.
    func builder(_ geometry: Geometry, spare: Int) -> BlockBuilder {
        BlockBuilder(
            dictionary: dictionary, capacity: geometry.blockBytes, room: room(geometry) - spare * Geometry.unit,
            footerRuns: runs, geometry: geometry)
    }

    /// Finishes the builder's block as the next one here.
    mutating func take(
        _ builder: consuming BlockBuilder, kind: BlockHeader.Kind, endsSnapshot: Bool, store: StoreID
    ) -> (unit: Int, block: EncodedBlock) {
        dictionary = builder.dictionary
        let header = BlockHeader(
            kind: kind, endsSnapshot: endsSnapshot, previous: chain, generation: generation, index: index)
        let block = builder.finish(header, store: store)
        let place = unit
        unit += block.units
        index += 1
        chain = block.checksum
        runs += block.runs.count
        return (place, block)
    }
}
