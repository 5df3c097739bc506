package import Environment
package import LogFormat
package import Model

/// A range of one log to be read, on any thread.
package struct ReadPlan: Sendable {
    let store: StoreID
    let geometry: Geometry
    let tables: [Int: SeriesTable]
    let log: LogID
    let parts: [(place: BlockPlace, first: UInt64, end: UInt64)]
    let gaps: [Gap]
    let limit: Int
    /// Where the plan ends, had it no limit.
    let end: Offset

    /// Whether there is nothing to read.
    package var isEmpty: Bool { parts.isEmpty }

    /// Reads and decodes. Blocks. Work and memory are bounded by the plan's limit.
    package func perform(on disk: any Disk) -> ReadResult {
        var reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: tables)
        var result = ReadResult(readings: [], gaps: gaps, damage: [], overwritten: false, failure: nil, next: end)
        for (place, first, end) in parts {
            do {
                let found = try reader.readings(of: log, first, end, at: place)
                guard found.count == Int(end - first) else {
                    throw ReadFailure.damaged("readings are missing in a block")
                }
                for (offset, reading) in found {
                    if result.readings.count >= limit {
                        result.next = Offset(offset)
                        return result
                    }
                    guard let reading else {
                        result.note(log, offset, offset + 1, place, "the series' definition is lost")
                        continue
                    }
                    result.readings.append(StoredReading(log: log, offset: Offset(offset), reading: reading))
                }
            } catch {
                switch error as? ReadFailure {
                case .damaged(let reason)?: result.note(log, first, end, place, reason)
                case .disk(let failure)?:
                    result.failure = failure
                    result.next = Offset(first)
                    return result
                case .unread(let failure)?:
                    result.failure = failure
                    let reason = "the disk does not give it: \(failure)"
                    result.unread.append(DamagedRange(log, first, end, at: place, reason))
                    result.next = Offset(first)
                    return result
                case .overwritten?, nil:
                    result.overwritten = true
                    result.next = Offset(first)
                    return result
                }
            }
        }
        return result
    }
}

/// What a ``ReadPlan`` found.
package struct ReadResult: Sendable {
    /// Ascending by offset; contiguous but for gaps and damage, and for what a copy never had.
    package internal(set) var readings: [StoredReading]
    /// Known gaps that touch the range.
    package let gaps: [Gap]
    /// For ``RingLog/noteDamage(_:)``.
    package internal(set) var damage: [DamagedRange]
    /// For ``RingLog/noteUnread(_:now:)``: at most one.
    package internal(set) var unread: [DamagedRange] = []
    /// Part of the range has been overwritten meanwhile: ask for a new plan from ``next`` on.
    package internal(set) var overwritten: Bool
    /// The disk did not answer; try again later from ``next`` on.
    package internal(set) var failure: DiskError?
    /// Where to go on.
    package internal(set) var next: Offset

    mutating func note(_ log: LogID, _ first: UInt64, _ end: UInt64, _ place: BlockPlace, _ reason: String) {
        damage.append(DamagedRange(log, first, end, at: place, reason))
    }
}

extension RingLog {
    /// Durable readings of `log` in `range`, at most `limit` of them.
    package func readPlan(log: LogID, range: Range<Offset>, limit: Int) -> ReadPlan {
        let (lower, upper) = (range.lowerBound.rawValue, range.upperBound.rawValue)
        var parts: [(place: BlockPlace, first: UInt64, end: UInt64)] = []
        var count = 0
        var end = range.upperBound
        var known: [Int: SeriesTable] = [:]
        for entry in indexes[log]?.overlapping(lower, upper) ?? [] {
            let part = entry.clipped(lower, upper)
            parts.append((place(of: entry), part.first, part.end))
            known[Int(entry.segment)] = table(of: Int(entry.segment))
            count += Int(part.count)
            if count >= limit {
                end = Offset(part.end)
                break
            }
        }
        let gaps = (indexes[log]?.gaps ?? []).filter { $0.range.overlaps(range) }
        return ReadPlan(
            store: store, geometry: options.geometry, tables: known, log: log, parts: parts, gaps: gaps, limit: limit,
            end: end)
    }

    func place(of entry: IndexEntry) -> BlockPlace {
        BlockPlace(
            segment: Int(entry.segment), generation: segments[Int(entry.segment)].generation, unit: Int(entry.unit),
            units: Int(entry.units))
    }

    /// The dictionary of a segment, where it is in RAM.
    func table(of segment: Int) -> SeriesTable? {
        if let hot, hot.segment == segment { return hot.dictionary.table }
        if let cold, cold.segment == segment { return (background.headAfter ?? cold).dictionary.table }
        return tables.first { $0.segment == segment && $0.generation == segments[segment].generation }?.table
    }
}
