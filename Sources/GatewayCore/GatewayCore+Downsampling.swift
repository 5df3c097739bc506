import Environment
import LogFormat
import Model
import RingLog

/// Writes windows in the place of readings that must go though no sink has them.
///
/// | step                                          | a crash in it costs                                          |
/// |-----------------------------------------------|--------------------------------------------------------------|
/// | the ring names a segment that goes next       |                                                              |
/// | its readings are read, 8192 at a time         | nothing                                                      |
/// | their windows are stored like other readings  | nothing: some windows come twice, as the next start reads on |
/// | once those are durable, the segment goes      | nothing                                                      |
///
/// Stored windows are readings of their own: counted as received, uploaded, copied. What they stand for is counted as evicted.
package struct Downsampling: Sendable {
    /// Of Unix time.
    package let window: Duration
    /// Since this process started: readings that went …
    package internal(set) var taken = 0
    /// … readings that were stored in their place …
    package internal(set) var given = 0
    /// … and segments that held them.
    package internal(set) var segments = 0
    var job: Job?
    /// After a disk that did not answer.
    var restsUntil: MonotonicInstant?

    struct Job: Sendable {
        let next: NextToGo
        /// What is still to be read, oldest first.
        var left: [(log: LogID, range: Range<Offset>)]
        var state = State.reading

        enum State: Sendable {
            case reading
            /// They wait for room in the ring's buffer.
            case storing
            /// On their way to the disk, in that log, up to there.
            case waiting(LogID?, Offset)
        }
    }

    static let readAtOnce = 8192
    /// Small enough for a block, whatever they say.
    static let storedAtOnce = 16
    static let rest = Duration.seconds(60)

    package init(window: Duration) {
        self.window = window
    }
}

extension GatewayCore {
    /// After each commit: looks whether the ring will give up readings soon that no sink has.
    mutating func downsampleIfNeeded(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard var current = downsampling, current.job == nil, !isMemoryOnly, !isStopping, backlog.isEmpty else {
            return
        }
        guard current.restsUntil.map({ $0 <= now }) ?? true, let next = ring.nextToGo() else { return }
        current.restsUntil = nil
        current.job = Downsampling.Job(next: next, left: next.parts)
        downsampling = current
        readOn(Downsampler(window: current.window), &directives)
    }

    private func readOn(_ downsampler: Downsampler, _ directives: inout [GatewayDirective]) {
        guard let part = downsampling?.job?.left.first else { return }
        let plan = ring.readPlan(log: part.log, range: part.range, limit: Downsampling.readAtOnce)
        let read = DownsamplingRead(plan: plan, downsampler: downsampler, clock: ring.clock)
        directives.append(.work(ReaderWork(read)))
    }

    mutating func downsampled(
        _ downsampler: Downsampler, _ progress: DownsamplingRead.Progress, now: MonotonicInstant,
        _ directives: inout [GatewayDirective]
    ) {
        guard var job = downsampling?.job, let part = job.left.first else { return }
        switch progress {
        case .failed:
            // It may still be read before it must go.
            downsampling?.job = nil
            downsampling?.restsUntil = now.advanced(by: Downsampling.rest)
            return
        case .overwritten: job.left = []
        case .upTo(let offset) where offset < part.range.upperBound: job.left[0].range = offset..<part.range.upperBound
        case .upTo: job.left.removeFirst()
        }
        if job.left.isEmpty {
            store(downsampler.readings(), insteadOf: downsampler.taken, now: now)
            job.state = .storing
        }
        downsampling?.job = job
        readOn(downsampler, &directives)
    }

    private mutating func store(_ readings: [Reading], insteadOf taken: Int, now: MonotonicInstant) {
        downsampling?.taken += taken
        downsampling?.given += readings.count
        downsampling?.segments += 1
        let entries = stride(from: 0, to: readings.count, by: Downsampling.storedAtOnce).map {
            Entry(Array(readings[$0..<min($0 + Downsampling.storedAtOnce, readings.count)]))
        }
        submit(Submission(entries: entries, window: .seconds(1)), now: now)
    }

    /// Lets the segment go whose windows are on the disk.
    mutating func finishDownsampling(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard let job = downsampling?.job else { return }
        switch job.state {
        case .reading: break
        case .storing:
            if backlog.isEmpty { downsampling?.job?.state = .waiting(ring.currentLog, ring.nextOffset) }
        case .waiting(let log, let upTo):
            // A log ends when all of it is durable.
            guard log != nil && log != ring.currentLog || pending.first.map({ $0.offset >= upTo }) ?? true else {
                return
            }
            downsampling?.job = nil
            handle(ring.giveUp(job.next), now: now, &directives)
        }
    }
}
