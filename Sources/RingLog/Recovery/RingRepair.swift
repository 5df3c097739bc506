package import Environment
import LogFormat
import Model

// What a repair finds, and what it does about it. Where nothing of the first three rows is found, not a byte is written.
//
// | what is found                             | what is done                                                          |
// |-------------------------------------------|-----------------------------------------------------------------------|
// | readings that cannot be read              | a gap of the kind damaged, durable: the next start knows it           |
// | a place that the disk does not give       | asked for again a minute later, and then as above                     |
// | one of the two copies of a header spoiled | written anew, from the other                                          |
// | a block, a footer or a whole header       | passed over, until the segment is used anew                           |
// | a last write that was cut off             | nothing: the next commit goes over it, or into another segment        |

/// Repairs the ring of a gateway that does not run: opens it as a start does, reads every segment in full, and writes down what is gone, by the
/// ring's own commits. Whoever calls it keeps the gateway off. Its calls block.
///
/// What it commits are records alone, so that no log gets an id and the next start finds none that it would have to upload. Nobody here
/// knows what the sinks have; so nothing that is pending is given up for room.
package struct RingRepair {
    package private(set) var ring: RingLog
    /// What opening it found.
    package let report: RecoveryReport
    /// Segments of which the disk did not give something when they were looked at: for ``lookAgain(now:)`` after ``patience``.
    package private(set) var notGiven: [Int] = []
    /// Since it was opened.
    package private(set) var bytesWritten = 0
    /// Segments whose spoiled copy of the header was written anew.
    package private(set) var mendedHeaders: [Int] = []
    /// Readings that are gone and that no record on the disk told of.
    package private(set) var newlyLost: Int
    private let disk: any Disk

    /// How long a place that the disk did not give is left alone: a little longer than the ring's patience with such places.
    package static let patience = Duration.seconds(61)

    /// Writes nothing. Throws as ``RingLog/open(disk:options:using:)`` does.
    package init(
        disk: any Disk, options: RingOptions, using random: inout some RandomNumberGenerator
    ) throws(RingError) {
        var options = options
        options.retention = .rejectNew
        // To get segments ready is for whoever fills them.
        options.backgroundBytes = 0
        (ring, report) = try RingLog.open(disk: disk, options: options, using: &random)
        self.disk = disk
        newlyLost = report.damagedReadings
        // What lies in memory says nothing about the card.
        disk.dropCache()
    }

    /// Reads one of ``RingLog/segmentChecks`` of ``ring``. What of it is lost is in a gap from now on, and is written down by ``record(now:using:)``.
    ///
    /// - Returns: What the segment shows; as losses what readers cannot get, and not what the disk may yet give.
    /// - Throws: What the disk says where a header cannot be written anew.
    package mutating func look(at plan: SegmentCheckPlan, now: MonotonicInstant) throws(DiskError) -> SegmentCheck {
        var check = plan.perform(on: disk)
        guard check.isDamaged else { return check }
        if check.faults.contains(where: { $0.unit == 0 }) { try mendHeader(of: check.segment) }
        let (losses, isGiven) = scrub(check.segment, now: now)
        check.losses = losses
        if !isGiven { notGiven.append(check.segment) }
        return check
    }

    /// Asks once more for what the disk did not give. What it does not give now is lost, where it gives what lies elsewhere.
    ///
    /// - Returns: What is lost by that.
    package mutating func lookAgain(now: MonotonicInstant) -> [SegmentCheck.Loss] {
        let segments = notGiven
        notGiven = []
        var found: [SegmentCheck.Loss] = []
        for segment in segments {
            let (losses, isGiven) = scrub(segment, now: now)
            found += losses
            if losses.isEmpty, !isGiven { notGiven.append(segment) }
        }
        return found
    }

    /// Reads block by block, as every reader of the ring does, and takes what cannot be read for lost.
    private mutating func scrub(
        _ segment: Int, now: MonotonicInstant
    ) -> (losses: [SegmentCheck.Loss], isGiven: Bool) {
        guard let plan = ring.scrubPlan(of: segment) else { return ([], true) }
        let result = plan.perform(on: disk)
        var losses: [SegmentCheck.Loss] = []
        for event in ring.noteDamage(result.damage) + ring.noteUnread(result.unread, now: now) {
            guard case .damaged(let log, let range, _) = event else { continue }
            newlyLost += range.lowerBound.distance(to: range.upperBound)
            if let last = losses.last, last.log == log, last.range.upperBound == range.lowerBound {
                losses[losses.count - 1] = .init(log: log, range: last.range.lowerBound..<range.upperBound)
            } else {
                losses.append(.init(log: log, range: range))
            }
        }
        return (losses, result.unread.isEmpty && result.failure == nil)
    }

    /// Where one copy is whole: they are a unit each, so that a power cut in the middle costs at most the one that is spoiled.
    private mutating func mendHeader(of segment: Int) throws(DiskError) {
        let start = ring.segmentStart(segment)
        guard let bytes = try? disk.read(at: start, count: Geometry.headerBytes),
            case .found(let header, spoiled: 1) = SegmentHeaderState.read(bytes), header.store == ring.store,
            header.index == segment, header.generation == ring.segments[segment].generation
        else { return }
        let whole = header.encoded()
        let copies = [0..<Geometry.unit, Geometry.unit..<Geometry.headerBytes]
        let spoiled = copies.filter { bytes[$0] != whole[$0] }
        // What another version wrote in other words stays as it is.
        guard spoiled.count == 1 else { return }
        try disk.write(Array(whole[spoiled[0]]), at: start + spoiled[0].lowerBound)
        try disk.sync()
        bytesWritten += Geometry.unit
        mendedHeaders.append(segment)
    }

    /// Makes durable what is gone, where no record told of it.
    ///
    /// - Throws: ``RingError/disk(_:)``, or ``RingError/ringFull`` where there is no room for a record; the next start then finds the same damage.
    package mutating func record(now: MonotonicInstant, using random: inout some RandomNumberGenerator)
        throws(RingError)
    {
        guard newlyLost > 0 else { return }
        var failure: DiskError?
        // A new segment repeats all records: until those are in it, an older one has to be read for them.
        while ring.hasUncutRecords || ring.records.snapshotIsOpen {
            guard let plan = ring.cut(now: now, using: &random) else {
                throw failure.map { .disk($0) } ?? .ringFull
            }
            let result = plan.perform(on: disk)
            _ = ring.finished(plan.id, result, now: now)
            switch result {
            case .success: bytesWritten += plan.bytes
            case .failure(let error): failure = error
            }
        }
    }
}
