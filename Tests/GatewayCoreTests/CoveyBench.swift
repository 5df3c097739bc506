import Environment
import LogFormat
import Membership
import Model
import Replication
import RingLog
import Simulator
import Sinks

@testable import GatewayCore

/// Some whole gateways on a network that loses nothing, for small scenarios of a covey. Everything takes a few milliseconds.
final class CoveyBench {
    enum Happening {
        case event(Int, life: Int, GatewayEvent)
        case tick(Int, life: Int, number: Int)
        case write(Int, life: Int, WritePlan)
        case send(Int, life: Int, SendRequest, SendSource)
    }

    final class Box {
        var disk: SimulatedDisk
        var core: GatewayCore?
        var life = 0
        var wake = 0
        var settled: [Ticket] = []
        var keys: KeyState?
        var fluent: [PeerAddress] = []
        var address: PeerAddress

        init(disk: SimulatedDisk, address: PeerAddress) {
            self.disk = disk
            self.address = address
        }
    }

    static let millisecond: Int64 = 1_000_000
    static let second: Int64 = 1_000_000_000

    var time: Int64 = 0
    var heap = EventHeap<Happening>()
    var boxes: [Box] = []
    var random = SeededRandom(seed: 11)
    /// Who reaches the sink.
    var reachesSink: Set<Int> = []
    /// What the sink was sent, doubles included.
    var sent: [LogID: [UInt64]] = [:]
    var reports: [String] = []
    /// Whose receipts are wrong: its memory turns bits over between the disk and the digest.
    var wrongReceipts: Set<Int> = []
    var acks = 1
    /// Whether the sink must have a reading before it may go.
    var requiresSink = true
    var datagrams = 0
    /// Who is not heard by the gateway of that index.
    var unheard: [Int: Int] = [:]
    /// See ``RingOptions/copiesShare``.
    private let copiesShare: Double
    /// Whether each is told the first one's address when it starts.
    private let isSeeded: Bool
    /// What is special about the setup of some.
    private let alter: (Int, inout ClusterSetup) -> Void
    /// What some make of their messages, as a later version may.
    var alterations: [Int: ([UInt8]) -> [UInt8]] = [:]
    /// What came for queries that run on the gateway of that index.
    var queryNews: [Int: [QueryNews]] = [:]
    private var nextTicket: UInt64 = 0

    init(
        gateways: Int, acks: Int = 1, requiresSink: Bool = true, segments: Int = 24, copiesShare: Double = 0.5,
        isSeeded: Bool = true, alter: @escaping (Int, inout ClusterSetup) -> Void = { _, _ in }
    ) throws {
        self.alter = alter
        self.acks = acks
        self.requiresSink = requiresSink
        self.copiesShare = copiesShare
        self.isSeeded = isSeeded
        for index in 0..<gateways {
            boxes.append(Box(disk: SimulatedDisk(size: segments * 64 << 10), address: Self.address(index)))
            reachesSink.insert(index)
            try start(index)
        }
    }

    static func node(_ index: Int) -> NodeID { NodeID(high: 7, low: UInt64(index)) }
    private static func address(_ index: Int) -> PeerAddress { PeerAddress("g\(index)")! }

    var now: MonotonicInstant { MonotonicInstant(nanoseconds: time) }

    /// - Parameter node: Whose name it bears; its own by default.
    func start(_ index: Int, as node: NodeID? = nil) throws {
        var options = RingOptions()
        options.geometry = Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)
        options.pendingBytes = 256 << 10
        options.copiesShare = copiesShare
        let box = boxes[index]
        let ring = try RingLog.open(disk: box.disk, options: options, using: &random).ring
        var upload = UploadSettings()
        upload.chunkReadings = 32
        upload.backOffCap = .seconds(4)
        var setup = ClusterSetup(
            node: node ?? Self.node(index), name: "gateway \(index)", address: box.address,
            seeds: isSeeded ? [Self.address(0)] : [],
            sinks: [SinkID(99)])
        setup.acks = acks
        setup.duty.chunkReadings = 32
        alter(index, &setup)
        box.life += 1
        let (core, directives) = GatewayCore.resume(
            ring: ring, disk: box.disk, sinks: [.init(name: "cloud", isRequired: requiresSink, settings: upload)],
            settings: GatewayCore.Settings(), random: SeededRandom(seed: random.next()), cluster: setup, now: now)
        box.core = core
        act(directives, index)
    }

    /// It hears of an address to try.
    func tell(_ index: Int, seed: Int) {
        step(.seeds([boxes[seed].address]), index)
    }

    /// Its machine has got another address: nobody is at the old one.
    func move(_ index: Int, to address: PeerAddress) {
        boxes[index].address = address
        step(.moved(address), index)
    }

    func kill(_ index: Int) {
        boxes[index].core = nil
        boxes[index].life += 1
        boxes[index].disk = boxes[index].disk.afterKill()
    }

    /// Three gateways that find each other; then the last one's card is a copy of the first's, and it starts under its name.
    static func withClone(acks: Int = 1) throws -> CoveyBench {
        let covey = try CoveyBench(gateways: 3, acks: acks)
        covey.reachesSink = []
        covey.run(seconds: 10)
        covey.feed(0, 30)
        covey.run(seconds: 5)
        covey.kill(2)
        covey.boxes[2].disk = covey.boxes[0].disk.afterKill()
        covey.run(seconds: 1)
        try covey.start(2, as: node(0))
        return covey
    }

    /// Hands over `count` readings, to be committed at once, and gives the ticket.
    /// - Parameters:
    ///   - bytes: Makes each a text of so many bytes; a number otherwise, which takes next to no room.
    ///   - isDated: Whether the gateway's clock is right.
    @discardableResult
    func feed(_ index: Int, _ count: Int, bytes: Int? = nil, isDated: Bool = true) -> Ticket {
        nextTicket += 1
        let ticket = Ticket(nextTicket)
        let readings = (0..<count).map { place in
            Reading(
                series: Series(device: DeviceID("d\(index)"), metric: "value"),
                stamp: Stamp(
                    boot: BootID(high: 1, low: UInt64(index)), uptime: Microseconds(time / 1000),
                    wallOffset: Microseconds(1_763_700_000_000_000), isTrusted: isDated),
                value: bytes.map { .text(text($0)) } ?? .number(Double(nextTicket * 1000 + UInt64(place))))
        }
        step(.submitted(Submission(entries: [Entry(readings)], window: .zero, ticket: ticket)), index)
        return ticket
    }

    private func text(_ bytes: Int) -> String {
        String(decoding: (0..<bytes).map { _ in UInt8.random(in: 97...122, using: &random) }, as: UTF8.self)
    }

    func run(seconds: Double) {
        let end = time + Int64(seconds * Double(Self.second))
        while let at = heap.nextAt, at <= end, let (_, happening) = heap.pop() {
            time = max(time, at)
            happen(happening)
        }
        time = end
    }

    private func happen(_ happening: Happening) {
        switch happening {
        case .event(let index, let life, let event):
            if boxes[index].life == life { step(event, index) }
        case .tick(let index, let life, let number):
            if boxes[index].life == life, boxes[index].wake == number { step(.tick, index) }
        case .write(let index, let life, let plan):
            guard boxes[index].life == life else { return }
            step(.written(plan.id, plan.perform(on: boxes[index].disk)), index)
        case .send(let index, let life, let request, let source):
            guard boxes[index].life == life else { return }
            deliver(request, source, index)
        }
    }

    private func deliver(_ request: SendRequest, _ source: SendSource, _ index: Int) {
        guard reachesSink.contains(index) else {
            return step(.sent(sink: 0, request.id, .unavailable(reason: "cut off", retryAfter: nil)), index)
        }
        var readings = source.perform(on: boxes[index].disk).readings
        sent[request.log, default: []] += readings.map(\.offset.rawValue)
        if wrongReceipts.contains(index) {
            readings = readings.map {
                let (series, stamp) = ($0.reading.series, $0.reading.stamp)
                let reading = Reading(series: series, stamp: stamp, value: .number(-1))
                return StoredReading(log: $0.log, offset: $0.offset, reading: reading)
            }
        }
        step(.sent(sink: 0, request.id, .accepted, SendDevices(readings)), index)
    }

    func step(_ event: GatewayEvent, _ index: Int) {
        act(boxes[index].core?.step(event, now: now) ?? [], index)
    }

    private func later(_ milliseconds: Int64, _ happening: Happening) {
        heap.push(happening, at: time + milliseconds * Self.millisecond)
    }

    private func act(_ directives: [GatewayDirective], _ index: Int) {
        let box = boxes[index]
        for directive in directives {
            switch directive {
            case .write(let plan): later(5, .write(index, life: box.life, plan))
            case .maintain(let plan):
                later(5, .event(index, life: box.life, .maintained(plan.perform(on: box.disk))))
            case .tally(let plan): later(5, .event(index, life: box.life, .tallied(plan.perform(on: box.disk))))
            case .work(let work): later(5, .event(index, life: box.life, .worked(work.perform(on: box.disk))))
            case .settle(let tickets): box.settled += tickets
            case .stored: break
            case .left: kill(index)
            case .keepKeys(let keys, let version):
                later(5, .event(index, life: box.life, .keysKept(version: version, failure: nil)))
                box.keys = keys
            case .fluent(let peers): box.fluent = peers
            case .brokers: break
            case .query(let news): queryNews[index, default: []].append(news)
            case .send(_, let request, let source): later(5, .send(index, life: box.life, request, source))
            case .wake(let moment):
                box.wake += 1
                heap.push(.tick(index, life: box.life, number: box.wake), at: max(moment.nanoseconds, time))
            case .report(let report): reports.append("\(time / Self.millisecond) ms, gateway \(index): \(report.text)")
            case .datagram(let bytes, let peer):
                datagrams += 1
                let bytes = alterations[index]?(bytes) ?? bytes
                send(.datagram(bytes, from: box.address), to: peer, from: index)
            case .frame(let bytes, let peer):
                let bytes = alterations[index]?(bytes) ?? bytes
                send(.frame(bytes, from: box.address), to: peer, from: index)
            }
        }
    }

    private func send(_ event: GatewayEvent, to peer: PeerAddress, from index: Int) {
        guard let other = boxes.firstIndex(where: { $0.address == peer }), unheard[other] != index else { return }
        if boxes[other].core != nil {
            later(2, .event(other, life: boxes[other].life, event))
        } else if case .frame = event {
            later(2, .event(index, life: boxes[index].life, .unreachable(peer)))
        }
    }

    // MARK: Looking

    func core(_ index: Int) -> GatewayCore { boxes[index].core! }

    /// The log that a gateway writes now.
    func log(_ index: Int) -> LogID? { core(index).ring.currentLog }

    /// Readings of a log on a gateway's disk.
    func held(_ log: LogID, by index: Int) -> Int {
        core(index).ring.ranges(of: log).reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) }
    }
}
