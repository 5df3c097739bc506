package import Environment
import LogFormat
import Model
import Replication
import RingLog

/// Reading from this gateway's disk on behalf of the covey.
package struct PeerWork: Sendable {
    enum Purpose: Sendable {
        /// A peer asked for the start of the range, at most `limit` bytes of it.
        case chunk(ReadID, limit: Int)
        /// A receipt is to be checked against what is here.
        case digest
    }

    let purpose: Purpose
    let name: LogName
    let range: Range<Offset>
    let plan: ReadPlan
    let anchors: [ClockAnchor]

    /// Reads what is there, and makes of it what was asked for. Blocks; work and memory are bounded by the plan's limit.
    package func perform(on disk: any Disk) -> PeerWorkResult {
        let read = plan.perform(on: disk)
        let answer: PeerWorkResult.Answer =
            switch purpose {
            case .chunk(let id, let limit): .chunk(id, chunk(of: read, limit: limit))
            case .digest: .digest(name, range, digest(of: read), SendDevices(read.readings))
            }
        return PeerWorkResult(answer: answer, damage: read.damage)
    }

    /// The first unbroken run of what was read, as much of it as fits. What is not there is missing only where the disk has answered.
    private func chunk(of read: ReadResult, limit: Int) -> ChunkOutcome {
        guard read.failure == nil, !read.overwritten else { return .failed }
        guard let first = read.readings.first else {
            let covered = range.lowerBound..<max(min(read.next, range.upperBound), range.lowerBound)
            guard !covered.isEmpty else { return .failed }
            return .chunk(covered: covered, missing: OffsetRanges(covered), bytes: [])
        }
        var run: [Reading] = []
        for stored in read.readings {
            guard stored.offset == first.offset.advanced(by: run.count) else { break }
            run.append(stored.reading)
        }
        let made = LogChunk.encode(name: name, first: first.offset, readings: run, anchors: anchors, limitBytes: limit)
        guard made.count > 0 else { return .failed }
        return .chunk(
            covered: range.lowerBound..<first.offset.advanced(by: made.count),
            missing: OffsetRanges(range.lowerBound..<first.offset), bytes: made.bytes)
    }

    private func digest(of read: ReadResult) -> UInt64? {
        guard read.readings.count == range.lowerBound.distance(to: range.upperBound) else { return nil }
        return read.readings.reduce(into: RunDigest()) { $0.add($1) }.rawValue
    }
}

/// What a ``PeerWork`` found.
package struct PeerWorkResult: Sendable {
    enum Answer: Sendable {
        case chunk(ReadID, ChunkOutcome)
        /// With whose readings they are: should the receipt hold, they are counted for their streams.
        case digest(LogName, Range<Offset>, UInt64?, SendDevices?)
    }

    let answer: Answer
    let damage: [DamagedRange]
}
