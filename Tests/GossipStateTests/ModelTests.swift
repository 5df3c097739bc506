import Environment
import Model
import Testing

@testable import GossipState

@Suite("Consistency models")
struct ModelTests {
    @Test("the contract holds for registers", arguments: ModelContract.cases)
    func registers(contract: ModelContract) throws {
        for seed in 0..<60 {
            try contract.check(Space.register, { Self.register(&$0) }, UInt64(seed))
        }
    }

    @Test("the contract holds for sets", arguments: ModelContract.cases)
    func sets(contract: ModelContract) throws {
        for seed in 0..<60 {
            try contract.check(Space.set, { Self.set(&$0) }, UInt64(seed))
        }
    }

    @Test("the contract holds for counters", arguments: ModelContract.cases)
    func counters(contract: ModelContract) throws {
        for seed in 0..<60 {
            try contract.check(Space.counter, { ([], .add(Int64.random(in: -9...9, using: &$0))) }, UInt64(seed))
        }
    }

    private static func register(_ random: inout SeededRandom) -> (element: [UInt8], change: StateChange) {
        let value = UInt8.random(in: 0...255, using: &random)
        return ([], value < 60 ? .remove : .put([value]))
    }

    private static func set(_ random: inout SeededRandom) -> (element: [UInt8], change: StateChange) {
        ([UInt8.random(in: 0...2, using: &random)], Bool.random(using: &random) ? .insert : .discard)
    }

    @Test("the judge sees members that know the same and read differently, and values that nobody wrote")
    func judge() {
        let name = name(Space.register, "k")
        var history = StateHistory()
        history.changes = [(name, [], .put([1])), (name, [], .put([2]))]
        func reading(_ context: UInt64, _ value: [UInt8]) -> StateHistory.Reading {
            StateHistory.Reading(replica: "r", context: context, name: name, value: .bytes(value))
        }
        history.readings = [reading(1, [1]), reading(2, [2])]
        #expect(EventualJudge().faults(in: history) == [])
        history.readings.append(reading(1, [2]))
        #expect(EventualJudge().faults(in: history).count == 1)
        history.readings.append(reading(3, [3]))
        #expect(EventualJudge().faults(in: history).count == 2)
        history.final = [reading(4, [1]), reading(5, [2])]
        #expect(EventualJudge().faults(in: history).count == 3)
    }

    @Test("an add that a removal did not know of survives it; one that it knew does not")
    func addWins() throws {
        let name = name(Space.set, "s")
        var (one, other) = (member(0), member(1))
        _ = try one.insert([7], into: name, now: at(1))
        exchange(&one, &other, at(2))
        _ = try other.removeElement([7], from: name, now: at(3))
        _ = try one.insert([7], into: name, now: at(3))
        _ = try one.insert([8], into: name, now: at(3))
        for round in 1..<4 { exchange(&one, &other, at(30 * Int64(round))) }
        #expect(one.elements(name) == [[7], [8]])
        #expect(other.elements(name) == [[7], [8]])
        _ = try other.removeElement([7], from: name, now: at(100))
        exchange(&one, &other, at(200))
        #expect(one.elements(name) == [[8]])
    }

    @Test("a set of members that always tell each other is a set", arguments: 0..<10)
    func reference(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let name = name(Space.set, "s")
        var (one, other) = (member(0), member(1))
        var wanted: Set<[UInt8]> = []
        for turn in 0..<60 {
            let (element, change) = Self.set(&random)
            let now = at(Int64(turn) * 30)
            if turn.isMultiple(of: 2) {
                _ = try one.make(change, name, element, wall: nil, now)
            } else {
                _ = try other.make(change, name, element, wall: nil, now)
            }
            if change == .insert { wanted.insert(element) } else { wanted.remove(element) }
            exchange(&one, &other, now)
            #expect(Set(one.elements(name)) == wanted && Set(other.elements(name)) == wanted)
        }
    }

    @Test("a counter is the sum of what all added, however often that is told")
    func counterSums() throws {
        let name = name(Space.counter, "c")
        var (one, other) = (member(0), member(1))
        for amount in [5, -7, 20] as [Int64] {
            _ = try one.add(amount, to: name, now: at(1))
            _ = try other.add(amount * 100, to: name, now: at(1))
        }
        for round in 1..<4 { exchange(&one, &other, at(30 * Int64(round))) }
        #expect(one.count(name) == 1818 && other.count(name) == 1818)
        #expect(throws: GossipError.overflow) { try one.add(.max, to: name, now: at(200)) }
        #expect(one.count(name) == 1818)
    }

    @Test("the later wall clock wins a register, and a write that saw another comes after it whatever its clock says")
    func lastWriter() throws {
        let name = name(Space.register, "r")
        var (one, other) = (member(0), member(1))
        _ = try one.put([1], for: name, wall: Milliseconds(2_000_000), now: at(1))
        _ = try other.put([2], for: name, wall: Milliseconds(1_000_000), now: at(1))
        exchange(&one, &other, at(2))
        #expect(one.value(name) == [1] && other.value(name) == [1])
        _ = try other.put([3], for: name, wall: Milliseconds(1_000_001), now: at(3))
        exchange(&one, &other, at(40))
        #expect(one.value(name) == [3] && other.value(name) == [3])
    }

    @Test("a timestamp from the far future is counted, kept and can be written over, but the clock does not follow it")
    func skew() throws {
        let name = name(Space.register, "r")
        var (far, near) = (member(0), member(1))
        near.set(wall: Milliseconds(1_000_000), now: at(1))
        _ = try far.put([1], for: name, wall: Milliseconds(9_000_000), now: at(1))
        exchange(&far, &near, at(2))
        #expect(near.value(name) == [1])
        #expect(near.statistics.skewed == 1)
        _ = try near.put([2], for: name, now: at(3))
        #expect(near.value(name) == [2])
        let next = near.clock.stamp(after: nil, now: at(4))
        #expect(next < HybridTime(Milliseconds(1_070_000)))
        exchange(&far, &near, at(40))
        #expect(far.value(name) == [2])
    }

    @Test("a board in 1970 follows the others' clock, and comes back to the wall once it knows it")
    func epoch() {
        var clock = HybridClock(mostSkew: .seconds(60))
        let remote = HybridTime(Milliseconds(9_000_000))
        let follows = clock.follow(remote, now: at(1))
        let early = clock.stamp(after: nil, now: at(1))
        #expect(follows && early > remote)
        clock.set(wall: Milliseconds(1_000_000), now: at(2))
        let late = clock.stamp(after: nil, now: at(2))
        #expect(late <= HybridTime(Milliseconds(1_000_000)).next)
        let last = clock.stamp(after: HybridTime(.max), now: at(2))
        #expect(last == HybridTime(.max))
    }
}
