import Environment
import Model
import RingLog

/// Reads what the ring holds again and again, a segment at a time, so that what the card has lost shows while a peer still has it.
package struct Scrub: Sendable {
    /// How long one pass over the ring takes; zero: there is none.
    package let interval: Duration
    /// Since this process started, what a ``RepairPass`` read included.
    package internal(set) var segmentsRead = 0
    package internal(set) var bytesRead = 0
    /// Times that every segment has had its turn.
    package internal(set) var passes = 0
    /// Readings that it found damaged.
    package internal(set) var damaged = 0

    /// The segment whose turn it is; passes begin anywhere, or the ring of a gateway that often starts would never be read to its end.
    var next: Int
    /// Turns since the last pass ended.
    var turns = 0
    var dueAt: MonotonicInstant?
    /// A segment that the disk did not give whole; it is asked for once more, soon.
    var again: Int?
    var isReading = false

    /// Behind the ring's patience with such places.
    static let secondLook = Duration.seconds(65)

    init(interval: Duration, first segment: Int) {
        self.interval = interval
        next = segment
    }

    /// The segment to read now.
    mutating func takeNext(of count: Int) -> Int {
        if let segment = again {
            again = nil
            return segment
        }
        defer { next = (next + 1) % count }
        turns += 1
        if turns >= count {
            turns = 0
            passes += 1
        }
        return next
    }
}

extension GatewayCore {
    /// Every segment has its turn in the interval, whether there is anything in it or not: so a pass takes as long whatever the ring holds.
    mutating func startScrubbing(now: MonotonicInstant) {
        guard settings.scrubInterval > .zero else { return }
        let first = Int.random(in: 0..<ring.segmentCount, using: &random)
        var scrub = Scrub(interval: settings.scrubInterval, first: first)
        scrub.dueAt = now.advanced(by: pause(settings.scrubInterval))
        self.scrub = scrub
    }

    private func pause(_ interval: Duration) -> Duration { interval / ring.segmentCount }

    /// Has the next segment read where it is time. A disk that takes nothing is left alone: what it does not answer says nothing.
    mutating func scrubIfDue(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard var turn = scrub, let due = turn.dueAt, due <= now, !turn.isReading else { return }
        turn.dueAt = now.advanced(by: pause(turn.interval))
        defer { scrub = turn }
        // Who reads all of it at once leaves nothing to be found.
        guard !isMemoryOnly, !isStopping, !(repair?.isUnderWay ?? false) else { return }
        guard let plan = ring.scrubPlan(of: turn.takeNext(of: ring.segmentCount)) else { return }
        turn.isReading = true
        directives.append(.work(ReaderWork(plan)))
    }

    /// - Parameter damaged: Readings that the ring has taken for damaged because of it.
    mutating func scrubbed(
        _ result: ScrubResult, damaged: Int, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        if scrub?.isReading == true {
            scrub?.isReading = false
            if !result.unread.isEmpty {
                scrub?.again = result.segment
                scrub?.dueAt = now.advanced(by: Scrub.secondLook)
            }
        } else {
            repaired(result, damaged: damaged, now: now, &directives)
        }
        scrub?.segmentsRead += 1
        scrub?.bytesRead += result.bytes
        scrub?.damaged += damaged
    }
}
