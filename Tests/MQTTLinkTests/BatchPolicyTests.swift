import Environment
import MQTTLink
import Model
import TestKit
import Testing

/// A broker that keeps at most `inFlight` messages unacknowledged, a publisher behind it, and a link that does as ``BatchPolicy`` says.
struct SimulatedFeed: Sendable {
    enum Arrivals: Sendable {
        case even(Double)
        case random(Double)
        /// So many at once, so often a second.
        case bursts(of: Int, perSecond: Double)
    }

    struct Result: Sendable {
        var delivered = 0
        var commits = 0
        var longestWait = Duration.zero
        var seconds: Double
        var rate: Double { Double(delivered) / seconds }
        var commitRate: Double { Double(commits) / seconds }
    }

    var inFlight: Int
    var arrivals: Arrivals
    var commit: Duration
    var window = Duration.seconds(1)
    var roundTrip = Duration.microseconds(200)
    var receiveMaximum = 4096
    var seed: UInt64 = 1

    /// Runs for `seconds` of simulated time, and measures those after `warmUp`. On a thread of its own, so that tests beside it go on.
    func run(seconds: Double, warmUp: Double = 3) async -> Result {
        await onThread { simulate(seconds: seconds, warmUp: warmUp) }
    }

    private func simulate(seconds: Double, warmUp: Double) -> Result {
        var policy = BatchPolicy(
            BatchPolicy.Settings(window: window, keepAlive: .seconds(60), receiveMaximum: receiveMaximum))
        var random = SeededRandom(seed: seed)
        let limit = min(inFlight, receiveMaximum)
        var source = ArrivalSource(arrivals)
        var nextArrival = source.next(after: 0, using: &random)
        var now: Int64 = 0
        var backlog = 0
        var outstanding = 0
        /// On the way from the broker to the link: when each gets there.
        var travelling = Queue()
        /// Acknowledgements on the way to the broker.
        var acknowledgements: (at: Int64, count: Int)?
        var committing: (until: Int64, count: Int)?
        var firstInBatch: Int64?
        var result = Result(seconds: seconds - warmUp)
        let half = roundTrip.nanoseconds / 2
        let end = Int64(seconds * 1e9)
        let begin = Int64(warmUp * 1e9)

        while now < end {
            // What comes next?
            var next = nextArrival.at
            if let at = acknowledgements?.at { next = min(next, at) }
            if let until = committing?.until { next = min(next, until) }
            if committing == nil, let at = travelling.first { next = min(next, at) }
            var decision = BatchPolicy.Decision.idle
            if committing == nil {
                decision = policy.decision(now: MonotonicInstant(nanoseconds: now))
                if case .collect(let until) = decision { next = min(next, max(now, until.nanoseconds)) }
                if case .close = decision { next = now }
            }
            now = max(now, next)
            let instant = MonotonicInstant(nanoseconds: now)
            if nextArrival.at <= now {
                backlog += nextArrival.count
                nextArrival = source.next(after: now, using: &random)
            }
            if let arrived = acknowledgements, arrived.at <= now {
                outstanding -= arrived.count
                acknowledgements = nil
            }
            while backlog > 0, outstanding < limit {
                backlog -= 1
                outstanding += 1
                travelling.append(now + half)
            }
            if let running = committing {
                guard running.until <= now else { continue }
                committing = nil
                let moreWaited = (travelling.first ?? .max) <= now
                policy.acknowledged(moreWaited: moreWaited, roundTrip: roundTrip, now: instant)
                acknowledgements = (now + half, running.count + (acknowledgements?.count ?? 0))
                if now >= begin {
                    result.delivered += running.count
                    result.commits += 1
                    result.longestWait = max(result.longestWait, .nanoseconds(now - (firstInBatch ?? now)))
                }
                firstInBatch = nil
                continue
            }
            var read = 0
            while read < policy.room, let at = travelling.first, at <= now {
                travelling.removeFirst()
                read += 1
            }
            if read > 0 {
                if firstInBatch == nil { firstInBatch = now }
                policy.arrived(acknowledgeable: read, bytes: read * 60, now: instant)
            }
            if case .close(let reason) = policy.decision(now: instant) {
                let count = policy.count
                policy.closed(reason, now: instant)
                committing = (now + commit.nanoseconds, count)
            }
        }
        return result
    }
}

private struct ArrivalSource {
    let arrivals: SimulatedFeed.Arrivals

    init(_ arrivals: SimulatedFeed.Arrivals) {
        self.arrivals = arrivals
    }

    mutating func next(after now: Int64, using random: inout SeededRandom) -> (at: Int64, count: Int) {
        switch arrivals {
        case .even(let rate): return (now + Int64(1e9 / rate), 1)
        case .bursts(let size, let perSecond): return (now + Int64(1e9 / perSecond), size)
        case .random(let rate):
            let unit = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
            return (now + max(1, Int64(-naturalLogarithm(unit) / rate * 1e9)), 1)
        }
    }
}

/// ln by halving into [0.5, 1) and a series; enough for exponential gaps, and no Foundation.
private func naturalLogarithm(_ value: Double) -> Double {
    let exponent = value.exponent
    let y = (value.significand - 1) / (value.significand + 1)
    var sum = 0.0
    var power = y
    for odd in stride(from: 1, to: 30, by: 2) {
        sum += power / Double(odd)
        power *= y * y
    }
    return 2 * sum + Double(exponent) * 0.693_147_180_559_945_3
}

private struct Queue {
    private var items: [Int64] = []
    private var head = 0

    var first: Int64? { head < items.count ? items[head] : nil }
    mutating func append(_ item: Int64) { items.append(item) }
    mutating func removeFirst() {
        head += 1
        if head > 4096, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
    }
}

@Suite struct BatchPolicyTests {
    private static func policy(receiveMaximum: Int = 4096, window: Duration = .seconds(1)) -> BatchPolicy {
        BatchPolicy(BatchPolicy.Settings(window: window, keepAlive: .seconds(60), receiveMaximum: receiveMaximum))
    }

    private func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("A batch is closed when its first message has waited for the window")
    func window() {
        var policy = Self.policy()
        #expect(policy.decision(now: at(0)) == .idle)
        policy.arrived(acknowledgeable: 1, bytes: 10, now: at(5))
        #expect(policy.decision(now: at(900)) == .collect(until: at(1005)))
        policy.arrived(acknowledgeable: 1, bytes: 10, now: at(900))
        #expect(policy.decision(now: at(1005)) == .close(.window))
    }

    @Test("Without a window a batch is closed as soon as anything has come, and speaks of no limit of the sender")
    func noWindow() {
        var policy = Self.policy(window: .zero)
        for round in 0..<200 {
            policy.arrived(acknowledgeable: 20, bytes: 10, now: at(Int64(round)))
            #expect(policy.decision(now: at(Int64(round))) == .close(.window))
            policy.closed(.window, now: at(Int64(round)))
            policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(Int64(round)))
        }
        #expect(policy.learnedInFlight == nil)
    }

    @Test("The window never exceeds a quarter of the keep-alive")
    func keepAlive() {
        var policy = BatchPolicy(
            BatchPolicy.Settings(window: .seconds(60), keepAlive: .seconds(20), receiveMaximum: 4096))
        policy.arrived(acknowledgeable: 1, bytes: 10, now: at(0))
        #expect(policy.decision(now: at(1)) == .collect(until: at(5000)))
    }

    @Test("Half of Receive Maximum closes a batch, and so do its bytes")
    func limits() {
        var policy = Self.policy(receiveMaximum: 100)
        policy.arrived(acknowledgeable: 49, bytes: 10, now: at(0))
        #expect(policy.room == 1)
        policy.arrived(acknowledgeable: 1, bytes: 10, now: at(0))
        #expect(policy.decision(now: at(0)) == .close(.count))
        policy = Self.policy()
        policy.arrived(acknowledgeable: 1, bytes: 1 << 20, now: at(0))
        #expect(policy.decision(now: at(0)) == .close(.bytes))
    }

    @Test("A sender that falls silent in a stream, and answers acknowledgements at once, is known to be at its limit")
    func learns() {
        var policy = Self.policy()
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(0))
        #expect(policy.decision(now: at(10)) == .collect(until: at(20)))
        #expect(policy.decision(now: at(20)) == .close(.stalled))
        policy.closed(.stalled, now: at(20))
        policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(25))
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(26))
        #expect(policy.learnedInFlight == 20)
        #expect(policy.decision(now: at(26)) == .collect(until: at(76)), "once on trial, that nothing more comes")
        #expect(policy.decision(now: at(76)) == .close(.inFlight))
        policy.closed(.inFlight, now: at(76))
        policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(80))
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(81))
        #expect(policy.decision(now: at(81)) == .close(.inFlight), "from now on without waiting")
    }

    @Test("A limit is forgotten when more comes while acknowledgements are held back on trial")
    func trial() {
        var policy = Self.policy()
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(0))
        policy.closed(.stalled, now: at(20))
        policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(25))
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(26))
        policy.arrived(acknowledgeable: 1, bytes: 10, now: at(50))
        #expect(policy.learnedInFlight == nil)
        #expect(policy.decision(now: at(200)) == .collect(until: at(1026)))
    }

    @Test("A message that comes in before the acknowledgements have left refutes a limit")
    func refutes() {
        var policy = Self.policy()
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(0))
        policy.closed(.stalled, now: at(20))
        policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(25))
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(26))
        policy.closed(.inFlight, now: at(26))
        policy.acknowledged(moreWaited: true, roundTrip: .zero, now: at(30))
        #expect(policy.learnedInFlight == 40)
    }

    @Test("After a lull that was none of the sender's limit, no batch is closed early for some windows")
    func pauses() {
        var policy = Self.policy()
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(0))
        policy.closed(.stalled, now: at(20))
        policy.acknowledged(moreWaited: false, roundTrip: .zero, now: at(25))
        policy.arrived(acknowledgeable: 20, bytes: 10, now: at(500))
        #expect(policy.decision(now: at(600)) == .collect(until: at(1500)))
    }

    @Test("With few messages in flight, throughput is near what that allows", arguments: [10, 20, 100], [1, 10, 30])
    func throughput(inFlight: Int, commitMilliseconds: Int) async {
        for rate in [10.0, 100, 1000, 10_000, 100_000] {
            let commit = Duration.milliseconds(commitMilliseconds)
            let feed = SimulatedFeed(inFlight: inFlight, arrivals: .even(rate), commit: commit)
            let result = await feed.run(seconds: rate > 1000 ? 9 : 33)
            let possible = min(rate, Double(inFlight) / (commit + feed.roundTrip).inSeconds)
            #expect(
                result.rate >= possible * 0.85,
                "in flight \(inFlight), \(rate)/s, commit \(commitMilliseconds) ms: \(result.rate) of \(possible)")
        }
    }

    @Test(
        "With many messages in flight, throughput is near what half of Receive Maximum per commit allows",
        arguments: [1, 10, 30])
    func highThroughput(commitMilliseconds: Int) async {
        for rate in [1000.0, 10_000, 100_000] {
            let commit = Duration.milliseconds(commitMilliseconds)
            let result = await SimulatedFeed(inFlight: 65_535, arrivals: .even(rate), commit: commit).run(
                seconds: 5, warmUp: 2)
            let possible = min(rate, 2048 / commit.inSeconds)
            #expect(result.rate >= possible * 0.9, "\(rate)/s, commit \(commitMilliseconds) ms: \(result.rate)")
        }
    }

    @Test("Without need there is one commit per window", arguments: [1, 5, 10, 30])
    func spares(commitMilliseconds: Int) async {
        let commit = Duration.milliseconds(commitMilliseconds)
        let feeds: [(Int, SimulatedFeed.Arrivals)] = [
            (65_535, .even(1)), (65_535, .even(100)), (65_535, .random(100)), (65_535, .random(1000)),
            (65_535, .even(2000)),
            (65_535, .random(10)), (20, .even(5)), (20, .random(5)), (100, .random(50)), (10, .even(1)),
            (1, .random(0.5)),
        ]
        for (inFlight, arrivals) in feeds {
            for seed in 1...3 {
                let feed = SimulatedFeed(inFlight: inFlight, arrivals: arrivals, commit: commit, seed: UInt64(seed))
                let result = await feed.run(seconds: 63)
                #expect(
                    result.commitRate <= 1.15,
                    "in flight \(inFlight), \(arrivals), seed \(seed): \(result.commitRate)/s")
            }
        }
    }

    @Test("Bursts that look like a sender at its limit cost few more commits", arguments: [1, 10, 30])
    func bursts(commitMilliseconds: Int) async {
        for (size, perSecond) in [(10, 10.0), (10, 40), (50, 5), (8, 3.3), (20, 25), (4, 20)] {
            let feed = SimulatedFeed(
                inFlight: 65_535, arrivals: .bursts(of: size, perSecond: perSecond),
                commit: .milliseconds(commitMilliseconds))
            let result = await feed.run(seconds: 303)
            #expect(result.commitRate <= 1.5, "\(size) at once, \(perSecond)/s: \(result.commitRate)/s")
        }
    }

    @Test("A sender of one or a few messages at a time is found out, too", arguments: [1, 2, 5])
    func fewInFlight(inFlight: Int) async {
        let feed = SimulatedFeed(inFlight: inFlight, arrivals: .even(10_000), commit: .milliseconds(5))
        let result = await feed.run(seconds: 20, warmUp: 10)
        let possible = Double(inFlight) / (feed.commit + feed.roundTrip).inSeconds
        #expect(result.rate >= possible * 0.85, "\(result.rate) of \(possible)")
    }

    @Test("No message waits longer than its window and two commits")
    func bounded() async {
        for inFlight in [10, 20, 100, 65_535] {
            for rate in [3.0, 50, 700, 10_000] {
                let feed = SimulatedFeed(inFlight: inFlight, arrivals: .random(rate), commit: .milliseconds(10))
                let result = await feed.run(seconds: 8)
                #expect(
                    result.longestWait <= .milliseconds(1020), "in flight \(inFlight), \(rate)/s: \(result.longestWait)"
                )
            }
        }
    }
}
