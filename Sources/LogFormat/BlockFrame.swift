package import Model

/// A whole block, taken apart as far as is possible without the segment's dictionary.
package struct BlockFrame: Sendable {
    package let header: BlockHeader
    package let runs: [Run]
    package let definitions: [(index: Int, definition: SeriesDefinition)]
    package private(set) var records: [Record]
    private let contexts: [ClockContext]
    private var columns: Columns

    private struct Columns: Sendable {
        var context: ByteReader?
        var series: ByteReader?
        var times: ByteReader?
        /// Those two are columns of integers. They are taken apart where somebody reads them: a scan holds hundreds of blocks.
        var hasPackedSeries = false
        var hasPackedTimes = false
        var values: ByteReader?
        var qualities: ByteReader?
        var deviceTimes: ByteReader?
        /// In blocks of a ``ColdBuilder``, in the place of those from `series` on.
        var groups: ByteReader?
        /// `nil` in blocks of versions that did not write it.
        var names: UInt32?
    }

    /// Takes the block at `position` of `bytes` apart, whose `header` has been read from there and found whole.
    ///
    /// - Parameter readingsAlone: Definitions, records and marks are passed over.
    package init(
        _ bytes: [UInt8], at position: Int, header: BlockHeader, readingsAlone: Bool = false
    ) throws(FormatError) {
        let start = position + BlockHeader.bytes
        var content = Content()
        try content.read(
            ByteReader(bytes, start..<start + header.payload), readingsAlone: readingsAlone)
        guard content.runs.reduce(0, { $0 + $1.count }) == header.readings else { throw .invalid("count of readings") }
        self.header = header
        runs = content.runs
        definitions = content.definitions
        records = content.records + content.repeatedMarks.map { .repeatedMark($0) } + content.marks.map { .mark($0) }
        contexts = content.contexts
        columns = content.columns
    }

    /// Hands over the small records whose latest value counts, oldest first, and forgets them.
    mutating func takeStates() -> [(key: StateKey, value: [UInt8])] {
        var states: [(key: StateKey, value: [UInt8])] = []
        records.removeAll { record in
            guard case .state(let key, let value) = record else { return false }
            states.append((key, value))
            return true
        }
        return states
    }

    /// From here on readings cannot be asked for: who has the records of a segment's blocks need not hold all of its bytes.
    mutating func forgetReadings() { columns = Columns() }

    /// Of marks, those that came with its readings and those that it repeats.
    var marks: Int {
        records.count { record in
            switch record {
            case .mark, .repeatedMark: true
            default: false
            }
        }
    }

    mutating func forgetMarks() {
        records.removeAll { record in
            switch record {
            case .mark, .repeatedMark: true
            default: false
            }
        }
    }

    /// What the sections say, whatever their order.
    private struct Content {
        var runs: [Run] = []
        var definitions: [(index: Int, definition: SeriesDefinition)] = []
        var records: [Record] = []
        var marks: [DeliveryMark] = []
        var repeatedMarks: [DeliveryMark] = []
        var contexts: [ClockContext] = []
        var columns = Columns()

        mutating func read(
            _ reader: ByteReader, readingsAlone: Bool, isSqueezed: Bool = false
        ) throws(FormatError) {
            var reader = reader
            while !reader.isAtEnd {
                let tag = try reader.byte()
                var part = try reader.part(try reader.count(limit: PackedPayload.mostBytes, "section length"))
                let section = Section(rawValue: tag)
                if readingsAlone, section?.isBesideReadings ?? true { continue }
                switch section {
                case .runs: while !part.isAtEnd { runs.append(try Run.read(from: &part)) }
                case .definitions: while !part.isAtEnd { definitions.append(try SeriesDefinition.read(from: &part)) }
                case .records: while !part.isAtEnd { records.append(try Record.read(from: &part)) }
                case .marks: marks = try MarkReader.read(from: &part)
                case .repeatedMarks: repeatedMarks = try MarkReader.read(from: &part)
                case .singleMarks: marks = try MarkReader.readSingle(from: &part)
                case .singleRepeatedMarks: repeatedMarks = try MarkReader.readSingle(from: &part)
                case .contexts: contexts = try BlockFrame.contexts(&part)
                case .contextColumn: columns.context = part
                case .seriesColumn: columns.series = part
                case .packedSeries: (columns.series, columns.hasPackedSeries) = (part, true)
                case .timeColumn: columns.times = part
                case .packedTimes: (columns.times, columns.hasPackedTimes) = (part, true)
                case .valueColumn: columns.values = part
                case .qualityColumn: columns.qualities = part
                case .deviceTimeColumn: columns.deviceTimes = part
                case .groups: columns.groups = part
                case .names: columns.names = try part.fixed(UInt32.self)
                case .squeezedColumns, .squeezedRecords:
                    guard !isSqueezed else { throw .invalid("section") }
                    let bytes = try Deflate.unsqueezed(part, limit: PackedPayload.mostBytes)
                    try read(
                        ByteReader(bytes, 0..<bytes.count), readingsAlone: readingsAlone, isSqueezed: true)
                case nil: break
                }
            }
        }
    }

    private static func contexts(_ part: inout ByteReader) throws(FormatError) -> [ClockContext] {
        var contexts: [ClockContext] = []
        while !part.isAtEnd {
            let flags = try part.byte()
            var boot = contexts.last?.boot
            if flags & 2 == 0 {
                boot = BootID(high: try part.fixed(UInt64.self), low: try part.fixed(UInt64.self))
            }
            guard let boot else { throw .invalid("clock context") }
            let offset = (contexts.last?.wallOffset.rawValue ?? 0) &+ (try part.signed())
            guard offset.magnitude <= ClockContext.mostMicroseconds else { throw .invalid("wall offset") }
            contexts.append(
                ClockContext(boot: boot, wallOffset: Microseconds(offset), isTrusted: flags & 1 == 1))
        }
        return contexts
    }

    /// Indexes of the series that the readings have, each once.
    private func usedSeries(_ column: StepReader, limit: Int) throws(FormatError) -> [Int] {
        var steps = column
        var isUsed = [Bool](repeating: false, count: limit)
        var used: [Int] = []
        for _ in 0..<header.readings {
            let index = try steps.next(limit: Limits.series)
            if index < limit, isUsed[index] { continue }
            used.append(index)
            if index < limit { isUsed[index] = true }
        }
        return used
    }

    /// Whether the readings have the names from `table` that their writer gave them. Where its definitions are not those that the writer
    /// had, nothing says which of them is wrong.
    private func isNamed(by table: SeriesTable, _ used: [Int]) -> Bool {
        guard let names = columns.names else { return true }
        var sum: UInt32 = 0
        for index in used {
            // Of a lost definition nothing is known, and the sum proves nothing.
            guard let check = table.check(of: index) else { return true }
            sum &+= check
        }
        return sum == names
    }

    /// The readings in order, `nil` for one whose series' definition was lost. `table` must be that of the block's segment.
    package func readings(_ table: SeriesTable) throws(FormatError) -> [Reading?] {
        try readings(table, at: 0..<header.readings)
    }

    /// Those at `places` alone, counted from the block's first, which must lie in the block. Cheaper by what the others cost to build.
    package func readings(_ table: SeriesTable, at places: Range<Int>) throws(FormatError) -> [Reading?] {
        var readings: [Reading?] = []
        readings.reserveCapacity(places.count)
        try forEach(table, at: places) { _, reading in readings.append(reading) }
        return readings
    }

    /// Calls `take` with the place of each reading at `places`, in order, and the reading, `nil` where its series' definition was lost.
    ///
    /// - Parameter wanted: Of each series of `table`, whether it is asked for. Readings of the others are left out, and in cold blocks cost
    ///   next to nothing.
    package func forEach(
        _ table: SeriesTable, at places: Range<Int>, wanted: [Bool]? = nil, _ take: (Int, Reading?) -> Void
    ) throws(FormatError) {
        let wanted = wanted ?? []
        guard !places.isEmpty else { return }
        guard let context = columns.context else { throw .truncated }
        if let groups = columns.groups {
            try forEach(in: try ColdColumns(groups, readings: header.readings), context, table, places, wanted, take)
        } else {
            try forEachRow(context, table, places, wanted, take)
        }
    }

    private func forEach(
        in cold: ColdColumns, _ context: ByteReader, _ table: SeriesTable, _ places: Range<Int>,
        _ wanted: [Bool], _ take: (Int, Reading?) -> Void
    ) throws(FormatError) {
        let isNamed = isNamed(by: table, cold.series)
        var contextSteps = StepReader(context)
        var (next, clock) = (0, 0)
        try cold.forEach(at: places, isWanted: { $0 >= wanted.count || wanted[$0] }) {
            (place, series, uptime, value, quality, deviceTime) throws(FormatError) in
            while next <= place {
                clock = try contextSteps.next(limit: contexts.count)
                next += 1
            }
            guard uptime.magnitude <= ClockContext.mostMicroseconds else { throw .invalid("uptime") }
            guard isNamed, let definition = table[series] else { return take(place, nil) }
            let stamp = Stamp(
                boot: contexts[clock].boot, uptime: Microseconds(uptime), wallOffset: contexts[clock].wallOffset,
                isTrusted: contexts[clock].isTrusted)
            take(
                place,
                Reading(
                    series: definition.series, stamp: stamp, value: value, quality: quality, deviceTime: deviceTime))
        }
    }

    private func seriesSteps() throws(FormatError) -> StepReader? {
        guard var column = columns.series, columns.hasPackedSeries else { return columns.series.map { StepReader($0) } }
        return StepReader(try IntegerColumn.read(header.readings, from: &column))
    }

    private func times() throws(FormatError) -> TimeReader? {
        guard var column = columns.times else { return nil }
        guard columns.hasPackedTimes else { return try TimeReader(column) }
        return TimeReader(try IntegerColumn.read(header.readings, from: &column))
    }

    private func forEachRow(
        _ context: ByteReader, _ table: SeriesTable, _ places: Range<Int>, _ wanted: [Bool],
        _ take: (Int, Reading?) -> Void
    ) throws(FormatError) {
        guard let series = try seriesSteps(), var times = try times(), var values = columns.values else {
            throw .truncated
        }
        let isNamed = isNamed(by: table, try usedSeries(series, limit: table.definitions.count))
        var contextSteps = StepReader(context)
        var seriesSteps = series
        var qualities = QualityReader(columns.qualities)
        var deviceTimes = try DeviceTimeReader(columns.deviceTimes)
        var states = table.definitions.map { SeriesValueState(scale: $0?.scale ?? 0) }
        for place in 0..<places.upperBound {
            let clock = contexts[try contextSteps.next(limit: contexts.count)]
            let index = try seriesSteps.next(limit: Limits.series)
            while states.count <= index { states.append(SeriesValueState(scale: 0)) }
            let uptime = try times.next()
            guard uptime.magnitude <= ClockContext.mostMicroseconds else { throw .invalid("uptime") }
            let value = try ValueReader.read(from: &values, state: &states[index])
            let quality = try qualities.next()
            let deviceTime = try deviceTimes.next()
            guard place >= places.lowerBound, index >= wanted.count || wanted[index] else { continue }
            guard isNamed, let definition = table[index] else {
                take(place, nil)
                continue
            }
            let stamp = Stamp(
                boot: clock.boot, uptime: Microseconds(uptime), wallOffset: clock.wallOffset,
                isTrusted: clock.isTrusted)
            take(
                place,
                Reading(
                    series: definition.series, stamp: stamp, value: value, quality: quality, deviceTime: deviceTime))
        }
    }
}
