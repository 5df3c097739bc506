import Environment
import LogFormat
import Model

/// The one plan that is being performed.
struct InFlight: Sendable {
    let id: WritePlan.ID
    /// The commit's own block and where it goes; `nil` where the plan carries background work alone.
    let block: (unit: Int, block: EncodedBlock)?
    let items: [Waiting.Item]
    let copies: [WaitingCopies.Item]
    let taken: RecordBook.Taken
    let endsSnapshot: Bool
    let background: [BackgroundWrite]
    /// Segments that are free once this plan is durable.
    let frees: [Int]
    /// All puts up to this one are durable with it.
    let version: UInt64
    /// Segments that this plan writes to.
    let touches: [Int]
    /// How it was before, for a failure that says nothing about the medium.
    let hotBefore: Head?
    let segmentsBefore: [Segment]
    let hasRolled: Bool
    let bytes: Int
    /// It carries nothing: it only sees whether the medium works again.
    var isProbe = false
}

/// A write that rides along with a commit.
struct BackgroundWrite: Sendable {
    enum Purpose: Sendable {
        /// The header of a cold segment.
        case header
        /// The footer of a cold segment: it goes when all blocks that it tells of are durable, or a power cut could leave it without them.
        case footer
        /// A merged block in `unit`, made of readings of segment `source`.
        case merged(unit: Int, units: Int, runs: [Run], source: Int)
        /// Zeros up to this unit.
        case zeros(upTo: Int)
    }

    let segment: Int
    /// Bytes from the ring's start.
    let position: Int
    let bytes: [UInt8]
    let purpose: Purpose
}

/// Merged blocks on their way to the disk.
struct Background: Sendable {
    /// Not yet part of a plan, oldest first.
    var queue: [BackgroundWrite] = []
    /// A maintenance plan is being performed.
    var isMerging = false
    var source: Int?
    /// The cold segment's head once all of `queue` is durable.
    var headAfter: Head?
    /// Whether the cold segment is full then.
    var sealsCold = false

    /// Some of the merged blocks have been handed out to be written.
    var hasWritten = false

    var isBusy: Bool { isMerging || !queue.isEmpty || headAfter != nil }
}

/// How commits fare.
struct Health: Sendable {
    var failuresInRow = 0
    var memoryOnly: String?
    var retryAt: MonotonicInstant?
    /// The medium failed, and has not been tried since. It is tried with a write that matters to nobody: each failed commit costs a segment,
    /// and an outage would use up the ring.
    var isInDoubt = false
    /// Tries since the last that went well. Each is made in another segment, as one of them may be all that is wrong.
    var probes = 0

    /// After so many failures in a row, each in another segment, the disk is held to be gone for now.
    static let mostFailures = 3
    static let firstPause = Duration.seconds(1)
    /// A disk that comes back is found within this time.
    static let longestPause = Duration.seconds(60)

    var pause: Duration {
        let doublings = min(max(failuresInRow - 1, 0), 6)
        let pause = Self.firstPause * (1 << doublings)
        return pause < Self.longestPause ? pause : Self.longestPause
    }
}

/// Since this process started.
struct Counters: Sendable {
    var bytesWritten = 0
    var commits = 0
    var readingsStored = 0
    var damaged = 0
    var restored = 0
    var evictedPending = 0
    var evictedUploaded = 0
    var copiesStored = 0
    var evictedCopies = 0
    var expired = 0
    var mergedReadings = 0
    var failedCommits = 0
}
