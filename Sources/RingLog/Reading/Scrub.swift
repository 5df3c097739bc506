package import Environment
import LogFormat
package import Model

/// All readings that one segment is said to hold, to be read and checked where they lie, on any thread.
package struct ScrubPlan: Hashable, Sendable {
    struct Part: Hashable, Sendable {
        let log: LogID
        let place: BlockPlace
        let first: UInt64
        let end: UInt64

        func range(_ range: Range<UInt64>, _ reason: String) -> DamagedRange {
            DamagedRange(log, range.lowerBound, range.upperBound, at: place, reason)
        }
    }

    let store: StoreID
    let geometry: Geometry
    package let segment: Int
    let generation: UInt64
    /// In the order of the places.
    let parts: [Part]

    /// Reads, checks and decodes; gives every reading that is there. Blocks.
    package func perform(on disk: any Disk, _ body: (StoredReading) -> Void = { _ in }) -> ScrubResult {
        // With what the disk says of names, not with what is remembered: a definition that is lost must show.
        var reader = SegmentReader(disk: disk, store: store, geometry: geometry, tables: [:])
        var result = ScrubResult(segment: segment)
        var last: BlockPlace?
        for part in parts {
            if part.place != last {
                last = part.place
                result.bytes += part.place.units * Geometry.unit
            }
            do throws(ReadFailure) {
                let found = try reader.readings(of: part.log, part.first, part.end, at: part.place)
                guard found.count == Int(part.end - part.first) else {
                    throw .damaged("readings are missing in a block")
                }
                for (offset, reading) in found {
                    guard let reading else {
                        result.note(part, offset..<offset + 1, "the series' definition is lost")
                        continue
                    }
                    result.readings += 1
                    body(StoredReading(log: part.log, offset: Offset(offset), reading: reading))
                }
            } catch {
                switch error {
                case .damaged(let reason): result.note(part, part.first..<part.end, reason)
                case .disk(let failure): result.failure = failure
                case .unread(let failure):
                    result.unread.append(part.range(part.first..<part.end, "the disk does not give it: \(failure)"))
                // Used anew since: whoever wrote it checks it in its time.
                case .overwritten: return result
                }
            }
        }
        return result
    }
}

/// What a ``ScrubPlan`` found.
package struct ScrubResult: Sendable {
    package let segment: Int
    /// Bytes of blocks that were read.
    package internal(set) var bytes = 0
    /// Readings that are there.
    package internal(set) var readings = 0
    /// For ``RingLog/noteDamage(_:)``.
    package internal(set) var damage: [DamagedRange] = []
    /// For ``RingLog/noteUnread(_:now:)``.
    package internal(set) var unread: [DamagedRange] = []
    /// The disk did not answer for some blocks, which says nothing about what is stored.
    package internal(set) var failure: DiskError?

    init(segment: Int) {
        self.segment = segment
    }

    fileprivate mutating func note(_ part: ScrubPlan.Part, _ range: Range<UInt64>, _ reason: String) {
        damage.append(part.range(range, reason))
    }
}

extension RingLog {
    /// Segments that can be scrubbed, from 0 up to this.
    package var segmentCount: Int { segments.count }

    /// The check of one segment; `nil` where it holds no readings, which is told at once. Else walks over the whole index.
    package func scrubPlan(of segment: Int) -> ScrubPlan? {
        guard segments[segment].held > 0 else { return nil }
        var parts: [ScrubPlan.Part] = []
        for log in logOrder {
            for entry in indexes[log]?.entries ?? [] where Int(entry.segment) == segment {
                parts.append(ScrubPlan.Part(log: log, place: place(of: entry), first: entry.first, end: entry.end))
            }
        }
        guard !parts.isEmpty else { return nil }
        return ScrubPlan(
            store: store, geometry: options.geometry, segment: segment, generation: segments[segment].generation,
            parts: parts.sorted { ($0.place.unit, $0.first) < ($1.place.unit, $1.first) })
    }

    /// One check for each segment that holds readings, in the order of the segments.
    package var scrubPlans: [ScrubPlan] { segments.indices.compactMap { scrubPlan(of: $0) } }
}
