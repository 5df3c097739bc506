package import Environment
import LogFormat
import Model

extension RingLog {
    /// Whether ``cut(now:using:)`` would find something to write.
    package var hasWork: Bool {
        !isReadOnly && inFlight == nil
            && (hasContent || hasBackgroundWork)
    }

    /// The last plan failed, or only showed that the disk answers again: the next cut is worth trying at once.
    package var isRetrying: Bool { health.failuresInRow > 0 && health.retryAt == nil }

    /// Whether a small record has changed and is in no plan yet.
    package var hasUncutRecords: Bool { records.hasDirty }

    /// While commits are given up, when to try again.
    package var retryAt: MonotonicInstant? { health.retryAt }

    /// Readings or small records that no plan has taken yet.
    private var hasContent: Bool {
        !waiting.isEmpty || !copyQueue.isEmpty || records.hasDirty || !records.snapshot.isEmpty
    }

    /// Puts the next commit together: at most one block, and background work beside it. `nil` while a plan is outstanding,
    /// while pausing after failures, and where there is nothing to do or no place to do it.
    package mutating func cut(
        now: MonotonicInstant, using random: inout some RandomNumberGenerator
    ) -> WritePlan? {
        guard hasWork, health.retryAt.map({ now >= $0 }) ?? true else { return nil }
        if !waiting.isEmpty, currentLog == nil { mintLog(using: &random) }
        if health.isInDoubt, let segment = probed { return probe(segment) }
        keepRoom()
        let before = (hot: hot, segments: segments)
        var writes: [(position: Int, bytes: [UInt8])] = []
        var content = Content()
        if hasContent {
            guard let made = commitBlock(&writes, now: now) else { return nil }
            content = made
        }
        let background = takeBackground()
        for write in background { writes.append((write.position, write.bytes)) }
        guard !writes.isEmpty else { return nil }
        return send(writes, content, background, before: before)
    }

    /// What one commit's block took, and what had to be opened for it.
    struct Content {
        var block: (unit: Int, block: EncodedBlock)?
        var items: [Waiting.Item] = []
        var copies: [WaitingCopies.Item] = []
        var taken = RecordBook.Taken()
        var endsSnapshot = false
        var hasRolled = false
    }

    private mutating func mintLog(using random: inout some RandomNumberGenerator) {
        var log = LogID(using: &random)
        while indexes[log] != nil { log = LogID(using: &random) }
        currentLog = log
        logOrder.append(log)
        indexes[log] = LogIndex()
        indexes[log]?.isClosed = false
        indexes[log]?.origin = .own
        for known in logOrder.filter({ indexes[$0]?.origin == .own }).suffix(2) {
            guard let index = indexes[known] else { continue }
            let record = LogRecord(log: known, end: Offset(index.end), isClosed: index.isClosed)
            records.dirty.append(.log(record))
        }
    }

    private mutating func send(
        _ writes: [(position: Int, bytes: [UInt8])], _ content: Content, _ background: [BackgroundWrite],
        before: (hot: Head?, segments: [Segment])
    ) -> WritePlan {
        // What leaves may be overwritten once every record of it is durable, which it is when none is left behind.
        let frees = records.dirty.isEmpty ? segments.indices.filter { segments[$0].state == .leaving } : []
        var touches: Set<Int> = Set(background.map { $0.segment })
        if content.block != nil || content.hasRolled, let hot { touches.insert(hot.segment) }
        let plan = WritePlan(
            id: newPlanID(), writes: writes, readings: content.items.reduce(0) { $0 + $1.readings.count },
            blockBytes: content.block?.block.bytes.count ?? 0, home: health.memoryOnly == nil ? nil : home)
        inFlight = InFlight(
            id: plan.id, block: content.block, items: content.items, copies: content.copies, taken: content.taken,
            endsSnapshot: content.endsSnapshot, background: background, frees: frees, version: records.cutVersion,
            touches: touches.sorted(), hotBefore: before.hot, segmentsBefore: before.segments,
            hasRolled: content.hasRolled, bytes: plan.bytes)
        return plan
    }

    /// The segment that the medium is tried in: one where nothing is open and no footer counts.
    private var probed: Int? {
        let unused = segments.indices.filter { segments[$0].state.isUnused }
        let retired = segments.indices.filter { segments[$0].state == .retired }
        let candidates = unused + retired
        return candidates.isEmpty ? nil : candidates[health.probes % candidates.count]
    }

    /// A write and a sync that matter to nobody: zeros in the last unit of a segment, where only a footer could have been.
    private mutating func probe(_ segment: Int) -> WritePlan {
        let place = segmentStart(segment) + options.geometry.segmentBytes - Geometry.unit
        let plan = WritePlan(
            id: newPlanID(), writes: [(place, [UInt8](repeating: 0, count: Geometry.unit))], readings: 0, blockBytes: 0,
            home: home)
        inFlight = InFlight(
            id: plan.id, block: nil, items: [], copies: [], taken: RecordBook.Taken(), endsSnapshot: false,
            background: [], frees: [], version: 0, touches: [], hotBefore: hot, segmentsBefore: [], hasRolled: false,
            bytes: plan.bytes, isProbe: true)
        return plan
    }

    /// Builds the block in the open segment, or in the next one where it does not fit; `nil` where there is no place.
    private mutating func commitBlock(
        _ writes: inout [(position: Int, bytes: [UInt8])], now: MonotonicInstant
    ) -> Content? {
        var content = Content()
        if hot == nil {
            guard roll(&writes, now: now) else { return nil }
            content.hasRolled = true
        }
        if isBlank, let head = hot {
            writes.append((segmentStart(head.segment), header(for: head, kind: .hot).encoded()))
            hot?.hasHeader = true
            return content
        }
        if fillBlock(&content, &writes, spare: 1) { return content }
        if canRoll {
            guard !content.hasRolled, roll(&writes, now: now) else { return nil }
            content.hasRolled = true
            return fillBlock(&content, &writes, spare: 1) ? content : nil
        }
        // Nothing is free before the record of what leaves is durable: that is what the spare unit is kept for.
        if !records.dirty.isEmpty, fillBlock(&content, &writes, spare: 0, recordsOnly: true) { return content }
        if options.retention.mayDrop, !segments.contains(where: { $0.state == .leaving }) {
            enterMemoryOnly("no usable segment is left", now: now)
        }
        return nil
    }

    /// Whether everything fit that had to; else nothing has been taken.
    private mutating func fillBlock(
        _ content: inout Content, _ writes: inout [(position: Int, bytes: [UInt8])], spare: Int,
        recordsOnly: Bool = false
    ) -> Bool {
        guard var head = hot else { return false }
        let geometry = options.geometry
        guard head.room(geometry) >= (spare + 2) * Geometry.unit else { return false }
        var builder = head.builder(geometry, spare: spare)
        var items: [Waiting.Item] = []
        let mustFit = !recordsOnly && !waiting.isEmpty
        // A large entry may not fit beside records; it then goes first, and the records take what it leaves.
        var taken = records.fill(&builder, share: mustFit ? 0.5 : 1)
        takeEntries(&builder, &items, recordsOnly)
        if mustFit, items.isEmpty {
            records.putBack(taken, snapshotToo: true)
            builder = head.builder(geometry, spare: spare)
            takeEntries(&builder, &items, recordsOnly)
            guard !items.isEmpty else { return false }
            taken = records.fill(&builder, share: 1)
        }
        if waiting.isEmpty, !recordsOnly { takeCopies(&builder, &content.copies) }
        guard !builder.isEmpty else { return false }
        content.endsSnapshot = records.snapshotIsComplete
        if content.endsSnapshot { records.snapshotIsOpen = false }
        if !head.hasHeader {
            writes.append((segmentStart(head.segment), header(for: head, kind: .hot).encoded()))
            head.hasHeader = true
        }
        let place = head.take(builder, endsSnapshot: content.endsSnapshot, store: store)
        writes.append((segmentStart(head.segment) + place.unit * Geometry.unit, place.block.bytes))
        content.block = place
        content.items = items
        content.taken = taken
        hot = head
        return true
    }

    private mutating func takeEntries(
        _ builder: inout BlockBuilder, _ items: inout [Waiting.Item], _ recordsOnly: Bool
    ) {
        guard !recordsOnly, let currentLog else { return }
        while let item = waiting.first,
            builder.add(item.readings, log: currentLog, first: item.first, mark: item.mark)
        {
            items.append(waiting.removeFirst())
        }
    }

    /// Seals the open segment and opens another, writing both as part of the plan. `false` where none is usable.
    private mutating func roll(
        _ writes: inout [(position: Int, bytes: [UInt8])], now: MonotonicInstant
    ) -> Bool {
        guard let next = takeFree(kind: .hot) else {
            if options.retention.mayDrop { enterMemoryOnly("no usable segment is left", now: now) }
            return false
        }
        if let old = hot {
            let footer = Footer(blocks: old.blocks, table: old.dictionary.table).encoded(
                store: store, generation: old.generation, geometry: options.geometry)
            precondition(
                footer.position >= old.unit * Geometry.unit,
                "a footer from \(footer.position) on would overwrite blocks up to unit \(old.unit)")
            writes.append((segmentStart(old.segment) + footer.position, footer.bytes))
            segments[old.segment].state = .sealed
            keepTable(old.segment, old.generation, old.dictionary.table)
        }
        forgetFinishedLogs()
        forgetFinishedCopies()
        census = nil
        hot = Head(segment: next, generation: segments[next].generation)
        startSnapshot()
        return true
    }

    func header(for head: Head, kind: SegmentKind) -> SegmentHeader {
        SegmentHeader(
            store: store, kind: kind, generation: head.generation, index: head.segment, segments: segments.count,
            geometry: options.geometry, log: currentLog ?? LogID(0), next: nextOffset,
            mayHoldCopies: hasCopies, mayHoldGroups: kind == .cold, mayHoldPacked: kind == .hot)
    }

    func segmentStart(_ segment: Int) -> Int { segment * options.geometry.segmentBytes }

    mutating func startSnapshot() {
        var logRecords: [LogRecord] = []
        var gaps: [Gap] = []
        for log in logOrder {
            guard let index = indexes[log] else { continue }
            gaps.append(contentsOf: index.gaps)
            // What has no name is not given one here: its blocks may still say it.
            guard index.origin != .unknown else { continue }
            let end = log == currentLog ? durableEnd.rawValue : index.end
            let isClosed = index.origin == .own && index.isClosed
            logRecords.append(
                LogRecord(log: log, end: Offset(end), isClosed: isClosed, node: index.origin.node))
        }
        records.startSnapshot(logs: logRecords, gaps: gaps, anchors: clocks.anchors)
    }

    /// Logs that hold nothing any more are forgotten, but for the newest of them.
    private mutating func forgetFinishedLogs() {
        let finished = logOrder.filter { log in
            log != currentLog && (indexes[log].map { $0.origin == .own && $0.entries.isEmpty } ?? true)
        }
        forget(finished.dropLast(Self.finishedLogsKept))
    }

    /// The same for logs of others. As many are remembered as ever were, up to the limit: see the table of recovery.
    private mutating func forgetFinishedCopies() {
        let finished = logOrder.filter { log in
            guard let index = indexes[log], index.origin != .own else { return false }
            return index.entries.isEmpty && !copyQueue.contains(log)
        }
        forget(finished.dropLast(Self.finishedCopiesKept))
    }

    private mutating func forget(_ logs: ArraySlice<LogID>) {
        guard !logs.isEmpty else { return }
        let gone = Set(logs)
        logOrder.removeAll { gone.contains($0) }
        for log in logs { indexes[log] = nil }
    }

    mutating func keepTable(_ segment: Int, _ generation: UInt64, _ table: SeriesTable) {
        tables.removeAll { $0.segment == segment }
        tables.append((segment, generation, table))
        if tables.count > Self.tablesKept { tables.removeFirst() }
    }

    /// Commits are given up for now, because there is no place or, from the start on, no disk to write to; that is tried again soon, as after
    /// any failure.
    package mutating func enterMemoryOnly(_ reason: String, now: MonotonicInstant) {
        if health.memoryOnly == nil {
            health.memoryOnly = reason
            pendingEvents.append(.memoryOnly(reason: reason))
        }
        health.failuresInRow += 1
        health.retryAt = now.advanced(by: health.pause)
    }
}
