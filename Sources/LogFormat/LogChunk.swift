package import Model

/// A run of readings of one log as gateways hand it to each other: one block with a dictionary of its own, a record that names the log,
/// and the anchors that its readings need. Nothing beside it is needed to read it.
///
/// | part of the block | in a chunk                                                                  |
/// |-------------------|-----------------------------------------------------------------------------|
/// | header            | of the ring ``store``, generation 0, index 0; not padded to whole units     |
/// | records           | one log record with the node; at most ``mostAnchors`` anchors, nothing else |
/// | definitions       | every series of the readings                                                |
/// | runs              | one                                                                         |
package struct LogChunk: Hashable, Sendable {
    package let name: LogName
    /// The first reading's place; the others follow without a hole.
    package let first: Offset
    /// At least one.
    package let readings: [Reading]
    /// For boots of readings whose clock was not trusted.
    package let anchors: [ClockAnchor]

    package var range: Range<Offset> { first..<first.advanced(by: readings.count) }

    /// Bytes of a chunk at most: those of a block.
    package static let mostBytes = 64 << 10
    /// A log's offsets are a count of readings: beyond this there is none.
    package static let mostOffset = OffsetRange.most
    /// Every boot brings a clock context, of which a block has no more.
    static let mostAnchors = 64
    /// Stands where a ring's blocks name their ring, so that neither is taken for the other. `CHNK`.
    static let store = StoreID(high: 0, low: 0x4B4E_4843)

    /// Encodes as many of `readings`, which take the offsets from `first` on, as fit `limitBytes` (at most ``mostBytes``).
    ///
    /// - Parameter anchors: All that are known; those that the readings need go along.
    /// - Returns: The chunk, and how many readings it took; no bytes where it took none.
    package static func encode(
        name: LogName, first: Offset, readings: [Reading], anchors: [ClockAnchor], limitBytes: Int = mostBytes
    ) -> (bytes: [UInt8], count: Int) {
        let capacity = min(limitBytes, mostBytes)
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: capacity, room: Geometry.standard.segmentBytes, footerRuns: 0,
            geometry: .standard)
        let record = LogRecord(log: name.log, end: first, isClosed: false, node: name.node)
        guard first.rawValue <= OffsetRange.most, builder.add(.log(record)) else { return ([], 0) }
        var boots: [BootID] = []
        var count = 0
        for reading in readings {
            let boot = reading.stamp.boot
            if !reading.stamp.isTrusted, !boots.contains(boot), boots.count < mostAnchors {
                boots.append(boot)
                if let anchor = anchors.last(where: { $0.boot == boot }), !builder.add(.anchor(anchor)) { break }
            }
            guard BlockBuilder.isReadable(reading),
                builder.add(reading, log: name.log, at: first.advanced(by: count))
            else { break }
            count += 1
        }
        guard count > 0 else { return ([], 0) }
        let header = BlockHeader(kind: .hot, previous: 0, generation: 0, index: 0)
        let block = builder.finish(header, store: store, isAlone: true)
        return (Array(block.bytes.prefix(block.used)), count)
    }

    /// Takes a chunk apart. Whatever the bytes, it ends in a chunk with readings that a ring can store, or in an error.
    package static func decode(_ bytes: [UInt8]) throws(FormatError) -> LogChunk {
        guard bytes.count <= mostBytes else { throw .invalid("length of a chunk") }
        let most = mostBytes / Geometry.unit
        guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: store, limit: most),
            header.generation == 0, BlockHeader.bytes + header.payload == bytes.count
        else { throw .invalid("checksum of a chunk") }
        let frame = try BlockFrame(bytes, at: 0, header: header)
        guard let run = frame.runs.first, frame.runs.count == 1 else { throw .invalid("runs of a chunk") }
        var name: LogName?
        var anchors: [ClockAnchor] = []
        for record in frame.records {
            switch record {
            case .log(let record):
                guard name == nil, record.log == run.log, let node = record.node else { throw .invalid("log name") }
                name = LogName(node: node, log: record.log)
            case .anchor(let anchor):
                guard anchors.count < mostAnchors else { throw .invalid("anchors of a chunk") }
                anchors.append(anchor)
            default: throw .invalid("record of a chunk")
            }
        }
        guard let name else { throw .invalid("log name") }
        return LogChunk(name: name, first: run.first, readings: try readings(of: frame), anchors: anchors)
    }

    static func readings(of frame: BlockFrame) throws(FormatError) -> [Reading] {
        var table = SeriesTable()
        for (index, definition) in frame.definitions { table.define(index, definition) }
        var readings: [Reading] = []
        readings.reserveCapacity(frame.header.readings)
        for reading in try frame.readings(table) {
            guard let reading, BlockBuilder.isReadable(reading) else { throw .invalid("series of a chunk") }
            if case .number(let number) = reading.value, !number.isFinite { throw .invalid("number") }
            readings.append(reading)
        }
        return readings
    }
}
