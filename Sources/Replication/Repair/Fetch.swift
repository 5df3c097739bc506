import Environment
import Model

enum Lane: Hashable, Sendable {
    case fresh
    case backfill
}

/// A chunk that was asked for.
struct Fetch: Sendable {
    let id: FetchID
    let log: LogName
    let range: Range<Offset>
    let peer: NodeID
    let lane: Lane
    let deadline: MonotonicInstant
}

/// A chunk that the ring has and that is not durable yet.
struct Storing: Sendable {
    let id: FetchID
    let log: LogName
    /// Not durable yet.
    var ranges: OffsetRanges
    let peer: NodeID
    let deadline: MonotonicInstant
}

/// How a peer behaves.
struct PeerManners: Sendable {
    /// Requests in a row without a good answer.
    var failures = 0
    var quietUntil: MonotonicInstant?
    /// The last alarm about it.
    var alarmedAt: MonotonicInstant?
}

/// Lets through so many bytes per second, and a burst after a rest. What comes in may take it below nothing.
struct TokenBucket: Sendable {
    private let bytesPerSecond: Int64
    private let burst: Int64
    private var bytes: Int64
    private var filled: MonotonicInstant?

    init(bytesPerSecond: Int, burst: Int) {
        // Below these the products of times and rates stay within 63 bits.
        self.bytesPerSecond = Int64(min(max(bytesPerSecond, 1), 1 << 29))
        self.burst = Int64(burst)
        bytes = Int64(burst)
    }

    mutating func refill(_ now: MonotonicInstant) {
        guard let last = filled else {
            filled = now
            return
        }
        let elapsed = min(now.nanoseconds - last.nanoseconds, 10_000_000_000)
        let gained = elapsed * bytesPerSecond / 1_000_000_000
        // Time too short for a whole byte is kept.
        guard gained > 0 else { return }
        bytes = min(burst, bytes + gained)
        filled = now
    }

    var isOpen: Bool { bytes > 0 }

    mutating func spend(_ count: Int) { bytes -= Int64(count) }

    /// When it will be open; `nil` where it is.
    func nextToken(_ now: MonotonicInstant) -> MonotonicInstant? {
        guard bytes <= 0 else { return nil }
        let wait = ((1 - bytes) * 1_000_000_000 + bytesPerSecond - 1) / bytesPerSecond
        return MonotonicInstant(nanoseconds: (filled ?? now).nanoseconds + wait)
    }
}
