import Environment
import Model
import Testing

@testable import GossipState

/// Three members make two changes each; every write is told to every choice of the others, before the next or not at all.
@Suite("All ways of three members")
struct ExhaustiveTests {
    struct Run {
        var members: [GossipState]
        var seen: [UInt64: StateValue?] = [:]
        var leaves = 0
    }

    private static let place = name(Space.set, "s")
    private static let cell = name(Space.register, "r")

    @Test("of sets end alike, and equal knowledge reads alike on the way")
    func sets() throws {
        let changes: [StateChange] = [.insert, .insert, .discard, .discard, .insert, .discard]
        #expect(try explore(Self.place, [1], changes) == 4096)
    }

    @Test("of registers end alike, and equal knowledge reads alike on the way")
    func registers() throws {
        let changes: [StateChange] = [.put([1]), .remove, .put([2]), .put([3]), .remove, .put([4])]
        #expect(try explore(Self.cell, [], changes) == 4096)
    }

    private func explore(_ name: StateName, _ element: [UInt8], _ changes: [StateChange]) throws -> Int {
        try descend((0..<3).map { member($0) }, name, element, changes[...])
    }

    private func descend(
        _ members: [GossipState], _ name: StateName, _ element: [UInt8], _ changes: ArraySlice<StateChange>
    ) throws -> Int {
        for first in 0..<3 {
            for second in 0..<first where members[first].knowledge == members[second].knowledge {
                #expect(members[first].read(name) == members[second].read(name))
            }
        }
        guard let change = changes.first else {
            end(members, name)
            return 1
        }
        var members = members
        let index = changes.startIndex % 3
        let before = members[index].sharedVersion
        _ = try members[index].make(change, name, element, wall: nil, at(1))
        let message = members[index].delta(shared: before)
        var leaves = 0
        for choice in 0..<4 {
            var told = members
            for bit in 0..<2 where choice >> bit & 1 == 1 {
                told[(index + 1 + bit) % 3].hear(message, from: nodeID(index), at(1))
            }
            leaves += try descend(told, name, element, changes.dropFirst())
        }
        return leaves
    }

    private func end(_ members: [GossipState], _ name: StateName) {
        var members = members
        let messages = members.map { $0.delta(shared: 0) }
        for index in 0..<3 {
            for other in 0..<3 where other != index { members[index].hear(messages[other], from: nodeID(other), at(2)) }
        }
        #expect(members[0].context == members[1].context && members[0].context == members[2].context)
        #expect(members[0].read(name) == members[1].read(name) && members[0].read(name) == members[2].read(name))
    }
}
