import Environment
import Model

@testable import GossipState

func nodeID(_ number: Int) -> NodeID { NodeID(high: 0, low: UInt64(number + 1)) }

enum Space {
    static let own = KeySpaceName(1)
    static let register = KeySpaceName(2)
    static let set = KeySpaceName(3)
    static let counter = KeySpaceName(4)
    static let all = [
        SpaceDeclaration(own, Eventual.own), SpaceDeclaration(register, Eventual.register),
        SpaceDeclaration(set, Eventual.set), SpaceDeclaration(counter, Eventual.counter),
    ]
}

func name(_ space: KeySpaceName, _ key: String) -> StateName { StateName(space, Array(key.utf8)) }

/// Members that step on injected time over a network that a seed governs.
struct TestNet {
    struct Packet {
        let due: MonotonicInstant
        let order: Int
        let from: Int
        let to: Int
        let bytes: [UInt8]
        let isFrame: Bool
    }

    struct Faults {
        var loss = 0.0
        var doubling = 0.0
        var mostDelay: Duration = .milliseconds(5)
        /// Nodes of different numbers do not hear each other.
        var part: [Int] = []
    }

    var states: [GossipState]
    var settings: GossipSettings
    var faults = Faults()
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    var random: SeededRandom
    var packets: [Packet] = []
    var sent = 0
    var bytes = 0
    var longest = 0
    var changes: [[GossipDirective]]
    private var order = 0
    private var incarnation: UInt64 = 1

    init(_ count: Int, seed: UInt64, settings: GossipSettings = GossipSettings()) {
        self.settings = settings
        random = SeededRandom(seed: seed)
        states = []
        changes = Array(repeating: [], count: count)
        faults.part = Array(repeating: 0, count: count)
        for index in 0..<count { states.append(fresh(index)) }
        for index in 0..<count { introduce(index) }
    }

    private mutating func fresh(_ index: Int) -> GossipState {
        incarnation += 1
        return GossipState(
            node: nodeID(index), start: StartID(using: &random), incarnation: Incarnation(incarnation),
            spaces: Space.all, settings: settings, now: now)
    }

    var nodes: [NodeID] { states.indices.map(nodeID) }

    mutating func introduce(_ index: Int) {
        step(index, .members(alive: nodes, known: nodes))
    }

    mutating func restart(_ index: Int) {
        states[index] = fresh(index)
        packets.removeAll { $0.isFrame && ($0.to == index || $0.from == index) }
        introduce(index)
    }

    mutating func step(_ index: Int, _ event: GossipEvent) {
        perform(states[index].step(event, now: now, using: &random), of: index)
    }

    /// A write of a client, whose refusal is none of the test's business.
    mutating func write(
        _ index: Int, _ change: (inout GossipState, MonotonicInstant) throws -> [GossipDirective]
    ) {
        guard let directives = try? change(&states[index], now) else { return }
        perform(directives, of: index)
    }

    mutating func perform(_ directives: [GossipDirective], of index: Int) {
        for directive in directives {
            switch directive {
            case .datagram(let bytes, let to):
                precondition(bytes.count <= GossipLimits.datagramBytes, "a datagram of \(bytes.count) bytes")
                send(bytes, index, to, isFrame: false)
            case .frame(let bytes, let to):
                precondition(bytes.count <= GossipLimits.frameBytes, "a frame of \(bytes.count) bytes")
                send(bytes, index, to, isFrame: true)
            case .wake: break
            case .changed, .forgotten: changes[index].append(directive)
            }
        }
    }

    private mutating func send(_ payload: [UInt8], _ from: Int, _ to: NodeID, isFrame: Bool) {
        sent += 1
        bytes += payload.count
        longest = max(longest, payload.count)
        let to = Int(to.low) - 1
        let copies = isFrame ? 1 : chance(faults.loss) ? 0 : chance(faults.doubling) ? 2 : 1
        for _ in 0..<copies where states.indices.contains(to) {
            order += 1
            let delay = Int64.random(in: 0...faults.mostDelay.nanoseconds, using: &random)
            packets.append(
                Packet(
                    due: now.advanced(by: .nanoseconds(isFrame ? faults.mostDelay.nanoseconds : delay)), order: order,
                    from: from, to: to, bytes: payload, isFrame: isFrame))
        }
    }

    mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }

    /// Moves time on by 100 ms: what is due arrives, all tick, and each pings one other.
    mutating func advance(pings: Bool = true) {
        now = now.advanced(by: .milliseconds(100))
        while true {
            let due = packets.filter { $0.due <= now }.sorted { ($0.due, $0.order) < ($1.due, $1.order) }
            if due.isEmpty { break }
            packets.removeAll { $0.due <= now }
            for packet in due {
                if faults.part[packet.from] != faults.part[packet.to] {
                    if packet.isFrame { step(packet.from, .unreachable(nodeID(packet.to))) }
                    continue
                }
                let from = nodeID(packet.from)
                step(packet.to, packet.isFrame ? .frame(packet.bytes, from: from) : .datagram(packet.bytes, from: from))
            }
        }
        for index in states.indices { step(index, .tick) }
        guard pings, states.count > 1 else { return }
        for index in states.indices where chance(0.2) {
            var other = Int.random(in: 0..<states.count - 1, using: &random)
            if other >= index { other += 1 }
            if faults.part[index] != faults.part[other] || chance(faults.loss) { continue }
            step(other, .passenger(states[index].passenger, from: nodeID(index)))
            step(index, .passenger(states[other].passenger, from: nodeID(other)))
        }
    }

    mutating func run(_ duration: Duration, pings: Bool = true) {
        let end = now.advanced(by: duration)
        while now < end { advance(pings: pings) }
    }

    /// Runs without faults until all know the same, for so long at most. Returns how long it took.
    mutating func settle(within limit: Duration) -> Duration? {
        faults = Faults(part: Array(repeating: 0, count: states.count))
        let start = now
        while start.duration(to: now) <= limit {
            if Set(states.map(\.passenger)).count == 1, packets.isEmpty, states.allSatisfy(\.isWhole) {
                return start.duration(to: now)
            }
            advance()
        }
        return nil
    }

    /// All that can be read at a member.
    func visible(_ index: Int) -> Visible {
        let state = states[index]
        return Visible(
            own: state.ownEntries(Space.own),
            shared: [Space.register, Space.set, Space.counter].map { state.entries(of: $0) })
    }
}

struct Visible: Hashable {
    let own: [OwnEntry]
    let shared: [[StateEntry]]
}
