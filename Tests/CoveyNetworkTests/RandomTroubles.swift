import Environment
import TestKit

/// What befalls a covey in one round, drawn from a seed.
enum Trouble: CustomStringConvertible {
    /// Killed as if the power went, back at the end of the round.
    case kill([Int])
    /// The first group hears nothing from the others, nor they from it; all reach the sink.
    case isolate([Int])
    /// The second does not hear the first.
    case deafen(Int, to: Int)
    /// Does not reach the sink, nor hears it.
    case sinkless([Int])
    case loss(Int)

    /// - Parameter count: Gateways. Some are always left as they are.
    init(among count: Int, using random: inout SeededRandom) {
        let some = Array(Array(0..<count).shuffled(using: &random).prefix(Int.random(in: 1..<count, using: &random)))
        switch Int.random(in: 0..<8, using: &random) {
        case 0...2: self = .kill(some)
        case 3, 4: self = .isolate(some)
        case 5:
            let pair = Array(0..<count).shuffled(using: &random)
            self = .deafen(pair[0], to: pair[1])
        case 6: self = .sinkless(some)
        default: self = .loss(Int.random(in: 5...30, using: &random))
        }
    }

    var description: String {
        switch self {
        case .kill(let victims): "kill -9 \(victims)"
        case .isolate(let group): "\(group) apart"
        case .deafen(let one, let other): "\(other) does not hear \(one)"
        case .sinkless(let group): "\(group) without the sink"
        case .loss(let percent): "\(percent) % lost"
        }
    }

    func happen(to fleet: Fleet, _ lab: LabNetwork) async throws {
        switch self {
        case .kill(let victims): for victim in victims { await fleet.members[victim].kill() }
        case .isolate(let group): try await lab.isolate(Set(group.map { LabNetwork.Place($0) }))
        case .deafen(let one, let other):
            try await lab.cut(from: LabNetwork.Place(one), to: LabNetwork.Place(other))
        case .sinkless(let group): try await lab.isolate(Set(group.map { LabNetwork.Place($0) }), from: [.outside])
        case .loss(let percent): try await lab.loss(percent)
        }
    }

    var victims: [Int] {
        if case .kill(let victims) = self { victims } else { [] }
    }
}
