package import Model

/// Fills cold blocks: readings go in until it has many, then the first of them become a block in which each series stands by itself, see
/// ``ColdGroups``. What a block takes is known only once it is made, so that it is made again with fewer readings where it got too large, or
/// where a little of its last unit would be used.
package struct ColdBuilder: Sendable {
    package private(set) var dictionary: SeriesDictionary
    private let capacity: Int
    private let geometry: Geometry
    private var definitions: [UInt8] = []
    /// So many of the dictionary's repeats were first written in the block before.
    private var owed: Int
    private var rows: [ColdRow] = []
    private var logs: [LogID] = []
    private var contexts: [ClockContext] = []
    private var texts: [String] = []
    private var textPlaces: [[UInt8]: Int] = [:]
    private var textBytes = 0

    /// A block of the usual 2 bytes per reading is half as large as may be. More would gain a hundredth, and cost memory here and time where a
    /// few readings of a block are wanted.
    package static let mostRows = 16_384
    /// As in a hot block: a clock gone wild ends the block.
    private static let mostContexts = 64
    /// A block that leaves more than this of its last unit free is made again without that unit.
    private static let mostPadding = 256

    package init(dictionary: SeriesDictionary, geometry: Geometry) {
        self.dictionary = dictionary
        self.geometry = geometry
        capacity = geometry.blockBytes
        owed = dictionary.repeats.count
    }

    package var isEmpty: Bool { rows.isEmpty }

    /// Takes a reading that came out of a block, or says that a block must be made first; if there is nothing to make one of, the segment is
    /// full. `room`: bytes left in the segment, its footer's among them. `footerRuns`: runs that it holds already.
    package mutating func add(_ reading: Reading, log: LogID, offset: Offset, room: Int, footerRuns: Int) -> Bool {
        guard rows.count < Self.mostRows, textBytes <= capacity else { return false }
        let context = ClockContext(
            boot: reading.stamp.boot, wallOffset: reading.stamp.wallOffset, isTrusted: reading.stamp.isTrusted)
        guard let context = contextIndex(context),
            let series = dictionary.index(of: reading.series) ?? define(reading.series, room, footerRuns)
        else { return false }
        var row = ColdRow(
            log: logIndex(log), series: Int32(series), context: Int32(context), kind: .number,
            quality: reading.quality.rawValue, offset: offset.rawValue, uptime: reading.stamp.uptime.rawValue, bits: 0,
            deviceTime: reading.deviceTime?.rawValue)
        switch reading.value {
        case .number(let number): row.bits = number.bitPattern
        case .flag(let flag): (row.kind, row.bits) = (.flag, flag ? 1 : 0)
        case .text(let text): (row.kind, row.bits) = (.text, UInt64(place(of: text)))
        }
        rows.append(row)
        return true
    }

    private mutating func contextIndex(_ wanted: ClockContext) -> Int? {
        if let last = rows.last, contexts[Int(last.context)] == wanted { return Int(last.context) }
        if let known = contexts.firstIndex(of: wanted) { return known }
        guard contexts.count < Self.mostContexts else { return nil }
        contexts.append(wanted)
        return contexts.count - 1
    }

    private mutating func logIndex(_ log: LogID) -> Int32 {
        if let last = rows.last, logs[Int(last.log)] == log { return last.log }
        if let known = logs.firstIndex(of: log) { return Int32(known) }
        logs.append(log)
        return Int32(logs.count - 1)
    }

    private mutating func place(of text: String) -> Int {
        let bytes = Array(text.utf8)
        if let known = textPlaces[bytes] { return known }
        textPlaces[bytes] = texts.count
        texts.append(text)
        textBytes += bytes.count
        return texts.count - 1
    }

    /// `nil` where the segment has no room for the definition in block and footer, or this block has enough of them.
    private mutating func define(_ series: Series, _ room: Int, _ footerRuns: Int) -> Int? {
        let most = SeriesDefinition.mostBytes(of: series)
        guard dictionary.room > 0, definitions.count + most <= capacity / 2 else { return nil }
        let block = BlockHeader.bytes + definitions.count + most + 16
        let footer = Footer.mostUnits(
            runs: footerRuns + 1, dictionaryBytes: dictionary.bytes + most, blockBytes: geometry.blockBytes)
        guard (Geometry.units(covering: block) + footer) * Geometry.unit <= room else { return nil }
        // The scale serves hot blocks; here each block says its own.
        let index = dictionary.define(series, scale: 0)
        dictionary.table[index]?.write(to: &definitions, index: index)
        return index
    }

    // MARK: Making a block

    /// A block of the first readings, and of all there are where `isLast` and they fit; `nil` where the segment has no room for one. The
    /// header says everything but what follows from the content.
    package mutating func takeBlock(
        _ header: BlockHeader, store: StoreID, room: Int, footerRuns: Int, isLast: Bool
    ) -> EncodedBlock? {
        var count = rows.count
        var best: (block: Draft, count: Int)?
        // Each turn leaves at least a sixteenth out, or is the last.
        while count > 0 {
            let draft = draft(count)
            let footer = Footer.mostUnits(
                runs: footerRuns + draft.runs.count, dictionaryBytes: dictionary.bytes, blockBytes: geometry.blockBytes)
            let limit = min(capacity, room - footer * Geometry.unit)
            guard draft.size <= limit else {
                guard limit > BlockHeader.bytes else { return nil }
                let part = max(Double(limit) / Double(draft.size), 0.25)
                count = min(Int(Double(count) * part * 0.99), count - max(count / 16, 1))
                continue
            }
            best = (draft, count)
            if !isLast || count < rows.count { best = trimmed(draft, count) }
            break
        }
        guard let (block, taken) = best else { return nil }
        let made = seal(block, taken, header, store)
        drop(taken)
        return made
    }

    /// The same without the readings that would take a little of one more unit; as it is where that cannot be met in two turns.
    private func trimmed(_ draft: Draft, _ count: Int) -> (block: Draft, count: Int) {
        let whole = draft.size / Geometry.unit * Geometry.unit
        guard whole > 0, draft.size > whole, whole + Geometry.unit - draft.size > Self.mostPadding else {
            return (draft, count)
        }
        var best = (draft, count)
        var perReading = Double(draft.size) / Double(count)
        var (size, taken) = (draft.size, count)
        for _ in 0..<2 {
            let change = Int((Double(size - whole) / perReading).rounded(.up)) + 4
            let fewer = min(taken - change, count - 1)
            guard fewer > 0, fewer != taken else { break }
            let next = self.draft(fewer)
            if next.size <= whole, best.0.size > whole || next.size > best.0.size { best = (next, fewer) }
            if whole - next.size >= 0, whole - next.size <= Self.mostPadding { break }
            perReading = max(Double(size - next.size) / Double(taken - fewer), 0.01)
            (size, taken) = (next.size, fewer)
        }
        return best
    }

    /// A block without its header.
    private struct Draft {
        var payload: [UInt8] = []
        var runs: [Run] = []
        var size: Int { BlockHeader.bytes + payload.count }
    }

    private func draft(_ count: Int) -> Draft {
        let sorted = rows[..<count].sorted { ($0.log, $0.offset) < ($1.log, $1.offset) }[...]
        var draft = Draft()
        var context = StepWriter()
        var isUsed = [Bool](repeating: false, count: dictionary.table.definitions.count)
        var names: UInt32 = 0
        for row in sorted {
            context.append(Int(row.context))
            if !isUsed[Int(row.series)] {
                isUsed[Int(row.series)] = true
                names &+= dictionary.table.check(of: Int(row.series)) ?? 0
            }
            let clock = contexts[Int(row.context)]
            let stamp = Stamp(
                boot: clock.boot, uptime: Microseconds(row.uptime), wallOffset: clock.wallOffset,
                isTrusted: clock.isTrusted)
            draft.runs.extend(
                log: logs[Int(row.log)], offset: Offset(row.offset), wall: stamp.wall, isTrusted: stamp.isTrusted)
        }
        context.flush()
        BlockPayload.append(.definitions, definitions + repeated, to: &draft.payload)
        BlockPayload.append(.runs, BlockPayload.runs(draft.runs), to: &draft.payload)
        BlockPayload.append(.contexts, BlockPayload.contexts(contexts), to: &draft.payload)
        BlockPayload.append(.contextColumn, context.bytes, to: &draft.payload)
        let groups = ColdGroups(sorted, devices: devices(sorted))
        BlockPayload.append(.groups, groups.encoded(sorted, texts: texts), to: &draft.payload)
        BlockPayload.append(.names, BlockPayload.names(names), to: &draft.payload)
        return draft
    }

    /// Definitions of the block before once more: a name that is written in two blocks outlives the loss of either.
    private var repeated: [UInt8] {
        var bytes: [UInt8] = []
        for index in dictionary.repeats.prefix(owed) where bytes.count < capacity / 4 {
            dictionary.table[index]?.write(to: &bytes, index: index)
        }
        return bytes
    }

    /// Of each series of the dictionary, a number of its device, where the rows use it.
    private func devices(_ rows: ArraySlice<ColdRow>) -> [Int32] {
        var devices = [Int32](repeating: -1, count: dictionary.table.definitions.count)
        var known: [DeviceID: Int32] = [:]
        for row in rows where devices[Int(row.series)] < 0 {
            guard let device = dictionary.table[Int(row.series)]?.series.device else { continue }
            let number = known[device] ?? Int32(known.count)
            known[device] = number
            devices[Int(row.series)] = number
        }
        return devices
    }

    private func seal(_ draft: Draft, _ count: Int, _ header: BlockHeader, _ store: StoreID) -> EncodedBlock {
        var block = [UInt8](repeating: 0, count: BlockHeader.bytes)
        block.append(contentsOf: draft.payload)
        var header = header
        header.payload = draft.payload.count
        header.units = Geometry.units(covering: block.count)
        header.readings = count
        if let first = draft.runs.first {
            header.first = first.first
            let earliest = draft.runs.reduce(first.earliest) { min($0, $1.earliest) }
            header.times = earliest...draft.runs.reduce(first.latest) { max($0, $1.latest) }
        }
        let used = block.count
        let checksum = header.seal(&block, store: store)
        return EncodedBlock(bytes: block, runs: draft.runs, checksum: checksum, readings: count, used: used)
    }

    /// The first rows are in a block: what the others need stays.
    private mutating func drop(_ count: Int) {
        definitions = []
        dictionary.repeats.removeFirst(owed)
        owed = dictionary.repeats.count
        let left = rows[count...]
        let (oldLogs, oldContexts, oldTexts) = (logs, contexts, texts)
        (logs, contexts, texts, textPlaces, textBytes, rows) = ([], [], [], [:], 0, [])
        rows.reserveCapacity(Self.mostRows)
        for var row in left {
            let clock = oldContexts[Int(row.context)]
            row.log = logIndex(oldLogs[Int(row.log)])
            row.context = Int32(contextIndex(clock) ?? 0)
            if row.kind == .text { row.bits = UInt64(place(of: oldTexts[Int(row.bits)])) }
            rows.append(row)
        }
    }
}
