import LogFormat
import Model

extension RingLog {
    /// Ready segments aimed at: one for each kind, and one to spare. Zero-filling goes on until there are so many.
    private static let readySegments = 3

    var hasBackgroundWork: Bool {
        health.failuresInRow == 0 && (!background.queue.isEmpty || blankToFill != nil)
    }

    /// The never used segment that is zero-filled next, where there are too few ready ones. A segment's first use is the
    /// slow one: the file system must be told of every page.
    private var blankToFill: Int? {
        guard segments.count(where: { $0.state == .free }) < Self.readySegments else { return nil }
        return segments.indices.first { if case .blank = segments[$0].state { true } else { false } }
    }

    /// Merged blocks first, else a slice of zeros; nothing while commits fail.
    mutating func takeBackground() -> [BackgroundWrite] {
        guard health.failuresInRow == 0 else { return [] }
        var taken: [BackgroundWrite] = []
        var bytes = 0
        while let next = background.queue.first, taken.isEmpty || bytes + next.bytes.count <= options.backgroundBytes {
            if case .footer = next.purpose, !taken.isEmpty { break }
            bytes += next.bytes.count
            taken.append(background.queue.removeFirst())
            background.hasWritten = true
        }
        guard taken.isEmpty, let blank = blankToFill, case .blank(let zeroed) = segments[blank].state else {
            return taken
        }
        let most = max(options.backgroundBytes / Geometry.unit, 1)
        let units = min(most, options.geometry.segmentUnits - zeroed)
        return [
            BackgroundWrite(
                segment: blank, position: segmentStart(blank) + zeroed * Geometry.unit,
                bytes: [UInt8](repeating: 0, count: units * Geometry.unit), purpose: .zeros(upTo: zeroed + units))
        ]
    }

    /// A background write has become durable.
    mutating func settle(_ write: BackgroundWrite) {
        switch write.purpose {
        case .header, .footer: break
        case .zeros(let unit):
            guard case .blank = segments[write.segment].state else { return }
            segments[write.segment].state = unit == options.geometry.segmentUnits ? .free : .blank(zeroed: unit)
        case .merged(let unit, let units, let runs, let source):
            for run in runs { replace(run, segment: write.segment, unit: unit, units: units, source: source) }
        }
    }

    /// Points the index to the merged copy, where it still points to the source: what has been evicted or found damaged
    /// meanwhile stays so.
    private mutating func replace(_ run: Run, segment: Int, unit: Int, units: Int, source: Int) {
        let entry = IndexEntry(run, segment: segment, unit: unit, units: units)
        let taken = indexes[run.log]?.remove(entry.first, entry.end, segment: UInt16(source)) ?? []
        var start = 0
        while start < taken.count {
            var stop = start + 1
            while stop < taken.count, taken[stop].first == taken[stop - 1].end { stop += 1 }
            let part = entry.clipped(taken[start].first, taken[stop - 1].end)
            let added = indexes[run.log]?.insert(part) ?? 0
            segments[segment].held += added
            segments[source].held -= added
            counters.mergedReadings += added
            start = stop
        }
    }
}
