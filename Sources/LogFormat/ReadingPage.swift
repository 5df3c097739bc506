package import Model

/// Readings of several logs as one gateway answers another's question: one block like a ``LogChunk``, whose runs may be many and short.
///
/// | part of the block | in a page                                                                      |
/// |-------------------|--------------------------------------------------------------------------------|
/// | header            | of the ring ``store``, generation 0, index 0; not padded to whole units         |
/// | records           | a log record with the node for each log; the anchors of the clocks, nothing else |
/// | definitions       | every series of the readings                                                   |
/// | runs              | those of a log ascending, logs one after the other                             |
package struct ReadingPage: Sendable {
    package struct Item: Hashable, Sendable {
        package let name: LogName
        package let offset: Offset
        package let reading: Reading

        package init(name: LogName, offset: Offset, reading: Reading) {
            self.name = name
            self.offset = offset
            self.reading = reading
        }
    }

    /// At least one; of each log ascending by offset.
    package let items: [Item]
    /// Of boots whose clock was not trusted, as far as the writer knows any: who has them tells the same times as it.
    package let anchors: [ClockAnchor]

    /// Logs in one page: as many as one question may name.
    package static let mostLogs = 128
    /// Stands where a ring's blocks name their ring. `PAGE`.
    static let store = StoreID(high: 0, low: 0x4547_4150)

    /// Encodes the items, which are in any order and of ``mostLogs`` logs at most.
    ///
    /// - Returns: `nil` where they do not all fit ``LogChunk/mostBytes``.
    package static func encode(_ items: [Item], anchors: [ClockAnchor]) -> [UInt8]? {
        let items = items.sorted { ($0.name, $0.offset) < ($1.name, $1.offset) }
        var builder = BlockBuilder(
            dictionary: SeriesDictionary(), capacity: LogChunk.mostBytes, room: Geometry.standard.segmentBytes,
            footerRuns: 0, geometry: .standard)
        var last: LogName?
        var boots: [BootID] = []
        for item in items {
            if item.name != last {
                let record = LogRecord(log: item.name.log, end: item.offset, isClosed: false, node: item.name.node)
                guard builder.add(.log(record)) else { return nil }
                last = item.name
            }
            let boot = item.reading.stamp.boot
            if !item.reading.stamp.isTrusted, !boots.contains(boot) {
                guard boots.count < LogChunk.mostAnchors else { return nil }
                boots.append(boot)
                if let anchor = anchors.last(where: { $0.boot == boot }), !builder.add(.anchor(anchor)) { return nil }
            }
            guard BlockBuilder.isReadable(item.reading),
                builder.add(item.reading, log: item.name.log, at: item.offset)
            else { return nil }
        }
        let header = BlockHeader(kind: .hot, previous: 0, generation: 0, index: 0)
        let block = builder.finish(header, store: store, isAlone: true)
        return Array(block.bytes.prefix(block.used))
    }

    /// Takes a page apart. Whatever the bytes, it ends in readings that a ring could store, or in an error.
    package init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= LogChunk.mostBytes else { throw .invalid("length of a page") }
        let most = LogChunk.mostBytes / Geometry.unit
        guard case .whole(let header, _) = BlockState.read(bytes, at: 0, store: Self.store, limit: most),
            header.generation == 0, BlockHeader.bytes + header.payload == bytes.count
        else { throw .invalid("checksum of a page") }
        let frame = try BlockFrame(bytes, at: 0, header: header)
        var names: [LogID: LogName] = [:]
        var anchors: [ClockAnchor] = []
        for record in frame.records {
            switch record {
            case .log(let record):
                guard names.count < Self.mostLogs, names[record.log] == nil, let node = record.node else {
                    throw .invalid("log name")
                }
                names[record.log] = LogName(node: node, log: record.log)
            case .anchor(let anchor):
                guard anchors.count < LogChunk.mostAnchors else { throw .invalid("anchors of a page") }
                anchors.append(anchor)
            default: throw .invalid("record of a page")
            }
        }
        let readings = try LogChunk.readings(of: frame)
        guard !readings.isEmpty else { throw .invalid("count of readings") }
        var items: [Item] = []
        items.reserveCapacity(readings.count)
        var place = 0
        for run in frame.runs {
            guard let name = names[run.log] else { throw .invalid("log name") }
            if let last = items.last, last.name == name, run.first <= last.offset { throw .invalid("order of a page") }
            for index in 0..<run.count {
                items.append(Item(name: name, offset: run.first.advanced(by: index), reading: readings[place]))
                place += 1
            }
        }
        self.items = items
        self.anchors = anchors
    }
}
