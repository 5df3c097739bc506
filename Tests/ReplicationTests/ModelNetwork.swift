import Environment
import Model
import Replication

/// Several replicators, each with a toy store, over a network that may lose, double, reorder and cut off frames.
/// Claims travel as the replicated state carries them: late, but the newest in the end. A chunk's bytes are its
/// readings' offsets.
struct ModelNetwork {
    struct Site {
        var replicator: Replicator
        /// Survives a restart, as a disk does.
        var durable: [LogName: OffsetRanges] = [:]
        var minted: Set<LogName> = []
        var claims: [LogName: Holdings] = [:]
        /// Stored and not yet durable.
        var waiting: [(log: LogName, ranges: OffsetRanges)] = []
        var open: LogName?
        var isUp = true
        var hasRoom = true
        var wake: MonotonicInstant?
        var inFlight: Set<FetchID> = []
    }

    enum Message {
        case frame([UInt8], from: Int)
        case unreachable(Int)
        case claim(of: Int, LogName)
        case read(ReadID, LogName, Range<Offset>)
        case kept(HoldID)
        case tick
        case commit
    }

    struct Delivery {
        let at: MonotonicInstant
        let order: Int
        let site: Int
        let message: Message
    }

    var sites: [Site]
    var now = MonotonicInstant(nanoseconds: 0)
    var random: SeededRandom
    var queue: [Delivery] = []
    var order = 0
    var lives = 0
    /// In percent.
    var loss = 0
    var doubling = 0
    /// How often a ring has no room for a chunk.
    var refusals = 0
    var slowestMilliseconds = 20
    /// Bytes of a chunk beyond what says which readings are in it.
    var padding = 0
    /// Pairs of sites that cannot reach each other.
    var cut: Set<[Int]> = []
    var settled: [LogName: Offset] = [:]
    /// A frame did not arrive.
    var hasLost = false
    /// What went wrong, in words.
    var faults: [String] = []
    /// Readings that were stored though they were there already.
    var doubles: UInt64 = 0
    /// When each reading was first durable anywhere: log → (end, moment) of each commit.
    var commits: [LogName: [(end: Offset, at: MonotonicInstant)]] = [:]

    init(_ count: Int, seed: UInt64, settings: ReplicatorSettings = ReplicatorSettings()) {
        random = SeededRandom(seed: seed)
        sites = (0..<count).map { Site(replicator: Replicator(node: gateway($0), settings: settings)) }
        for site in 0..<count { start(site, settings) }
        tellMembers()
    }

    mutating func post(_ message: Message, to site: Int, after delay: Duration) {
        order += 1
        let delivery = Delivery(at: now.advanced(by: delay), order: order, site: site, message: message)
        let place = queue.firstIndex { $0.at > delivery.at } ?? queue.count
        queue.insert(delivery, at: place)
    }

    mutating func latency() -> Duration {
        .milliseconds(Int.random(in: 1...slowestMilliseconds, using: &random))
    }

    mutating func send(_ event: ReplicationEvent, to site: Int) {
        guard sites[site].isUp else { return }
        let directives = sites[site].replicator.step(event, now: now, using: &random)
        for directive in directives { perform(directive, at: site) }
    }

    /// A new process on the same disk, with a log of its own.
    mutating func start(_ site: Int, _ settings: ReplicatorSettings) {
        lives += 1
        sites[site].replicator = Replicator(node: gateway(site), settings: settings)
        sites[site].isUp = true
        sites[site].wake = nil
        sites[site].inFlight = []
        sites[site].waiting = []
        for log in sites[site].minted.sorted() { send(.minted(log), to: site) }
        for log in sites[site].durable.keys.sorted() {
            for range in sites[site].durable[log]?.ranges ?? [] { send(.held(log, range), to: site) }
        }
        // What the replicated state kept of others, and of itself.
        for other in sites.indices where other != site {
            for (log, holdings) in sites[other].claims.sorted(by: { $0.key < $1.key }) {
                send(.claim(of: gateway(other), log, holdings), to: site)
            }
        }
        for (log, offset) in settled.sorted(by: { $0.key < $1.key }) { send(.settled(log, offset), to: site) }
        let open = LogName(node: gateway(site), log: LogID(UInt64(lives)))
        sites[site].open = open
        sites[site].minted.insert(open)
        send(.opened(open), to: site)
        post(.commit, to: site, after: .milliseconds(500))
    }

    mutating func stop(_ site: Int, losingDisk: Bool = false) {
        sites[site].isUp = false
        queue.removeAll { $0.site == site }
        if losingDisk {
            sites[site].durable = [:]
            sites[site].minted = []
        }
    }

    mutating func tellMembers() {
        for site in sites.indices where sites[site].isUp {
            let alive = sites.indices.filter { sites[$0].isUp && canReach(site, $0) }.map(gateway)
            send(.members(alive: alive, known: sites.indices.map(gateway)), to: site)
        }
    }

    func canReach(_ one: Int, _ other: Int) -> Bool { !cut.contains([min(one, other), max(one, other)]) }

    mutating func append(_ count: Int, at site: Int) {
        guard sites[site].isUp, let log = sites[site].open else { return }
        let end = sites[site].durable[log]?.end ?? .zero
        let range = end..<end.advanced(by: count)
        sites[site].durable[log, default: OffsetRanges()].insert(range)
        commits[log, default: []].append((range.upperBound, now))
        send(.held(log, range), to: site)
    }

    /// A part of a copy goes bad.
    mutating func damage(_ site: Int) {
        let copies = sites[site].durable.keys.sorted().filter { !sites[site].minted.contains($0) }
        guard sites[site].isUp, let log = copies.randomElement(using: &random),
            let end = sites[site].durable[log]?.end.rawValue, end > 1
        else { return }
        let low = UInt64.random(in: 0..<end, using: &random)
        let range = Offset(low)..<Offset(min(end, low + 50))
        sites[site].durable[log]?.remove(range)
        send(.lost(log, range, .damaged), to: site)
    }

    mutating func settle(_ log: LogName, _ offset: Offset) {
        settled[log] = offset
        for site in sites.indices { send(.settled(log, offset), to: site) }
    }

    var allLogs: [LogName] { commits.keys.sorted() }
}
