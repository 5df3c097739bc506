import Environment
import Model
import RingLog

// | what the disk says of a segment       | in the first round                 | in the second round                         |
// |---------------------------------------|------------------------------------|---------------------------------------------|
// | gives it, whole or damaged            | done with                          | done with                                   |
// | does not give a place of it           | second round                       | the ring's patience is over: it is damaged  |
// | gives nothing                         | second round                       | unanswered: that says nothing of what is there |

/// One reading of all that the ring holds, as a person ordered it: at once, where a ``Scrub`` takes a week. One segment is read at a time, and
/// the disk is left alone for as long between two as the last one took.
package struct RepairPass: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case reading
        /// All have been read but for what the disk did not give: that is asked for once more, behind the ring's patience with such places.
        case waiting
        case done
        /// Given up, and why.
        case ended(String)
    }

    package private(set) var state = State.reading
    /// Segments of the ring.
    package let segments: Int
    /// Those of them that have had their turn, whether anything is in them or not.
    package private(set) var segmentsRead = 0
    package private(set) var bytesRead = 0
    /// Readings found damaged by it, copies of others' among them.
    package private(set) var damaged = 0
    /// Segments that the disk did not give at all, twice.
    package private(set) var unanswered = 0
    /// When it was ordered, so many readings had come back in this process.
    let restoredBefore: Int

    /// What the present round has yet to read.
    private var queue: ArraySlice<Int>
    private var later: [Int] = []
    private var isSecondRound = false
    private var readingSince: MonotonicInstant?
    private var dueAt: MonotonicInstant

    /// Between two segments at least: so short that a ring of 1 GiB takes minutes, and so long that a commit finds the disk idle.
    static let leastPause = Duration.milliseconds(50)

    init(segments: Int, restoredBefore: Int, now: MonotonicInstant) {
        self.segments = segments
        self.restoredBefore = restoredBefore
        queue = Array(0..<segments)[...]
        dueAt = now
    }

    package var isUnderWay: Bool { state == .reading || state == .waiting }

    /// When it has something to do; `nil` while a segment is being read, and at its end.
    var wake: MonotonicInstant? { isUnderWay && readingSince == nil ? dueAt : nil }

    /// The segment to read now; ``begin(now:)`` or ``passOver()`` follows.
    mutating func takeNext(now: MonotonicInstant) -> Int? {
        guard let wake, wake <= now else { return nil }
        state = .reading
        return queue.popFirst()
    }

    /// The segment that was taken is being read.
    mutating func begin(now: MonotonicInstant) { readingSince = now }

    /// The segment that was taken holds no readings.
    mutating func passOver(now: MonotonicInstant) { endTurn(now: now) }

    /// - Parameter damaged: Readings that the ring has taken for damaged because of it.
    mutating func hasRead(_ result: ScrubResult, damaged: Int, now: MonotonicInstant) {
        let took = readingSince?.duration(to: now) ?? .zero
        readingSince = nil
        dueAt = now.advanced(by: max(Self.leastPause, took))
        bytesRead += result.bytes
        self.damaged += damaged
        if isSecondRound {
            if result.failure != nil { unanswered += 1 }
        } else if result.failure != nil || !result.unread.isEmpty {
            later.append(result.segment)
        }
        endTurn(now: now)
    }

    mutating func end(because reason: String) { state = .ended(reason) }

    private mutating func endTurn(now: MonotonicInstant) {
        if !isSecondRound { segmentsRead += 1 }
        guard queue.isEmpty else { return }
        guard !isSecondRound, !later.isEmpty else { return state = .done }
        isSecondRound = true
        queue = later[...]
        later = []
        state = .waiting
        dueAt = now.advanced(by: Scrub.secondLook)
    }
}
