import Environment
import Model
import Replication
import Testing

/// The gateway number `number` of a test, and logs of it.
func gateway(_ number: Int) -> NodeID { NodeID(high: 0xC0DE, low: UInt64(number)) }

func log(of number: Int, _ log: Int = 1) -> LogName {
    LogName(node: gateway(number), log: LogID(UInt64(number * 1000 + log)))
}

func offsets(_ range: Range<Int>) -> Range<Offset> {
    Offset(UInt64(range.lowerBound))..<Offset(UInt64(range.upperBound))
}

func set(_ ranges: Range<Int>...) -> OffsetRanges { OffsetRanges(ranges.map { offsets($0) }) }

/// What a gateway says that it holds.
func claim(_ ranges: Range<Int>..., end: Int? = nil, isClosed: Bool = false, lost: OffsetRanges = OffsetRanges())
    -> Holdings
{
    let ranges = OffsetRanges(ranges.map { offsets($0) })
    return Holdings(
        ranges: ranges, end: end.map { Offset(UInt64($0)) } ?? ranges.end, isClosed: isClosed, lost: lost)
}

/// One replicator, its peers played by the test.
struct Rig {
    struct Request: Hashable {
        let id: FetchID
        let log: LogName
        let range: Range<Offset>
        let peer: NodeID
    }

    var replicator: Replicator
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    var random = SeededRandom(seed: 7)
    /// The moment named last.
    var wake: MonotonicInstant?

    /// Gateway 0 with `peers` others, all alive.
    init(peers: Int, settings: ReplicatorSettings = ReplicatorSettings()) {
        replicator = Replicator(node: gateway(0), settings: settings)
        send(.members(alive: (1...peers).map(gateway), known: (1...peers).map(gateway)))
    }

    @discardableResult
    mutating func send(_ event: ReplicationEvent) -> [ReplicationDirective] {
        let directives = replicator.step(event, now: now, using: &random)
        for case .wake(let moment) in directives {
            #expect(moment > now)
            wake = moment
        }
        return directives
    }

    /// Lets time go by, with the ticks that were asked for.
    mutating func pass(_ duration: Duration) -> [ReplicationDirective] {
        let end = now.advanced(by: duration)
        var directives: [ReplicationDirective] = []
        while let next = wake, next <= end {
            now = max(now, next)
            wake = nil
            directives += send(.tick)
        }
        now = end
        return directives + send(.tick)
    }

    /// A whole answer to a request.
    mutating func answer(_ request: Request, bytes: [UInt8] = [1, 2, 3]) -> [ReplicationDirective] {
        answer(request, covered: request.range, bytes: bytes)
    }

    mutating func answer(
        _ request: Request, covered: Range<Offset>, missing: OffsetRanges = OffsetRanges(), bytes: [UInt8]
    ) -> [ReplicationDirective] {
        let frame = ReplicationFrame.answer(request.id, covered: covered, missing: missing, bytes: bytes)
        return send(.frame(frame.encoded, from: request.peer))
    }
}

extension [ReplicationDirective] {
    var frames: [(frame: ReplicationFrame, peer: NodeID)] {
        compactMap {
            guard case .frame(let bytes, let peer) = $0, let frame = try? ReplicationFrame(decoding: bytes) else {
                return nil
            }
            return (frame, peer)
        }
    }

    var requests: [Rig.Request] {
        frames.compactMap {
            guard case .request(let id, let log, let range) = $0.frame else { return nil }
            return Rig.Request(id: id, log: log, range: range, peer: $0.peer)
        }
    }

    var claims: [(log: LogName, holdings: Holdings)] {
        compactMap { if case .publish(let log, let holdings) = $0 { (log, holdings) } else { nil } }
    }
}
