package import Model

/// A finished block, ready to be written.
package struct EncodedBlock: Sendable {
    /// Whole units.
    package let bytes: [UInt8]
    package let runs: [Run]
    /// What the next block's `previous` repeats.
    package let checksum: UInt32
    package let readings: Int
    /// Bytes without the padding.
    package let used: Int

    package var units: Int { bytes.count / Geometry.unit }
}

/// Fills one block: records and readings go in as long as they surely fit, then the columns are put together once.
package struct BlockBuilder: Sendable {
    package private(set) var dictionary: SeriesDictionary
    package private(set) var readings = 0
    /// Bytes that the block may have.
    private let capacity: Int
    /// Bytes that block and footer may have together.
    private let room: Int
    /// Runs in the segment so far, each a line in its footer.
    private let footerRuns: Int

    private var runs: [Run] = []
    private var definitions: [UInt8] = []
    private var records: [UInt8] = []
    private var marks = MarkWriter()
    private var repeatedMarks = MarkWriter()
    private var contexts: [ClockContext] = []
    private var contextColumn = StepWriter()
    private var seriesColumn = StepWriter()
    private var times = TimeWriter()
    private var values = ValueWriter()
    private var qualities = QualityWriter()
    private var deviceTimes = DeviceTimeWriter()
    private var states: [SeriesValueState]
    private var isUsed: [Bool]
    private var names: UInt32 = 0
    private var context = 0

    /// Contexts are searched one by one; more in one block means a clock gone wild, and the block ends.
    private static let mostContexts = 64
    /// Header, section heads, open runs of the columns.
    private static let fixedBytes =
        BlockHeader.bytes + 13 * 4 + 4 + 2 * StepWriter.openBytes + QualityWriter.openBytes

    /// `capacity`: bytes of the block at most. `room`: bytes left in the segment, out of which the footer must come as well.
    /// `footerRuns`: runs that the segment holds already.
    package init(dictionary: SeriesDictionary, capacity: Int, room: Int, footerRuns: Int, geometry: Geometry) {
        self.dictionary = dictionary
        self.capacity = min(capacity, geometry.blockBytes)
        self.room = room
        self.footerRuns = footerRuns
        footerPart = geometry.blockBytes
        states = dictionary.table.definitions.map { SeriesValueState(scale: $0?.scale ?? 0) }
        isUsed = Array(repeating: false, count: states.count)
        owed = dictionary.repeats
        self.dictionary.repeats = []
    }

    private let footerPart: Int
    /// Series that were first written in the block before.
    private let owed: [Int]

    /// Whether nothing has been added.
    package var isEmpty: Bool { readings == 0 && records.isEmpty && marks.isEmpty && repeatedMarks.isEmpty }

    /// Bytes that the block takes now at most.
    package var size: Int {
        Self.fixedBytes + runs.count * Run.mostBytes + definitions.count + records.count + marks.count
            + repeatedMarks.count + contexts.count * 40 + contextColumn.bytes.count + seriesColumn.bytes.count
            + times.count
            + values.bytes.count + qualities.bytes.count + deviceTimes.bytes.count
    }

    /// Adds the record, or says that it does not fit. `share`: the part of the block that records may fill up to.
    package mutating func add(_ record: Record, share: Double = 1) -> Bool {
        guard Double(size + record.mostBytes) <= Double(capacity) * share, fits(record.mostBytes, definitions: 0) else {
            return false
        }
        switch record {
        case .mark(let mark): marks.append(mark)
        case .repeatedMark(let mark): repeatedMarks.append(mark)
        default: record.write(to: &records)
        }
        return true
    }

    /// Adds all of `readings`, which take the offsets from `first` on, and the mark; or nothing, where they do not fit.
    ///
    /// An array, and not any collection: generic code is not specialised across modules, and looking up its types cost more than the work.
    package mutating func add(_ readings: [Reading], log: LogID, first: Offset, mark: DeliveryMark? = nil) -> Bool {
        if readings.count == 1 { return add(readings[0], log: log, at: first, mark: mark) }
        var need = Self.mostBytes(mark)
        var definitionBytes = 0
        var indexes: [Int] = []
        indexes.reserveCapacity(readings.count)
        var newSeries = 0
        var last: Stamp?
        for reading in readings {
            let index = dictionary.index(of: reading.series) ?? -1
            indexes.append(index)
            if index < 0 {
                definitionBytes += SeriesDefinition.mostBytes(of: reading.series)
                newSeries += 1
            }
            need += Self.mostBytes(reading, after: &last)
        }
        guard hasRoom(need, definitions: definitionBytes, newSeries: newSeries, readings: readings.count) else {
            return false
        }
        for place in readings.indices {
            let index = indexes[place] >= 0 ? indexes[place] : define(readings[place])
            append(readings[place], index: index, log: log, offset: first.advanced(by: place))
        }
        if let mark { marks.append(mark) }
        return true
    }

    /// Adds one reading and its mark, or nothing, where they do not fit.
    package mutating func add(_ reading: Reading, log: LogID, at offset: Offset, mark: DeliveryMark? = nil) -> Bool {
        var last: Stamp?
        let need = Self.mostBytes(mark) + Self.mostBytes(reading, after: &last)
        let known = dictionary.index(of: reading.series)
        let definitionBytes = known == nil ? SeriesDefinition.mostBytes(of: reading.series) : 0
        guard hasRoom(need, definitions: definitionBytes, newSeries: known == nil ? 1 : 0, readings: 1) else {
            return false
        }
        append(reading, index: known ?? defineNew(reading), log: log, offset: offset)
        if let mark { marks.append(mark) }
        return true
    }

    private func hasRoom(_ need: Int, definitions: Int, newSeries: Int, readings: Int) -> Bool {
        fits(need + definitions, definitions: definitions) && newSeries <= dictionary.room
            && self.readings + readings <= BlockHeader.mostReadings && contexts.count < Self.mostContexts
    }

    private static func mostBytes(_ mark: DeliveryMark?) -> Int { mark.map { 16 + $0.session.utf8.count } ?? 0 }

    /// Bytes that the readings, their mark and the definitions of their series take at most, in a block of their own;
    /// `Int.max` where they have a text, a name or a time that no reader would take.
    package static func mostBytesAlone(_ readings: [Reading], mark: DeliveryMark?) -> Int {
        var bytes = fixedBytes + Run.mostBytes + 40 + mostBytes(mark)
        var last: Stamp?
        for reading in readings {
            guard isReadable(reading) else { return .max }
            bytes += mostBytes(reading, after: &last) + SeriesDefinition.mostBytes(of: reading.series)
        }
        return bytes
    }

    /// Whether a reader accepts it: beyond these limits it would take its whole block for damaged.
    static func isReadable(_ reading: Reading) -> Bool {
        if case .text(let text) = reading.value, text.utf8.count > ValueToken.textLimit { return false }
        return SeriesDefinition.isReadable(reading.series)
            && reading.stamp.uptime.rawValue.magnitude <= ClockContext.mostMicroseconds
            && reading.stamp.wallOffset.rawValue.magnitude <= ClockContext.mostMicroseconds
    }

    /// `last` is the stamp of the reading before; a clock that differs makes a new context.
    @inline(__always)
    private static func mostBytes(_ reading: Reading, after last: inout Stamp?) -> Int {
        var bytes = 6 + 10 + 1 + ValueWriter.mostBytes(reading.value)
        if reading.quality != .good { bytes += 8 }
        if reading.deviceTime != nil { bytes += 13 }
        if let last,
            last.wallOffset != reading.stamp.wallOffset || last.isTrusted != reading.stamp.isTrusted
                || last.boot != reading.stamp.boot
        {
            bytes += 40
        }
        last = reading.stamp
        return bytes
    }

    /// A new context, a new run and the footer's share of the block are reckoned in.
    private func fits(_ more: Int, definitions: Int) -> Bool {
        let block = size + more + 40 + 8 + Run.mostBytes
        guard block <= capacity else { return false }
        let footer = Footer.mostUnits(
            runs: footerRuns + runs.count + 1, dictionaryBytes: dictionary.bytes + definitions, blockBytes: footerPart)
        return (Geometry.units(covering: block) + footer) * Geometry.unit <= room
    }

    private mutating func define(_ reading: Reading) -> Int {
        dictionary.index(of: reading.series) ?? defineNew(reading)
    }

    private mutating func defineNew(_ reading: Reading) -> Int {
        var scale: UInt8 = 0
        if case .number(let number) = reading.value { scale = DecimalScale.fewest(for: number) ?? 0 }
        let index = dictionary.define(reading.series, scale: scale)
        dictionary.table[index]?.write(to: &definitions, index: index)
        while states.count <= index {
            states.append(SeriesValueState(scale: 0))
            isUsed.append(false)
        }
        states[index].scale = scale
        return index
    }

    /// As many as fit: a name that is written in two blocks outlives the loss of either.
    private mutating func repeatDefinitions() {
        for index in owed {
            guard let definition = dictionary.table[index],
                fits(SeriesDefinition.mostBytes(of: definition.series), definitions: 0)
            else { break }
            definition.write(to: &definitions, index: index)
        }
    }

    private mutating func append(_ reading: Reading, index: Int, log: LogID, offset: Offset) {
        let stamp = reading.stamp
        if contexts.isEmpty || contexts[context].wallOffset != stamp.wallOffset
            || contexts[context].isTrusted != stamp.isTrusted || contexts[context].boot != stamp.boot
        {
            context = contextIndex(
                ClockContext(boot: stamp.boot, wallOffset: stamp.wallOffset, isTrusted: stamp.isTrusted))
        }
        contextColumn.append(context)
        seriesColumn.append(index)
        if !isUsed[index] {
            isUsed[index] = true
            names &+= dictionary.table.check(of: index) ?? 0
        }
        times.append(stamp.uptime.rawValue)
        values.append(reading.value, state: &states[index])
        qualities.append(reading.quality)
        deviceTimes.append(reading.deviceTime)
        readings += 1
        runs.extend(log: log, offset: offset, wall: stamp.wall, isTrusted: stamp.isTrusted)
    }

    private mutating func contextIndex(_ wanted: ClockContext) -> Int {
        if let known = contexts.firstIndex(of: wanted) { return known }
        contexts.append(wanted)
        return contexts.count - 1
    }

    private func sections(isAlone: Bool) -> [PackedPayload.Part] {
        var sections: [PackedPayload.Part] = [
            (.definitions, definitions), (.records, records), (.marks, marks.bytes),
            (.repeatedMarks, repeatedMarks.bytes),
        ]
        guard readings > 0 else { return sections }
        sections += [
            (.runs, BlockPayload.runs(runs)), (.contexts, BlockPayload.contexts(contexts)),
            (.contextColumn, contextColumn.bytes), (.seriesColumn, seriesColumn.bytes), (.timeColumn, times.bytes),
            (.valueColumn, values.bytes), (.qualityColumn, qualities.bytes), (.deviceTimeColumn, deviceTimes.bytes),
        ]
        if !isAlone { sections.append((.names, BlockPayload.names(names))) }
        return sections
    }

    /// Puts the block together. `header` says everything but what follows from the content. `isAlone`: it defines all that it names, and no
    /// other block is read with it; it takes the form that every version reads.
    package consuming func finish(_ header: BlockHeader, store: StoreID, isAlone: Bool = false) -> EncodedBlock {
        repeatDefinitions()
        contextColumn.flush()
        seriesColumn.flush()
        qualities.flush()
        marks.flush()
        repeatedMarks.flush()
        var block: [UInt8] = []
        block.reserveCapacity(Geometry.units(covering: size) * Geometry.unit)
        block.append(contentsOf: repeatElement(0, count: BlockHeader.bytes))
        let sections = sections(isAlone: isAlone)
        for part in sections { BlockPayload.append(part.section, part.bytes, to: &block) }
        if !isAlone, let packed = PackedPayload.packed(sections, readings: readings, bytes: block.count) {
            block.replaceSubrange(BlockHeader.bytes..., with: packed)
        }
        var header = header
        header.payload = block.count - BlockHeader.bytes
        header.units = Geometry.units(covering: block.count)
        header.readings = readings
        if let first = runs.first {
            header.first = first.first
            let earliest = runs.reduce(first.earliest) { min($0, $1.earliest) }
            header.times = earliest...runs.reduce(first.latest) { max($0, $1.latest) }
        }
        let used = block.count
        let checksum = header.seal(&block, store: store)
        return EncodedBlock(bytes: block, runs: runs, checksum: checksum, readings: readings, used: used)
    }
}
