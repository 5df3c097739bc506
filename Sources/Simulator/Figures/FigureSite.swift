import Environment
import GatewayCore
import LogFormat
import Membership
import Model
import RingLog
import Sinks

/// What can happen on a site whose figures are taken.
enum FigureHappening {
    case start(Int)
    /// Reaches that life of that gateway's process, or nobody.
    case process(gateway: Int, life: Int, ProcessEvent)
    case datagram([UInt8], from: Int, to: Int)
    case frame([UInt8], from: Int, to: Int, senderLife: Int)
    case arrival(FigureShipment)
    case submission(gateway: Int)
}

/// A chunk on its way to the sink.
struct FigureShipment {
    let gateway: Int
    let life: Int
    let request: SendRequest
    let readings: [StoredReading]
}

/// One gateway of such a site.
final class FigureGateway {
    let node: NodeID
    var disk: SimulatedDisk
    var clock: BoardClock
    /// `nil` while its power is off.
    var core: GatewayCore?
    var life = 0
    var tickNumber = 0

    init(node: NodeID, disk: SimulatedDisk, clock: BoardClock) {
        self.node = node
        self.disk = disk
        self.clock = clock
    }
}

/// Gateways on a LAN, whole cores as they are shipped, with one sink for all of them. No faults but those that a figure asks for, and
/// nothing is checked: unlike a ``World`` it is made for a thousand gateways.
final class FigureSite {
    /// What the LAN, the disks and the sink are like; printed beside the figures.
    struct Conditions {
        /// A message takes so many microseconds.
        var delay: ClosedRange<Int64> = 1000...5000
        var sync: Int64 = 10 * SimulatedTime.millisecond
        /// A read of the disk on a peer's or a sink's behalf.
        var read: Int64 = 2 * SimulatedTime.millisecond
        /// From a chunk's leaving to the sink's answer.
        var sinkAnswer: Int64 = 200 * SimulatedTime.millisecond
        /// A stream to a board without power gives up after this.
        var connect: Int64 = 3 * SimulatedTime.second
        /// 256 KiB segments of each ring. Only what was written takes memory.
        var segments = 32
    }

    var conditions: Conditions
    var heap = EventHeap<FigureHappening>()
    var time: Int64 = 0
    var events = 0
    var gateways: [FigureGateway] = []
    var random: SeededRandom
    private let places: [PeerAddress: Int]
    private let addresses: [PeerAddress]
    private let indices: [NodeID: Int]
    let ringOptions: RingOptions

    // Network
    /// Datagrams of a thousand that are lost.
    var lost: Int64 = 0
    var traffic = FigureTraffic()
    /// When the last frame of a way arrives, by sender · N + receiver.
    var lastFrames: [Int: Int64] = [:]

    // What is watched
    var kill: FigureKill?
    var fresh: FreshReadings?
    var sink = FigureSink()
    var feed: FigureFeed?

    init(gateways count: Int, seed: UInt64, conditions: Conditions = Conditions()) {
        self.conditions = conditions
        var random = SeededRandom(seed: seed &* 0xD129_8C2B_9A4E_61B7 &+ UInt64(count))
        var options = RingOptions()
        options.geometry = Geometry(segmentBytes: 256 << 10, blockBytes: 64 << 10)
        options.pendingBytes = 4 << 20
        ringOptions = options
        addresses = (0..<count).map { index in
            guard let address = PeerAddress("10.0.\(index / 250).\(index % 250 + 1):8472") else {
                preconditionFailure("no address")
            }
            return address
        }
        places = Dictionary(uniqueKeysWithValues: addresses.enumerated().map { ($0.element, $0.offset) })
        let nodes = (0..<count).map { _ in NodeID(using: &random) }
        indices = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($0.element, $0.offset) })
        gateways = nodes.enumerated().map { index, node in
            let size = conditions.segments * options.geometry.segmentBytes
            return FigureGateway(node: node, disk: SimulatedDisk(size: size), clock: BoardClock(gateway: index))
        }
        self.random = random
        // As after a power cut, but for boots that take 1 s more per 50 gateways.
        let boots = (1 + Int64(count) / 50) * 1000
        for index in 0..<count {
            heap.push(.start(index), at: self.random.draw(0, boots) * SimulatedTime.millisecond)
        }
    }

    func index(of node: NodeID) -> Int? { indices[node] }
    func index(at address: PeerAddress) -> Int? { places[address] }
    func address(of gateway: Int) -> PeerAddress { addresses[gateway] }
    var living: [Int] { gateways.indices.filter { gateways[$0].core != nil } }

    // MARK: Time

    func run(until end: Int64) {
        while let next = heap.nextAt, next <= end { happen() }
        time = max(time, end)
    }

    func run(seconds: Int64) { run(until: time + seconds * SimulatedTime.second) }

    /// Goes on until `isDone`, asked every simulated `pause` seconds; whether it was in time.
    func run(within seconds: Int64, asking pause: Int64 = 1, until isDone: (FigureSite) -> Bool) -> Bool {
        let end = time + seconds * SimulatedTime.second
        while time < end {
            if isDone(self) { return true }
            run(until: min(end, time + pause * SimulatedTime.second))
        }
        return isDone(self)
    }

    private func happen() {
        guard let (at, happening) = heap.pop() else { return }
        time = max(time, at)
        events += 1
        switch happening {
        case .start(let index): start(index)
        case .process(let index, let life, let event): deliver(event, to: index, life: life)
        case .datagram(let bytes, let sender, let receiver):
            guard gateways[receiver].core != nil else { return }
            step(receiver, .datagram(bytes, from: addresses[sender]))
        case .frame(let bytes, let sender, let receiver, let senderLife):
            guard gateways[receiver].core != nil else {
                let event = ProcessEvent.unreachable(addresses[receiver])
                heap.push(
                    .process(gateway: sender, life: senderLife, event), at: time + conditions.connect)
                return
            }
            step(receiver, .frame(bytes, from: addresses[sender]))
        case .arrival(let shipment): arrive(shipment)
        case .submission(let index): submit(at: index)
        }
    }

    func later(_ delay: Int64, _ gateway: Int, _ event: ProcessEvent) {
        let life = gateways[gateway].life
        heap.push(.process(gateway: gateway, life: life, event), at: time + max(0, delay))
    }
}
