import Environment
import Model

@testable import GossipState

/// What every multi-writer consistency model must keep, whatever it promises beside: run with each space.
struct ModelContract: CustomStringConvertible, Sendable {
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// A change that the space's kind has, on few enough keys and elements to collide.
    typealias Draw = @Sendable (inout SeededRandom) -> (element: [UInt8], change: StateChange)

    let description: String
    let check: @Sendable (KeySpaceName, Draw, UInt64) throws -> Void

    static let cases = [
        ModelContract(
            description: "whatever comes late, twice or never, equal knowledge reads alike, and in the end all agree"
        ) {
            space, draw, seed in
            var random = SeededRandom(seed: seed)
            var members = (0..<3).map { member($0) }
            let (messages, history) = try scatter(&members, space, draw, &random)
            var judged = history
            for _ in 0..<60 {
                let index = Int.random(in: 0..<3, using: &random)
                guard let message = messages.randomElement(using: &random), message.from != index else { continue }
                members[index].hear(message.bytes, from: nodeID(message.from), at(1))
                for (index, member) in members.enumerated() { judged.readings.append(reading(member, index, space)) }
            }
            meet(&members, at(20))
            for (index, member) in members.enumerated() { judged.final.append(reading(member, index, space)) }
            if let fault = members[0].store.model(space.rawValue)?.judge.faults(in: judged).first {
                throw Broken(description: fault)
            }
        },
        ModelContract(description: "hearing all again changes nothing") { space, draw, seed in
            var random = SeededRandom(seed: seed)
            var members = (0..<3).map { member($0) }
            let (messages, _) = try scatter(&members, space, draw, &random)
            meet(&members, at(20))
            let before = (members[0].context, members[0].read(StateName(space, [1])), members[0].passenger)
            for message in messages where message.from != 0 {
                members[0].hear(message.bytes, from: nodeID(message.from), at(21))
            }
            try expect(before == (members[0].context, members[0].read(StateName(space, [1])), members[0].passenger))
        },
        ModelContract(description: "two members' writes merge to the same in either order") { space, draw, seed in
            var random = SeededRandom(seed: seed)
            var members = (0..<2).map { member($0) }
            let (messages, _) = try scatter(&members, space, draw, &random)
            var (one, other) = (member(8), member(9))
            for message in messages { one.hear(message.bytes, from: nodeID(message.from), at(1)) }
            let last = messages.filter { $0.from == 1 } + messages.filter { $0.from == 0 }
            for message in last { other.hear(message.bytes, from: nodeID(message.from), at(1)) }
            try expect(one.read(StateName(space, [1])) == other.read(StateName(space, [1])))
        },
        ModelContract(description: "what was removed and collected never comes back from one that was away") {
            space, draw, seed in
            var random = SeededRandom(seed: seed)
            var members = (0..<3).map { member($0) }
            _ = try scatter(&members, space, draw, &random)
            meet(&members, at(20))
            let name = StateName(space, [1])
            try erase(&members[0], name)
            for round in 0..<2 { meet(&members, 1, 0, at(200 + Int64(round) * 30)) }
            let wanted = members[0].read(name)
            try expect(members[1].context == members[0].context)
            _ = members[0].tick(at(4000))
            _ = members[1].tick(at(4000))
            for round in 0..<3 { meet(&members, at(5000 + 100 * Int64(round))) }
            for member in members { try expect(member.read(name) == wanted) }
        },
    ]

    private static func expect(_ holds: Bool, line: Int = #line) throws {
        if !holds { throw Broken(description: "line \(line)") }
    }

    private static func reading(_ member: GossipState, _ index: Int, _ space: KeySpaceName) -> StateHistory.Reading {
        let name = StateName(space, [1])
        return StateHistory.Reading(
            replica: "\(index)", context: member.knowledge, name: name, value: member.read(name))
    }

    /// Some writes of each, and messages that tell of parts of them.
    private static func scatter(
        _ members: inout [GossipState], _ space: KeySpaceName, _ draw: Draw, _ random: inout SeededRandom
    ) throws -> (messages: [(from: Int, bytes: [UInt8])], history: StateHistory) {
        var messages: [(from: Int, bytes: [UInt8])] = []
        var history = StateHistory()
        let name = StateName(space, [1])
        for _ in 0..<12 {
            let index = Int.random(in: 0..<members.count, using: &random)
            let before = members[index].sharedVersion
            let (element, change) = draw(&random)
            let wall = Milliseconds(1_700_000_000_000 + .random(in: -9...9, using: &random))
            _ = try members[index].make(change, name, element, wall: wall, at(1))
            history.changes.append((name, element, change))
            messages.append((index, members[index].delta(shared: before)))
            if Bool.random(using: &random), let message = messages.randomElement(using: &random), message.from != index
            {
                members[index].hear(message.bytes, from: nodeID(message.from), at(1))
            }
        }
        for index in members.indices { messages.append((index, members[index].delta(shared: 0))) }
        return (messages, history)
    }

    /// Exchanges of all with all, until they know the same.
    private static func meet(_ members: inout [GossipState], _ now: MonotonicInstant) {
        for round in 0..<3 {
            for first in members.indices {
                for second in members.indices where first < second {
                    meet(&members, first, second, now.advanced(by: .seconds(25 * round)))
                }
            }
        }
    }

    private static func meet(_ members: inout [GossipState], _ first: Int, _ second: Int, _ now: MonotonicInstant) {
        var (one, other) = (members[first], members[second])
        exchange(&one, &other, now)
        (members[first], members[second]) = (one, other)
    }

    private static func erase(_ member: inout GossipState, _ name: StateName) throws {
        switch member.read(name) {
        case .bytes: _ = try member.remove(name, now: at(190))
        case .elements(let elements):
            for element in elements { _ = try member.removeElement(element, from: name, now: at(190)) }
        case .count, nil: break
        }
    }
}
