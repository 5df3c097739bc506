import Environment
import Model
import Testing

@testable import GossipState

@Suite("How news travels")
struct ExchangeTests {
    private let key = name(Space.own, "log")

    @Test("a ping with another root brings two members to the same, in a page, a delta and a question, acknowledged")
    func ping() throws {
        var (one, other) = (member(0), member(1))
        _ = try one.put([1], for: key, now: at(1))
        _ = try other.put([2], for: key, now: at(1))
        let messages = exchange(&one, &other, at(2))
        #expect(messages.count == 5)
        #expect(one.passenger == other.passenger)
        #expect(one.own(other.node, key) == [2] && other.own(one.node, key) == [1])
        #expect(one.acknowledged(by: other.node) == 1 && other.acknowledged(by: one.node) == 0)
        #expect(exchange(&one, &other, at(60)).isEmpty)
    }

    @Test("a push is acknowledged, and not repeated once it is")
    func acknowledged() throws {
        var (one, other) = (member(0), member(1))
        for value in 1...3 as ClosedRange<UInt8> { _ = try one.put([value], for: key, now: at(1)) }
        #expect(push(&one, to: &other, at(2)).count == 2)
        #expect(one.version == 3 && one.acknowledged(by: other.node) == 3)
        #expect(other.own(one.node, key) == [3])
        #expect(push(&one, to: &other, at(3)).isEmpty)
    }

    @Test("a push whose acknowledgement stays out is repeated, ever more slowly; what is new goes at once")
    func repeated() throws {
        var one = member(0)
        var random = SeededRandom(seed: 1)
        _ = try one.put([1], for: key, now: at(1))
        var sent: [Int] = []
        for tick in 0..<200 {
            let now = MonotonicInstant(nanoseconds: 1_000_000_000 + Int64(tick) * 100_000_000)
            if tick == 100 { _ = try one.put([2], for: key, now: now) }
            if !one.step(.push(to: [nodeID(1)]), now: now, using: &random).filter(\.isMessage).isEmpty {
                sent.append(tick)
            }
        }
        #expect(sent == [0, 6, 18, 42, 90, 100, 196])
    }

    @Test("a member that restarted has acknowledged nothing, whatever comes late from its earlier life")
    func forgetful() throws {
        var (one, other) = (member(1), member(0))
        _ = try one.put([1], for: key, now: at(1))
        let late = push(&one, to: &other, at(2))
        var again = member(0, start: 7, incarnation: 2)
        exchange(&again, &one, at(3))
        #expect(one.acknowledged(by: again.node) == 0 || again.own(one.node, key) == [1])
        var empty = member(0, start: 8, incarnation: 3)
        _ = try empty.put([9], for: key, now: at(4))
        push(&empty, to: &one, at(4))
        #expect(one.acknowledged(by: empty.node) == 0)
        guard case .datagram(let ack, _)? = late.last else {
            Issue.record("no acknowledgement")
            return
        }
        one.hear(ack, from: empty.node, at(5))
        #expect(one.acknowledged(by: empty.node) == 0)
    }

    @Test("that a member restarted is known from others, too")
    func hearsay() throws {
        var (one, old, third) = (member(0), member(1), member(2))
        _ = try one.put([1], for: key, now: at(1))
        push(&one, to: &old, at(1))
        #expect(one.acknowledged(by: old.node) == 1)
        var new = member(1, start: 7, incarnation: 2)
        _ = try new.put([2], for: key, now: at(2))
        push(&new, to: &third, at(2))
        exchange(&old, &one, at(2))
        exchange(&one, &third, at(30))
        #expect(one.own(new.node, key) == [2])
        #expect(one.acknowledged(by: new.node) == 0)
    }

    @Test("a delta that begins beyond what is known is not taken, and the acknowledgement says from where")
    func gap() throws {
        var (one, other) = (member(0), member(1))
        let key = name(Space.set, "s")
        _ = try one.insert([1], into: key, now: at(1))
        _ = try one.insert([2], into: key, now: at(1))
        other.hear(one.delta(shared: 1), from: one.node, at(2))
        #expect(other.elements(key) == [] && other.statistics.gaps == 1)
        other.hear(one.delta(shared: 0), from: one.node, at(2))
        #expect(other.elements(key) == [[1], [2]])
    }

    @Test("a push that comes without the one before it is answered with a question, and all is here at once")
    func missedPush() throws {
        var (one, other) = (member(0), member(1))
        var random = SeededRandom(seed: 1)
        _ = try one.put([1], for: key, now: at(1))
        let lost = one.step(.push(to: [other.node]), now: at(1), using: &random).filter(\.isMessage)
        #expect(lost.count == 1)
        let second = name(Space.own, "second")
        _ = try one.put([2], for: second, now: at(1))
        push(&one, to: &other, at(1))
        #expect(other.statistics.gaps == 1)
        #expect(other.own(one.node, key) == [1] && other.own(one.node, second) == [2])
        #expect(one.acknowledged(by: other.node) == one.version)
    }

    @Test("whoever looks at acknowledgements is told when to look again")
    func acknowledgementsChange() throws {
        var (one, other) = (member(1), member(0))
        _ = try one.put([1], for: key, now: at(1))
        #expect(one.takeAcknowledgers().isEmpty)
        push(&one, to: &other, at(2))
        #expect(one.takeAcknowledgers() == [other.node])
        push(&one, to: &other, at(3))
        #expect(one.takeAcknowledgers().isEmpty)
        var again = member(0, start: 7, incarnation: 2)
        _ = try again.put([1], for: key, now: at(4))
        push(&again, to: &one, at(4))
        #expect(one.acknowledged(by: again.node) == 0 && one.takeAcknowledgers() == [again.node])
    }

    @Test("a joiner gets a large state in frames, one after the other without waiting")
    func joiner() throws {
        var (one, other) = (member(0), member(1))
        for number in 0..<300 {
            _ = try one.put([UInt8](repeating: 7, count: 800), for: name(Space.own, "k\(number)"), now: at(1))
        }
        let messages = exchange(&other, &one, at(2))
        #expect(other.passenger == one.passenger && other.isWhole)
        let frames = messages.filter { if case .frame = $0 { true } else { false } }
        #expect(frames.count == 4)
        #expect(other.ownEntries(Space.own).count == 300)
    }

    @Test("with many writers only the pages of buckets that differ are sent")
    func buckets() throws {
        var (one, other) = (member(200), member(201))
        for number in 0..<150 {
            var writer = member(number)
            _ = try writer.put([1], for: key, now: at(1))
            push(&writer, to: &one, at(1))
            push(&writer, to: &other, at(1))
        }
        var late = member(150)
        _ = try late.put([1], for: key, now: at(2))
        push(&late, to: &one, at(2))
        exchange(&one, &other, at(3))
        let messages = exchange(&one, &other, at(60))
        #expect(one.passenger == other.passenger && messages.isEmpty)
        _ = try late.put([2], for: key, now: at(70))
        push(&late, to: &one, at(70))
        let last = exchange(&one, &other, at(100))
        #expect(last.map(\.bytes).reduce(0, +) < 1200 && last.count <= 4)
        #expect(other.own(late.node, key) == [2])
    }

    @Test("an entry too large for a datagram goes in a frame")
    func largeEntry() throws {
        let key = name(Space.set, "s")
        var one = member(100)
        for number in 0..<120 {
            var writer = member(number == 100 ? 200 : number)
            _ = try writer.insert([1], into: key, now: at(1))
            push(&writer, to: &one, at(1))
        }
        _ = try one.removeElement([1], from: key, now: at(2))
        #expect(one.elements(key) == [])
        var other = member(101, start: 5, incarnation: 2)
        let messages = push(&one, to: &other, at(3))
        #expect(messages.contains { if case .frame = $0 { true } else { false } })
    }

    @Test("news reaches all of twenty members without one exchange, and then all is silent")
    func spread() {
        var net = TestNet(20, seed: 3)
        let took = net.settle(within: .seconds(120))
        #expect(took != nil)
        net.run(.seconds(5))
        let before = net.states.map(\.statistics.exchanges).reduce(0, +)
        net.write(4) { try $0.put([1], for: key, now: $1) }
        net.run(.seconds(4), pings: false)
        #expect(net.states.allSatisfy { $0.own(nodeID(4), key) == [1] })
        #expect(net.states.map(\.statistics.exchanges).reduce(0, +) == before)
        let sent = net.sent
        net.run(.seconds(60))
        #expect(net.sent == sent)
        #expect(net.longest <= GossipLimits.datagramBytes)
    }

    @Test("news of a crowd is passed on once, and no more when somebody knows all of it", arguments: [false, true])
    func crowd(isKnown: Bool) throws {
        var one = member(0)
        var random = SeededRandom(seed: 1)
        let nodes = (1...200).map { nodeID($0) }
        _ = one.step(.members(alive: nodes, known: nodes), now: at(1), using: &random)
        for number in 1...200 {
            var other = member(number)
            _ = try other.put([1], for: key, now: at(1))
            push(&other, to: &one, at(1))
        }
        if isKnown { _ = one.step(.passenger(one.passenger, from: nodeID(7)), now: at(1), using: &random) }
        var passedOn = 0
        for tick in 1...1000 {
            let now = at(1).advanced(by: .milliseconds(200 * tick))
            for case .datagram(let bytes, _) in one.step(.tick, now: now, using: &random) {
                if case .delta(_, _, let sections) = try GossipWire.decode(bytes) { passedOn += sections.count }
            }
        }
        // To three members a round: the first 64 for six rounds, as it is not a crowd yet, and the others for one.
        #expect(passedOn == (isKnown ? 0 : 3 * (64 * 6 + 136)))
    }

    @Test("five members that each write once a second send no more than 3 kB/s each")
    func traffic() {
        var net = TestNet(5, seed: 5)
        for second in 0..<30 {
            for index in 0..<5 {
                let value = [UInt8](repeating: UInt8(second), count: 100)
                net.write(index) { try $0.put(value, for: key, now: $1) }
                net.step(index, .push(to: net.nodes))
            }
            net.run(.seconds(1))
        }
        #expect(net.bytes / 30 / 5 < 3_000, "\(net.bytes / 150) B/s")
        #expect(net.states.allSatisfy { state in (0..<5).allSatisfy { state.own(nodeID($0), key)?.first == 29 } })
    }
}

extension GossipDirective {
    var isMessage: Bool { bytes > 0 }

    var bytes: Int {
        switch self {
        case .datagram(let bytes, _), .frame(let bytes, _): bytes.count
        case .wake, .changed, .forgotten: 0
        }
    }
}
