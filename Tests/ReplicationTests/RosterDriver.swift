import Environment
import Model

@testable import Replication

func span(_ low: UInt64, _ high: UInt64) -> Range<Offset> { Offset(low)..<Offset(high) }
func holding(_ low: UInt64, _ high: UInt64) -> OffsetRanges { OffsetRanges(span(low, high)) }

let sinkS = SinkID(0x5)
let sinkT = SinkID(0x7)

/// The run digest that the tests use: any sum over readings will do.
func digest(_ range: Range<Offset>, salt: UInt64 = 0) -> UInt64 {
    (range.lowerBound.rawValue..<range.upperBound.rawValue).reduce(0) { sum, offset in
        var random = SeededRandom(seed: offset &+ salt)
        return sum &+ random.next()
    }
}

func receipt(_ low: UInt64, _ high: UInt64, salt: UInt64 = 0) -> UploadReceipt {
    UploadReceipt(range: span(low, high), digest: digest(span(low, high), salt: salt))
}

/// A claim of readings below `end`, with receipts for the ranges.
func claim(_ end: UInt64, turn: UInt64 = 1, isWorking: Bool = true, _ receipts: [UploadReceipt] = []) -> UploadClaim {
    var claim = UploadClaim()
    claim.watermark = Offset(end)
    claim.turn = turn
    claim.isWorking = isWorking
    claim.receipts = receipts
    return claim
}

/// One roster with its time; gossip answers at once, digests wait.
struct RosterDriver {
    var roster: DutyRoster
    var now = MonotonicInstant(nanoseconds: 0)
    var random = SeededRandom(seed: 3)
    var said: [DutyDirective] = []
    var wake: MonotonicInstant?
    var version: UInt64 = 0
    var claims: [(at: MonotonicInstant, key: UploadKey, claim: UploadClaim)] = []
    /// Digests asked for and not answered.
    var asked: [(log: LogName, range: Range<Offset>)] = []
    var allowance: Int?
    /// How often a peer was heard to have reached a sink.
    var reached = 0

    init(_ node: NodeID, isClustered: Bool = true) {
        var settings = DutySettings()
        settings.isClustered = isClustered
        roster = DutyRoster(node: node, settings: settings)
    }

    mutating func step(_ event: DutyEvent) {
        for directive in roster.step(event, now: now, using: &random) {
            switch directive {
            case .wake(let at): wake = at
            case .digest(let log, let range): asked.append((log, range))
            case .allow(_, _, let chunks): allowance = chunks
            case .publish(let key, let claim):
                claims.append((now, key, claim))
                version += 1
                step(.published(key, version: version))
            case .reached: reached += 1
            case .start, .stop, .settle, .withdraw, .alarm: said.append(directive)
            }
        }
    }

    /// Runs to `seconds` from now through all its wakes.
    mutating func run(_ seconds: Double) {
        let end = now.advanced(by: .nanoseconds(Int64(seconds * 1e9)))
        while let wake, wake <= end, wake > now {
            now = wake
            step(.tick)
        }
        now = end
        step(.tick)
    }

    mutating func answerDigests(salt: UInt64 = 0) {
        while let (log, range) = asked.first {
            asked.removeFirst()
            step(.digested(log, range, digest(range, salt: salt)))
        }
    }

    /// What was said since the last time.
    mutating func heard() -> [DutyDirective] {
        defer { said = [] }
        return said
    }

    mutating func members(_ alive: [NodeID], dead: [NodeID] = []) {
        step(.members(alive: alive, known: alive + dead))
    }

    mutating func sinks(_ nodes: [NodeID], reachable: Bool = true) {
        for node in nodes {
            step(.sinks(of: node, [SinkStatus(sink: sinkS, isRequired: true, isReachable: reachable)]))
        }
    }
}

/// Nodes in the order of their ranks for a log of `origin`.
struct Cast {
    let origin = NodeID(high: 1, low: 1)
    let log: LogName
    let key: UploadKey
    let first: NodeID
    let second: NodeID

    init() {
        log = LogName(node: origin, log: LogID(77))
        key = UploadKey(sink: sinkS, log: log)
        let others = [NodeID(high: 2, low: 2), NodeID(high: 3, low: 3)]
        let ranked = Placement.rank(
            others, sinkS.rawValue, log.node.high, log.node.low, log.log.rawValue)
        first = ranked[0]
        second = ranked[1]
    }
}
