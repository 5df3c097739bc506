package import Model

/// A whole block, taken apart as far as is possible without the segment's dictionary.
package struct BlockFrame: Sendable {
    package let header: BlockHeader
    package let runs: [Run]
    package let definitions: [(index: Int, definition: SeriesDefinition)]
    package let records: [Record]
    private let contexts: [ClockContext]
    private let columns: Columns

    private struct Columns: Sendable {
        var context: ByteReader?
        var series: ByteReader?
        var times: ByteReader?
        var values: ByteReader?
        var qualities: ByteReader?
        var deviceTimes: ByteReader?
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
        var reader = ByteReader(bytes, start..<start + header.payload)
        var runs: [Run] = []
        var definitions: [(index: Int, definition: SeriesDefinition)] = []
        var records: [Record] = []
        var marks: [DeliveryMark] = []
        var contexts: [ClockContext] = []
        var columns = Columns()
        while !reader.isAtEnd {
            let tag = try reader.byte()
            var part = try reader.part(try reader.count(limit: header.payload, "section length"))
            let section = Section(rawValue: tag)
            if readingsAlone, section?.isBesideReadings ?? true { continue }
            switch section {
            case .runs: while !part.isAtEnd { runs.append(try Run.read(from: &part)) }
            case .definitions: while !part.isAtEnd { definitions.append(try SeriesDefinition.read(from: &part)) }
            case .records: while !part.isAtEnd { records.append(try Record.read(from: &part)) }
            case .marks: marks = try MarkWriter.read(from: &part)
            case .repeatedMarks: records += try MarkWriter.read(from: &part).map { .repeatedMark($0) }
            case .contexts: contexts = try Self.contexts(&part)
            case .contextColumn: columns.context = part
            case .seriesColumn: columns.series = part
            case .timeColumn: columns.times = part
            case .valueColumn: columns.values = part
            case .qualityColumn: columns.qualities = part
            case .deviceTimeColumn: columns.deviceTimes = part
            case .names: columns.names = try part.fixed(UInt32.self)
            case nil: break
            }
        }
        guard runs.reduce(0, { $0 + $1.count }) == header.readings else { throw .invalid("count of readings") }
        self.header = header
        self.runs = runs
        self.definitions = definitions
        self.records = records + marks.map { .mark($0) }
        self.contexts = contexts
        self.columns = columns
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

    /// Whether the readings have the names from `table` that their writer gave them. Where its definitions are not those that the writer
    /// had, nothing says which of them is wrong.
    private func isNamed(by table: SeriesTable, _ series: ByteReader) throws(FormatError) -> Bool {
        guard let names = columns.names else { return true }
        var steps = StepReader(series)
        var isUsed = [Bool](repeating: false, count: table.definitions.count)
        var sum: UInt32 = 0
        var isComplete = true
        for _ in 0..<header.readings {
            let index = try steps.next(limit: Limits.series)
            guard index < isUsed.count, table[index] != nil else {
                isComplete = false
                continue
            }
            if isUsed[index] { continue }
            isUsed[index] = true
            sum &+= table.check(of: index)
        }
        // Of a lost definition nothing is known, and the sum proves nothing.
        return !isComplete || sum == names
    }

    /// The readings in order, `nil` for one whose series' definition was lost. `table` must be that of the block's segment.
    package func readings(_ table: SeriesTable) throws(FormatError) -> [Reading?] {
        try readings(table, at: 0..<header.readings)
    }

    /// Those at `places` alone, counted from the block's first, which must lie in the block. Cheaper by what the others cost to build.
    package func readings(_ table: SeriesTable, at places: Range<Int>) throws(FormatError) -> [Reading?] {
        guard !places.isEmpty else { return [] }
        guard let context = columns.context, let series = columns.series, let timePart = columns.times,
            var values = columns.values
        else { throw .truncated }
        guard try isNamed(by: table, series) else { return Array(repeating: nil, count: places.count) }
        var contextSteps = StepReader(context)
        var seriesSteps = StepReader(series)
        var times = try TimeReader(timePart)
        var qualities = QualityReader(columns.qualities)
        var deviceTimes = try DeviceTimeReader(columns.deviceTimes)
        var states = table.definitions.map { SeriesValueState(scale: $0?.scale ?? 0) }
        var readings: [Reading?] = []
        readings.reserveCapacity(places.count)
        for place in 0..<places.upperBound {
            let clock = contexts[try contextSteps.next(limit: contexts.count)]
            let index = try seriesSteps.next(limit: Limits.series)
            while states.count <= index { states.append(SeriesValueState(scale: 0)) }
            let uptime = try times.next()
            guard uptime.magnitude <= ClockContext.mostMicroseconds else { throw .invalid("uptime") }
            let value = try ValueReader.read(from: &values, state: &states[index])
            let quality = try qualities.next()
            let deviceTime = try deviceTimes.next()
            guard place >= places.lowerBound else { continue }
            guard let definition = table[index] else {
                readings.append(nil)
                continue
            }
            let stamp = Stamp(
                boot: clock.boot, uptime: Microseconds(uptime), wallOffset: clock.wallOffset,
                isTrusted: clock.isTrusted)
            readings.append(
                Reading(
                    series: definition.series, stamp: stamp, value: value, quality: quality, deviceTime: deviceTime))
        }
        return readings
    }
}
