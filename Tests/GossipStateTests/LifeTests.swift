import Environment
import Model
import Testing

@testable import GossipState

@Suite("Lives and members")
struct LifeTests {
    private let key = name(Space.own, "log")

    @Test("a newer life of a node ends its own entries everywhere; what it shared stays")
    func newerLife() throws {
        let shared = name(Space.register, "r")
        var (old, other) = (member(0), member(1))
        _ = try old.put([1], for: key, now: at(1))
        _ = try old.put([2], for: shared, now: at(1))
        push(&old, to: &other, at(1))
        var new = member(0, start: 1, incarnation: 2)
        exchange(&new, &other, at(2))
        #expect(other.own(old.node, key) == nil && new.own(old.node, key) == nil)
        #expect(other.value(shared) == [2] && new.value(shared) == [2])
        push(&old, to: &other, at(30))
        #expect(other.own(old.node, key) == nil)
        #expect(exchange(&new, &other, at(60)).isEmpty)
    }

    @Test("a node that lost its incarnation rises above what members remember, and says all anew")
    func lostIncarnation() throws {
        var (old, other) = (member(0, incarnation: 9), member(1))
        _ = try old.put([1], for: key, now: at(1))
        push(&old, to: &other, at(1))
        var new = member(0, start: 1, incarnation: 1)
        _ = try new.put([3], for: key, now: at(2))
        for round in 0..<3 { exchange(&new, &other, at(2 + 30 * Int64(round))) }
        #expect(new.incarnation == Incarnation(10))
        #expect(other.own(new.node, key) == [3])
        #expect(new.passenger == other.passenger)
    }

    @Test("a forgotten node's own entries go, are not taken in again, and come back once it is known again")
    func forgotten() throws {
        var (one, other, third) = (member(0), member(1), member(2))
        var random = SeededRandom(seed: 1)
        _ = try one.put([1], for: key, now: at(1))
        push(&one, to: &other, at(1))
        push(&one, to: &third, at(1))
        _ = other.step(.members(alive: [], known: [nodeID(0), nodeID(2)]), now: at(2), using: &random)
        let directives = other.step(.members(alive: [], known: [nodeID(2)]), now: at(3), using: &random)
        #expect(directives.contains(.forgotten(nodeID(0))))
        #expect(directives.contains(.changed(key, writer: nodeID(0))))
        #expect(other.own(nodeID(0), key) == nil)
        exchange(&other, &third, at(4))
        #expect(other.own(nodeID(0), key) == nil)
        _ = other.step(.members(alive: [], known: [nodeID(0), nodeID(2)]), now: at(5), using: &random)
        exchange(&other, &third, at(60))
        #expect(other.own(nodeID(0), key) == [1])
    }

    @Test("a writer that membership never names is forgotten after a while")
    func stranger() throws {
        var (one, other) = (member(0), member(1))
        _ = try one.put([1], for: key, now: at(1))
        push(&one, to: &other, at(1))
        #expect(!other.tick(at(600)).contains(.forgotten(nodeID(0))))
        #expect(other.tick(at(601)).contains(.forgotten(nodeID(0))))
        #expect(other.own(nodeID(0), key) == nil)
    }

    @Test("who was away while a removal was collected is reset for that writer, and learns what stands")
    func reset() throws {
        let kept = name(Space.own, "kept")
        var (one, other) = (member(0), member(1))
        var random = SeededRandom(seed: 1)
        _ = other.step(.members(alive: [], known: [nodeID(0)]), now: at(0), using: &random)
        _ = try one.put([1], for: key, now: at(1))
        _ = try one.put([2], for: kept, now: at(1))
        push(&one, to: &other, at(1))
        _ = try one.remove(key, now: at(2))
        #expect(one.tick(at(3)).isEmpty)
        _ = one.tick(at(3700))
        #expect(one.store.tables[1].rows.count == 1)
        #expect(other.own(one.node, key) == [1])
        exchange(&one, &other, at(3701))
        #expect(other.own(one.node, key) == nil && other.own(one.node, kept) == [2])
        #expect(one.passenger == other.passenger)
    }

    @Test("a space that is not known here is carried to others untouched")
    func unknownSpace() throws {
        let later = KeySpaceName(77)
        let name = StateName(later, [1])
        let spaces = Space.all + [SpaceDeclaration(later, Eventual.own)]
        func newer(_ number: Int) -> GossipState {
            GossipState(node: nodeID(number), start: StartID(9), incarnation: Incarnation(1), spaces: spaces)
        }
        var (one, old, other) = (newer(0), member(1), newer(2))
        _ = try one.put([1], for: name, now: at(1))
        push(&one, to: &old, at(1))
        #expect(throws: GossipError.unknownSpace(later)) { try old.put([2], for: name, now: at(1)) }
        exchange(&other, &old, at(2))
        #expect(other.own(one.node, name) == [1])
    }
}
