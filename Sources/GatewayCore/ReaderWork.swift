package import Environment
import LogFormat
import Model
import Replication
import RingLog

/// Reading from this gateway's disk: on behalf of the covey, to see whether it still has what it took, or before readings go.
package struct ReaderWork: Sendable {
    enum Purpose: Sendable {
        /// A peer asked for the start of the range, at most `limit` bytes of it.
        case chunk(ReadID, limit: Int)
        /// A receipt is to be checked against what is here.
        case digest
    }

    private enum Task: Sendable {
        case range(RangeRead)
        case page(PageRead)
        case scrub(ScrubPlan)
        case downsample(DownsamplingRead)
    }

    private let task: Task

    init(_ read: RangeRead) { task = .range(read) }
    init(_ read: PageRead) { task = .page(read) }
    init(_ plan: ScrubPlan) { task = .scrub(plan) }
    init(_ read: DownsamplingRead) { task = .downsample(read) }

    /// Reads what is there, and makes of it what was asked for. Blocks; work and memory are bounded by the plan's limit.
    package func perform(on disk: any Disk) -> ReaderResult {
        switch task {
        case .range(let read): return read.perform(on: disk)
        case .page(let read):
            let (outcome, damage) = read.perform(on: disk)
            return ReaderResult(answer: .page(read.asked, outcome), damage: damage)
        case .scrub(let plan):
            let result = plan.perform(on: disk)
            return ReaderResult(answer: .scrub(result), damage: result.damage, unread: result.unread)
        case .downsample(let read): return read.perform(on: disk)
        }
    }
}

/// Reads a range of one log.
struct RangeRead: Sendable {
    let purpose: ReaderWork.Purpose
    let name: LogName
    let range: Range<Offset>
    let plan: ReadPlan
    let anchors: [ClockAnchor]

    fileprivate func perform(on disk: any Disk) -> ReaderResult {
        let read = plan.perform(on: disk)
        let answer: ReaderResult.Answer =
            switch purpose {
            case .chunk(let id, let limit): .chunk(id, chunk(of: read, limit: limit))
            case .digest: .digest(name, range, whole(read))
            }
        return ReaderResult(answer: answer, damage: read.damage, unread: read.unread)
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

    private func whole(_ read: ReadResult) -> SendDevices? {
        guard read.readings.count == range.lowerBound.distance(to: range.upperBound) else { return nil }
        return SendDevices(read.readings)
    }
}

/// Reads on in what goes next, and takes it into windows: some microseconds for each reading, which nobody else need wait for.
struct DownsamplingRead: Sendable {
    let plan: ReadPlan
    let downsampler: Downsampler
    let clock: ClockTable

    /// How far it came.
    enum Progress: Sendable {
        case upTo(Offset)
        /// The rest is gone.
        case overwritten
        /// The disk does not give it now.
        case failed
    }

    fileprivate func perform(on disk: any Disk) -> ReaderResult {
        var downsampler = downsampler
        let read = plan.perform(on: disk)
        for stored in read.readings { downsampler.take(stored.reading, at: clock.time(of: stored.reading.stamp).time) }
        let progress: Progress = read.failure != nil ? .failed : read.overwritten ? .overwritten : .upTo(read.next)
        return ReaderResult(answer: .downsample(downsampler, progress), damage: read.damage, unread: read.unread)
    }
}

/// What a ``ReaderWork`` found.
package struct ReaderResult: Sendable {
    enum Answer: Sendable {
        case chunk(ReadID, ChunkOutcome)
        /// What the range holds; `nil` where it could not be read whole.
        case digest(LogName, Range<Offset>, SendDevices?)
        case page(AskedQuestion, PageOutcome)
        case scrub(ScrubResult)
        case downsample(Downsampler, DownsamplingRead.Progress)
    }

    let answer: Answer
    let damage: [DamagedRange]
    var unread: [DamagedRange] = []
}
