/// Every limit of the data half of replication, each with its reason. What an operator may want to change is in
/// ``ReplicatorSettings``.
package enum ReplicatorLimits {
    /// Ranges in a claim or a frame: two lists of them at their longest stay below the 900 bytes of a replicated value.
    package static let ranges = 16
    /// Bytes of one chunk: a block of the ring. A server cuts at this.
    package static let chunkBytes = 64 * 1024
    /// What a receiver takes: a chunk, with room for what a later version may add. Below the 128 KiB of a frame.
    static let answeredBytes = 96 * 1024
    /// Chunks on the way to this gateway: enough to fill a slow link. One is kept free for fresh readings.
    package static let inFlight = 2
    /// Chunks that were given to the ring and are not durable yet: a commit of a second takes what a fast link
    /// brings, and RAM is small.
    static let storing = 32
    /// After this the ring is taken to have lost a chunk, which is asked for again. Seconds.
    static let storingSeconds = 30
    /// Reads for one peer that wait: what it has in flight, and as much again from before its restart.
    static let readsPerPeer = 2 * inFlight
    /// Reads for all peers that wait for the one thread that reads.
    static let reads = 16
    /// Readings at the end of an open log that count as fresh: a second at the highest rate that a gateway is made for.
    static let freshReadings: UInt64 = 2048
    /// Logs that are known at once: 64 gateways that restart every hour of a week. Claims beyond are passed over and
    /// counted.
    static let logs = 16_384
    /// Longest silence towards a peer that fails. Seconds.
    static let quietSeconds = 30
    /// Patience for an answer grows with a peer's silence up to this many times the first, so that a slow link still
    /// gets on.
    static let patience = 4
    /// How long a peer that is busy is left alone. Milliseconds.
    static let busyMilliseconds = 300
    /// How long nothing is asked for after the ring refused a chunk for want of room. Milliseconds.
    static let noRoomMilliseconds = 1000
    /// … doubled by each further refusal so often, up to a minute: a ring that stays full is not to keep the network busy.
    static let noRoomDoublings = 6
    /// Surplus is looked for this often. Nothing waits for it but space. Seconds.
    static let surplusSeconds = 10
    /// Logs whose surplus is asked about in one look, and asked of this gateway that wait for the disk.
    static let holds = 16
    /// A grant counts this long: by then the granter may have become another. Seconds.
    static let grantSeconds = 60
}

/// What an operator may set.
package struct ReplicatorSettings: Hashable, Sendable {
    package enum Copies: Hashable, Sendable {
        /// 5 gateways or fewer: all. More: 3.
        case automatic
        case all
        /// 1 or more, the log's own gateway included.
        case number(Int)

        /// How many of `members` gateways hold each log.
        package func count(of members: Int) -> Int {
            switch self {
            case .automatic: members <= 5 ? members : 3
            case .all: members
            case .number(let number): min(max(number, 1), members)
            }
        }
    }

    package var copies: Copies
    /// Readings asked for at once. A chunk of 64 KiB holds some 4,000 of the smallest.
    package var pieceReadings: Int
    /// Back-fill per second, in bytes of chunks; fresh readings are not held back. The burst is two chunks.
    package var backfillBytesPerSecond: Int
    /// Patience for a chunk of back-fill.
    package var timeout: Duration
    /// Patience for fresh readings, which another holder may bring sooner.
    package var freshTimeout: Duration
    /// Claims about copies are published at most this often; those about the open log at every commit.
    package var claimInterval: Duration

    package init(
        copies: Copies = .automatic, pieceReadings: Int = 1024, backfillBytesPerSecond: Int = 512 * 1024,
        timeout: Duration = .seconds(5), freshTimeout: Duration = .milliseconds(1500),
        claimInterval: Duration = .milliseconds(500)
    ) {
        self.copies = copies
        self.pieceReadings = max(pieceReadings, 1)
        self.backfillBytesPerSecond = max(backfillBytesPerSecond, 1)
        self.timeout = timeout
        self.freshTimeout = freshTimeout
        self.claimInterval = claimInterval
    }
}
