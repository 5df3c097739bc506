package import Environment
import LogFormat
import Model

/// The readings of one sealed hot segment, to be encoded anew into dense blocks. Performing it reads and computes only; the
/// blocks are written by later commits.
package struct MaintenancePlan: Sendable {
    let store: StoreID
    let geometry: Geometry
    let tables: [Int: SeriesTable]
    let source: Int
    let parts: [(log: LogID, place: BlockPlace, first: UInt64, end: UInt64)]
    let head: Head
    let header: [UInt8]?

    /// Reads, decodes and encodes. Blocks, for some milliseconds per thousand readings at most.
    package func perform(on disk: any Disk) -> MaintenanceResult {
        var reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: tables)
        var work = Work(result: MaintenanceResult(head: head, source: source), plan: self)
        if let header {
            work.result.writes.append(
                BackgroundWrite(
                    segment: head.segment, position: head.segment * geometry.segmentBytes, bytes: header,
                    purpose: .header))
            work.result.head.hasHeader = true
        }
        for part in parts {
            do {
                for (offset, reading) in try reader.readings(of: part.log, part.first, part.end, at: part.place) {
                    guard let reading else {
                        work.note(part.log, offset, offset + 1, part.place, "the series' definition is lost")
                        continue
                    }
                    guard work.add(reading, log: part.log, offset: offset) else { return work.sealed() }
                }
            } catch {
                switch error {
                case .damaged(let reason): work.note(part.log, part.first, part.end, part.place, reason)
                case .disk(let failure), .unread(let failure): work.result.failure = failure
                case .overwritten: break
                }
            }
        }
        while work.builder?.isEmpty == false {
            guard work.finishBlock(isLast: true) else { return work.sealed() }
        }
        return work.result
    }

    private struct Work {
        var result: MaintenanceResult
        let plan: MaintenancePlan
        var builder: ColdBuilder?

        /// Whether there was room in the segment.
        mutating func add(_ reading: Reading, log: LogID, offset: UInt64) -> Bool {
            if builder == nil { builder = ColdBuilder(dictionary: result.head.dictionary, geometry: plan.geometry) }
            let geometry = plan.geometry
            // In its place: a builder is large, and taking it out and putting it back cost a third of a merge.
            while builder?.add(
                reading, log: log, offset: Offset(offset), room: result.head.room(geometry),
                footerRuns: result.head.runs)
                != true
            {
                guard finishBlock(isLast: false) else { return false }
            }
            return true
        }

        /// Makes a block of the first readings that wait for one. Whether there was room in the segment.
        mutating func finishBlock(isLast: Bool) -> Bool {
            guard var current = builder, !current.isEmpty else { return false }
            builder = nil
            let made = result.head.take(&current, isLast: isLast, store: plan.store, geometry: plan.geometry)
            builder = current
            guard let (unit, block) = made else { return false }
            result.head.blocks.append(BlockEntry(unit: unit, units: block.units, runs: block.runs))
            result.writes.append(
                BackgroundWrite(
                    segment: result.head.segment,
                    position: result.head.segment * plan.geometry.segmentBytes + unit * Geometry.unit,
                    bytes: block.bytes,
                    purpose: .merged(unit: unit, units: block.units, runs: block.runs, source: plan.source)))
            return true
        }

        /// The segment is full: its footer follows.
        mutating func sealed() -> MaintenanceResult {
            let head = result.head
            let footer = Footer(blocks: head.blocks, table: head.dictionary.table).encoded(
                store: plan.store, generation: head.generation, geometry: plan.geometry)
            precondition(
                footer.position >= head.unit * Geometry.unit,
                "a footer from \(footer.position) on would overwrite blocks up to unit \(head.unit)")
            result.writes.append(
                BackgroundWrite(
                    segment: head.segment, position: head.segment * plan.geometry.segmentBytes + footer.position,
                    bytes: footer.bytes, purpose: .footer))
            result.sealsCold = true
            return result
        }

        mutating func note(_ log: LogID, _ first: UInt64, _ end: UInt64, _ place: BlockPlace, _ reason: String) {
            result.damage.append(DamagedRange(log, first, end, at: place, reason))
        }
    }
}

/// What performing a ``MaintenancePlan`` gave; hand it to ``RingLog/finished(_:)``.
package struct MaintenanceResult: Sendable {
    var head: Head
    let source: Int
    var writes: [BackgroundWrite] = []
    var damage: [DamagedRange] = []
    var sealsCold = false
    var failure: DiskError?

    init(head: Head, source: Int) {
        self.head = head
        self.source = source
    }
}

extension RingLog {
    /// The next piece of background work, to be performed on any thread while commits go on. `nil` while one is outstanding or
    /// its blocks are not yet durable, and where there is nothing to merge.
    package mutating func maintenance() -> MaintenancePlan? {
        guard !isReadOnly, !background.isBusy, health.failuresInRow == 0 else { return nil }
        let kept = keptFrom
        guard
            let source = segments.indices.filter({ canMerge($0, keptFrom: kept) })
                .min(by: { segments[$0].generation < segments[$1].generation })
        else { return nil }
        if cold == nil {
            // The last usable segment stays with the commits.
            guard usable > 1, let next = takeFree(kind: .cold) else { return nil }
            cold = Head(segment: next, generation: segments[next].generation)
        }
        guard let cold else { return nil }
        var parts: [(log: LogID, place: BlockPlace, first: UInt64, end: UInt64)] = []
        for log in logOrder {
            for entry in indexes[log]?.entries ?? [] where Int(entry.segment) == source {
                parts.append((log, place(of: entry), entry.first, entry.end))
            }
        }
        parts.sort { ($0.place.unit, $0.first) < ($1.place.unit, $1.first) }
        background.isMerging = true
        background.source = source
        return MaintenancePlan(
            store: store, geometry: options.geometry, tables: table(of: source).map { [source: $0] } ?? [:],
            source: source, parts: parts, head: cold,
            header: cold.hasHeader ? nil : header(for: cold, kind: .cold).encoded())
    }

    /// Takes the result of the outstanding maintenance plan in; its blocks ride in the next commits.
    package mutating func finished(_ result: MaintenanceResult) -> [RingEvent] {
        precondition(background.isMerging, "a maintenance result without a plan")
        background = Background()
        if result.failure != nil { segments[result.source].cannotMerge = true }
        let merged = result.writes.contains { if case .merged = $0.purpose { true } else { false } }
        // A cold segment without room for one more reading is sealed; one without any merged block is left as it was.
        if let cold, cold.segment == result.head.segment, merged || result.sealsCold {
            background.queue = result.writes
            background.headAfter = result.head
            background.sealsCold = result.sealsCold
            background.source = result.source
        }
        return noteDamage(result.damage)
    }
}
