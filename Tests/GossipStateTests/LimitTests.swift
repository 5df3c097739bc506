import Environment
import Model
import Testing

@testable import GossipState

@Suite("Bounds")
struct LimitTests {
    private let key = name(Space.own, "k")

    @Test("writes beyond a bound throw what is wrong and change nothing")
    func writes() throws {
        var one = member(0)
        let long = [UInt8](repeating: 0, count: GossipLimits.valueBytes + 1)
        #expect(throws: GossipError.valueLength(901)) { try one.put(long, for: key, now: at(1)) }
        #expect(throws: GossipError.valueLength(901)) { try one.put(long, for: name(Space.register, "r"), now: at(1)) }
        #expect(throws: GossipError.valueLength(257)) {
            try one.insert([UInt8](repeating: 0, count: 257), into: name(Space.set, "s"), now: at(1))
        }
        #expect(throws: GossipError.keyLength(0)) { try one.put([], for: StateName(Space.own, []), now: at(1)) }
        let wide = StateName(Space.own, [UInt8](repeating: 0, count: 65))
        #expect(throws: GossipError.keyLength(65)) { try one.put([], for: wide, now: at(1)) }
        #expect(throws: GossipError.notOfThisKind) { try one.add(1, to: key, now: at(1)) }
        #expect(throws: GossipError.notOfThisKind) { try one.put([1], for: name(Space.counter, "c"), now: at(1)) }
        #expect(one.version == 0 && one.store.bytes == 0)
    }

    @Test("a writer's entries per space and all bytes together are bounded; removing makes room")
    func room() throws {
        var settings = GossipSettings()
        settings.entriesPerSpace = 3
        var one = member(0, settings: settings)
        for number in 0..<3 { _ = try one.put([1], for: name(Space.own, "k\(number)"), now: at(1)) }
        #expect(throws: GossipError.tooManyEntries(Space.own)) { try one.put([1], for: key, now: at(1)) }
        _ = try one.put([2], for: name(Space.own, "k0"), now: at(1))
        settings.entriesPerSpace = 1024
        settings.mostBytes = 2000
        var other = member(0, settings: settings)
        let value = [UInt8](repeating: 1, count: 900)
        _ = try other.put(value, for: name(Space.own, "a"), now: at(1))
        _ = try other.put(value, for: name(Space.own, "b"), now: at(1))
        #expect(throws: GossipError.full) { try other.put(value, for: key, now: at(1)) }
        _ = try other.remove(name(Space.own, "a"), now: at(1))
        _ = try other.put(value, for: key, now: at(1))
        #expect(other.own(other.node, key) == value)
    }

    @Test("remote entries without room are counted, and come once there is room again")
    func remote() throws {
        var settings = GossipSettings()
        settings.mostBytes = 1500
        var (one, other) = (member(0), member(1, settings: settings))
        let value = [UInt8](repeating: 1, count: 900)
        _ = try one.put(value, for: name(Space.own, "a"), now: at(1))
        _ = try one.put(value, for: name(Space.own, "b"), now: at(1))
        push(&one, to: &other, at(1))
        #expect(other.ownEntries(Space.own).map(\.key) == [Array("a".utf8)])
        #expect(other.statistics.refused == 1 && one.acknowledged(by: other.node) == 1)
        _ = try one.remove(name(Space.own, "a"), now: at(2))
        push(&one, to: &other, at(10))
        #expect(other.statistics.refused == 2)
        _ = try one.put([1], for: name(Space.own, "b"), now: at(20))
        push(&one, to: &other, at(30))
        #expect(other.ownEntries(Space.own).map(\.key) == [Array("b".utf8)])
        #expect(one.acknowledged(by: other.node) == one.version)
    }

    @Test("a key written over and over keeps log, deaths and bytes small")
    func churn() throws {
        var (one, other) = (member(0), member(1))
        let register = name(Space.register, "r")
        for round in 0..<2000 {
            let now = at(Int64(round))
            _ = try one.put([UInt8(round & 255)], for: key, now: now)
            _ = try one.remove(key, now: now)
            _ = try one.put([1], for: register, now: now)
            if round.isMultiple(of: 50) { push(&one, to: &other, now) }
            _ = try other.put([2], for: register, now: now)
            if round.isMultiple(of: 50) { push(&other, to: &one, now) }
        }
        for state in [one, other] {
            #expect(state.store.bytes < 1000)
            #expect(state.store.dead.count <= 128)
            #expect(state.store.writers.allSatisfy { $0.log.count <= 64 })
        }
    }

    @Test("writers beyond the bound are refused and counted")
    func writers() throws {
        var settings = GossipSettings()
        settings.mostWriters = 3
        var one = member(100, settings: settings)
        for number in 0..<5 {
            var writer = member(number)
            _ = try writer.put([1], for: key, now: at(1))
            push(&writer, to: &one, at(1))
        }
        #expect(one.ownEntries(Space.own).count == 2)
        #expect(one.statistics.refused == 3)
    }
}
