import Environment
import Model
import Sinks

@testable import Replication

/// What a gateway tells the others, as gossip would carry it.
enum WorldFact: Hashable {
    case sinks
    case uploads(UploadKey)
    case holdings(LogName)
}

struct WorldName: Hashable {
    let writer: NodeID
    let fact: WorldFact
}

struct WorldEntry {
    let version: UInt64
    let bytes: [UInt8]
}

/// One gateway: roster, upload machines, a disk that survives, and a process that need not.
struct WorldNode {
    let id: NodeID
    // The disk.
    var held: [LogName: OffsetRanges] = [:]
    var progress: [[LogName: [UInt8]]]
    var version: UInt64 = 0
    // The process.
    var isUp = false
    var roster: DutyRoster
    var machines: [UploadMachine] = []
    var current: LogName?
    var isReachable: [Bool] = []
    var store: [WorldName: WorldEntry] = [:]
    /// Names in the order of their last change here, so that no dictionary is iterated.
    var changes: [WorldName] = []
    var wake: MonotonicInstant?
    var uploadWakes: [MonotonicInstant?] = []
    var sends: [(at: MonotonicInstant, sink: Int, request: SendRequest)] = []
    var digests: [(at: MonotonicInstant, log: LogName, range: Range<Offset>)] = []
    var watermarks: [UploadKey: Offset] = [:]
    /// How far the changes of each other node were seen.
    var seen: [NodeID: Int] = [:]
}

/// Gateways that lose each other, their processes and their sinks, and two sinks that count what they get.
struct DutyWorld {
    static let chunk = 8
    let sinks = [SinkID(0x51), SinkID(0x52)]
    var random: SeededRandom
    var now = MonotonicInstant(nanoseconds: 0)
    var nodes: [WorldNode] = []
    var logs: [LogID: LogName] = [:]
    var nextLog: UInt64 = 1
    /// Nodes of different groups do not hear each other.
    var groups: [Int]
    var blocked: Set<[Int]> = []
    var memberships: [(at: MonotonicInstant, node: Int)] = []
    var restarts: [(at: MonotonicInstant, node: Int)] = []
    /// How often each sink has each reading of a log, by offset.
    var taken: [UploadKey: [UInt8]] = [:]
    var handOffs: [UploadKey: Int] = [:]
    var claims = 0
    var failures: [String] = []

    init(seed: UInt64, nodes count: Int) {
        random = SeededRandom(seed: seed)
        groups = Array(repeating: 0, count: count)
        for index in 0..<count {
            let id = NodeID(high: UInt64(index + 1), low: random.next())
            nodes.append(WorldNode(id: id, progress: [[:], [:]], roster: DutyRoster(node: id)))
        }
        for index in nodes.indices { start(index) }
    }

    mutating func fail(_ text: String) {
        if failures.count < 5 { failures.append("at \(Double(now.nanoseconds) / 1e9): \(text)") }
    }

    func isConnected(_ one: Int, _ other: Int) -> Bool {
        nodes[one].isUp && nodes[other].isUp && groups[one] == groups[other]
    }

    // MARK: Processes

    mutating func start(_ index: Int) {
        var settings = DutySettings()
        settings.chunkReadings = Self.chunk
        var sending = UploadSettings()
        sending.chunkReadings = Self.chunk
        sending.backOffCap = .seconds(8)
        nodes[index].isUp = true
        nodes[index].roster = DutyRoster(node: nodes[index].id, settings: settings)
        nodes[index].machines = sinks.map { _ in UploadMachine(settings: sending) }
        nodes[index].isReachable = sinks.map { _ in true }
        nodes[index].uploadWakes = sinks.map { _ in nil }
        tellSinks(index)
        for log in nodes[index].held.keys.sorted() { reopen(index, log) }
        let log = LogName(node: nodes[index].id, log: LogID(nextLog))
        nextLog += 1
        logs[log.log] = log
        nodes[index].current = log
        for sink in sinks.indices {
            upload(index, sink, .paused(log.log, true))
            upload(index, sink, .opened(log.log, end: .zero, ready: .zero, isCurrent: true))
        }
        step(index, .began(log))
        noticeMembers()
    }

    private mutating func reopen(_ index: Int, _ log: LogName) {
        guard let held = nodes[index].held[log] else { return }
        let isOwn = log.node == nodes[index].id
        for sink in sinks.indices {
            if let bytes = nodes[index].progress[sink][log] {
                do throws(ProgressError) {
                    try nodes[index].machines[sink].restore(log.log, bytes, isRelayed: !isOwn)
                } catch { fail("progress: \(error)") }
            }
            let settled = OffsetRanges(nodes[index].machines[sink].settledRanges(log.log).map(\.range))
            step(index, .settled(sinks[sink], log, settled, isUploaded: true))
            guard isOwn else { continue }
            upload(index, sink, .paused(log.log, true))
            upload(index, sink, .opened(log.log, end: held.end, ready: held.end, isCurrent: false))
            upload(index, sink, .closed(log.log))
        }
        tellHoldings(index, log)
    }

    mutating func crash(_ index: Int) {
        for send in nodes[index].sends {
            handOffs[key(send.sink, send.request.log), default: 0] += 1
            if Bool.random(using: &random), reaches(index, send.sink) { take(send.sink, send.request) }
        }
        let old = nodes[index]
        nodes[index] = WorldNode(
            id: old.id, held: old.held, progress: old.progress, version: old.version, roster: old.roster)
        for other in nodes.indices { nodes[other].seen[old.id] = nil }
        noticeMembers()
    }

    /// Everybody notices within a few seconds who is there.
    mutating func noticeMembers() {
        for index in nodes.indices {
            memberships.append((now.advanced(by: .milliseconds(Int.random(in: 200..<5000, using: &random))), index))
        }
    }

    // MARK: What one node does

    mutating func step(_ index: Int, _ event: DutyEvent) {
        for directive in nodes[index].roster.step(event, now: now, using: &random) { perform(index, directive) }
    }

    private mutating func perform(_ index: Int, _ directive: DutyDirective) {
        switch directive {
        case .start(let sink, let log):
            handOffs[UploadKey(sink: sink, log: log), default: 0] += 1
            upload(index, place(sink), .paused(log.log, false))
        case .stop(let sink, let log): upload(index, place(sink), .paused(log.log, true))
        case .settle(let sink, let log, let range, let isRefused):
            upload(index, place(sink), isRefused ? .refusedToPeer(log.log, range) : .delivered(log.log, range))
        case .allow(let sink, let log, let chunks): upload(index, place(sink), .allow(log.log, chunks: chunks))
        case .digest(let log, let range):
            let delay = Duration.milliseconds(Int.random(in: 5..<200, using: &random))
            nodes[index].digests.append((now.advanced(by: delay), log, range))
        case .publish(let key, let claim):
            claims += 1
            check(index, key, claim)
            put(index, .uploads(key), claim.encode())
            step(index, .published(key, version: nodes[index].version))
        case .withdraw(let key): fail("\(key) withdrawn")
        case .reached(let sink): upload(index, place(sink), .reachedByPeer)
        case .wake(let at): nodes[index].wake = at
        case .alarm(let text): fail(text)
        }
    }

    mutating func upload(_ index: Int, _ sink: Int, _ event: UploadEvent) {
        for directive in nodes[index].machines[sink].step(event, now: now, using: &random) {
            switch directive {
            case .send(let request):
                let delay = Duration.milliseconds(Int.random(in: 20..<600, using: &random))
                nodes[index].sends.append((now.advanced(by: delay), sink, request))
            case .wake(let at): nodes[index].uploadWakes[sink] = at
            case .settled(let settled):
                guard !settled.isByPeer, settled.fate == .uploaded, let log = logs[settled.log] else { continue }
                let sum = Bool.random(using: &random) ? digest(settled.range) : nil
                step(index, .uploaded(sinks[sink], log, settled.range, digest: sum))
            case .progressChanged(let log):
                if let name = logs[log] {
                    nodes[index].progress[sink][name] = nodes[index].machines[sink].encodedProgress(log)
                }
            case .alarm:
                nodes[index].isReachable[sink] = false
                tellSinks(index)
            case .recovered:
                takeBack(index, sink)
                nodes[index].isReachable[sink] = true
                tellSinks(index)
            case .refused, .logFinished: break
            }
        }
    }

    /// A gateway that reaches the sink again has the duty for its logs back at once: a hand-over from whoever works on them.
    private mutating func takeBack(_ index: Int, _ sink: Int) {
        for log in nodes[index].held.keys.sorted() where log.node == nodes[index].id {
            let isRelayed = nodes.contains { $0.isUp && $0.id != log.node && $0.roster.isWorking(sinks[sink], log) }
            if isRelayed { handOffs[UploadKey(sink: sinks[sink], log: log), default: 0] += 1 }
        }
    }

    private mutating func tellSinks(_ index: Int) {
        let statuses = sinks.indices.map {
            SinkStatus(sink: sinks[$0], isRequired: true, isReachable: nodes[index].isReachable[$0])
        }
        step(index, .sinks(of: nodes[index].id, statuses))
        put(index, .sinks, SinkStatus.encode(statuses))
    }

    mutating func hold(_ index: Int, _ log: LogName, _ range: Range<Offset>) {
        nodes[index].held[log, default: OffsetRanges()].insert(range)
        tellHoldings(index, log)
    }

    private mutating func tellHoldings(_ index: Int, _ log: LogName) {
        guard let held = nodes[index].held[log] else { return }
        for sink in sinks.indices where log.node != nodes[index].id {
            upload(index, sink, .relayed(log.log, held: held.ranges, end: held.end))
        }
        step(index, .holds(log, held))
        var bytes: [UInt8] = []
        held.append(to: &bytes, limit: 16)
        put(index, .holdings(log), bytes)
    }

    private func place(_ sink: SinkID) -> Int { sinks[0] == sink ? 0 : 1 }

    func key(_ sink: Int, _ log: LogID) -> UploadKey {
        UploadKey(sink: sinks[sink], log: logs[log] ?? LogName(node: nodes[0].id, log: log))
    }

    private mutating func check(_ index: Int, _ key: UploadKey, _ claim: UploadClaim) {
        let has = taken[key] ?? []
        for range in claim.ranges.ranges {
            for offset in range.lowerBound.rawValue..<range.upperBound.rawValue
            where offset >= UInt64(has.count) || has[Int(offset)] == 0 {
                return fail("\(nodes[index].id) says that the sink has \(offset) of \(key.log)")
            }
        }
        if claim.watermark < nodes[index].watermarks[key] ?? .zero { fail("watermark of \(key) went back") }
        nodes[index].watermarks[key] = claim.watermark
    }
}
