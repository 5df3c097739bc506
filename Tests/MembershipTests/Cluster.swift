import Environment
import Model

@testable import Membership

/// Several machines, a network between them, and time: one heap of events, one seed.
struct Cluster {
    struct Node {
        var machine: Membership
        var address: PeerAddress
        var run: Int
        var isUp = true
        var wakeAt = MonotonicInstant.never
        var kept = Incarnation(0)
        var hasLeft = false
        var clonedBy: PeerAddress?
    }

    struct Change {
        let at: MonotonicInstant
        let by: Int
        let member: Member
    }

    private enum Happening {
        case tick(Int, run: Int)
        case datagram([UInt8], from: Int, to: PeerAddress)
        case frame([UInt8], from: Int, to: PeerAddress)
        case unreachable(PeerAddress, to: Int, run: Int)
    }

    private struct Entry {
        let at: Int64
        let number: Int
        let happening: Happening
    }

    var nodes: [Node] = []
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    var random: SeededRandom
    var network: SeededRandom
    /// Of datagrams, 0 to 1.
    var loss = 0.0
    /// Of datagrams that arrive, how many do so twice.
    var doubling = 0.0
    var delays: ClosedRange<Int64> = 1_000_000...20_000_000
    /// Nodes with different numbers do not hear each other.
    var island: [Int: Int] = [:]
    var streamsWork = true
    var settings = MembershipSettings()
    var changes: [Change] = []
    var alarms: [String] = []
    var datagramBytes = 0
    var frameBytes = 0
    var steps = 0
    /// Whose packets are kept in `recorded`.
    var recordedFor: Int?
    var recorded: [MembershipEvent] = []
    private var heap: [Entry] = []
    /// Who listens where; looked up only.
    private var listeners: [PeerAddress: Int] = [:]
    private var number = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        network = SeededRandom(seed: seed &* 31 &+ 7)
    }

    static func node(_ index: Int) -> NodeID { NodeID(high: UInt64(index + 1) << 32, low: 7) }
    static func address(_ index: Int) -> PeerAddress { PeerAddress("10.0.0.\(index + 1):8472")! }

    // MARK: Doing

    /// Starts a gateway that is not there yet; returns its index. `node` and `address` follow from the index unless
    /// given.
    @discardableResult
    mutating func add(
        node: NodeID? = nil, address: PeerAddress? = nil, seeds: [PeerAddress], kept: Incarnation = Incarnation(0)
    ) -> Int {
        let index = nodes.count
        let address = address ?? Self.address(index)
        let machine = makeMachine(node ?? Self.node(index), address, seeds, kept)
        nodes.append(Node(machine: machine, address: address, run: 0, kept: kept))
        listeners[address] = index
        step(index, .started)
        return index
    }

    mutating func addMany(_ count: Int) {
        for index in 0..<count { add(seeds: index == 0 ? [] : [Self.address(0)]) }
    }

    private mutating func makeMachine(
        _ node: NodeID, _ address: PeerAddress, _ seeds: [PeerAddress], _ kept: Incarnation
    ) -> Membership {
        var machine = Membership(
            identity: MemberIdentity(
                node: node, start: StartID(using: &random), name: "g\(node.high >> 32)",
                version: ProtocolVersion(major: 1, minor: 0), features: 1),
            address: address, incarnation: kept, seeds: seeds, settings: settings)
        machine.passenger = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        return machine
    }

    mutating func crash(_ index: Int) {
        nodes[index].isUp = false
        nodes[index].run += 1
    }

    mutating func restart(_ index: Int, at address: PeerAddress? = nil, seeds: [PeerAddress], kept: Incarnation? = nil)
    {
        let old = nodes[index]
        let address = address ?? old.address
        let kept = kept ?? old.kept
        let machine = makeMachine(old.machine.identity.node, address, seeds, kept)
        nodes[index] = Node(machine: machine, address: address, run: old.run + 1, kept: kept)
        listeners[address] = index
        step(index, .started)
    }

    mutating func step(_ index: Int, _ event: MembershipEvent) {
        steps += 1
        let directives = nodes[index].machine.step(event, now: now, using: &random)
        for directive in directives { perform(directive, for: index) }
    }

    private mutating func perform(_ directive: MembershipDirective, for index: Int) {
        switch directive {
        case .datagram(let bytes, let to):
            precondition(bytes.count <= MembershipLimits.datagramBytes)
            datagramBytes += bytes.count
            let copies = chance(loss) ? 0 : chance(doubling) ? 2 : 1
            for _ in 0..<copies { push(after: delay(), .datagram(bytes, from: index, to: to)) }
        case .frame(let bytes, let to):
            precondition(bytes.count <= MembershipLimits.frameBytes)
            frameBytes += bytes.count
            if streamsWork { push(after: delay() * 2, .frame(bytes, from: index, to: to)) }
        case .wake(let at):
            nodes[index].wakeAt = at
            push(after: max(now.duration(to: at).nanoseconds, 0), .tick(index, run: nodes[index].run))
        case .changed(let member): changes.append(Change(at: now, by: index, member: member))
        case .passenger: break
        case .keep(let incarnation):
            precondition(incarnation > nodes[index].kept, "an incarnation went back")
            nodes[index].kept = incarnation
        case .cloned(let address):
            nodes[index].clonedBy = address
            crash(index)
        case .left:
            nodes[index].hasLeft = true
            crash(index)
        case .alarm(let text): alarms.append(text)
        }
    }

    private mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &network) < probability
    }

    private mutating func delay() -> Int64 { Int64.random(in: delays, using: &network) }

    // MARK: Time

    mutating func run(seconds: Double) {
        let end = now.nanoseconds + Int64(seconds * 1e9)
        while let first = heap.first, first.at <= end {
            pop()
            now = MonotonicInstant(nanoseconds: max(first.at, now.nanoseconds))
            happen(first.happening)
        }
        now = MonotonicInstant(nanoseconds: end)
    }

    /// Runs until `condition` holds, looked at every 100 ms; returns the seconds that it took, `nil` where it did not
    /// come.
    mutating func run(upTo seconds: Double, until condition: (Cluster) -> Bool) -> Double? {
        var passed = 0.0
        while passed < seconds {
            if condition(self) { return passed }
            run(seconds: 0.1)
            passed += 0.1
        }
        return condition(self) ? passed : nil
    }

    private mutating func happen(_ happening: Happening) {
        switch happening {
        case .tick(let index, let run):
            let node = nodes[index]
            if node.isUp, node.run == run, node.wakeAt == now { step(index, .tick) }
        case .datagram(let bytes, let from, let to):
            guard let index = listener(at: to), reaches(from, index) else { return }
            hand(index, .datagram(bytes, from: nodes[from].address))
        case .frame(let bytes, let from, let to):
            guard let index = listener(at: to), reaches(from, index) else {
                push(after: 1_000_000_000, .unreachable(to, to: from, run: nodes[from].run))
                return
            }
            hand(index, .frame(bytes, from: nodes[from].address))
        case .unreachable(let address, let index, let run):
            if nodes[index].isUp, nodes[index].run == run { step(index, .unreachable(address)) }
        }
    }

    private mutating func hand(_ index: Int, _ packet: MembershipEvent) {
        if recordedFor == index { recorded.append(packet) }
        step(index, packet)
    }

    private func listener(at address: PeerAddress) -> Int? {
        listeners[address].flatMap { nodes[$0].isUp && nodes[$0].address == address ? $0 : nil }
    }

    private func reaches(_ from: Int, _ to: Int) -> Bool { island[from, default: 0] == island[to, default: 0] }

    // MARK: Seeing

    func states(of node: NodeID, at observers: [Int]) -> [MemberState?] {
        observers.map { nodes[$0].machine.member(node)?.state }
    }

    var up: [Int] { nodes.indices.filter { nodes[$0].isUp } }

    /// Every gateway that is up holds every other one for alive, in its present run.
    var isWhole: Bool {
        up.allSatisfy { observer in
            up.allSatisfy { other in
                let machine = nodes[other].machine
                guard other != observer else { return true }
                let seen = nodes[observer].machine.member(machine.identity.node)
                return seen?.state == .alive && seen?.identity == machine.identity && seen?.address == machine.address
            }
        }
    }

    func deaths(of node: NodeID? = nil) -> [Change] {
        changes.filter { $0.member.state == .dead && (node == nil || $0.member.node == node) }
    }

    // MARK: Heap, by (time, insertion)

    private mutating func push(after nanoseconds: Int64, _ happening: Happening) {
        number += 1
        heap.append(Entry(at: now.nanoseconds + nanoseconds, number: number, happening: happening))
        var child = heap.count - 1
        while child > 0, comesFirst(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && comesFirst(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func comesFirst(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
    }
}
