import Environment
import GossipState
import Model
import Testing

@Suite("Random histories")
struct RandomHistoryTests {
    @Test(
        "members that know the same read the same at every moment, and after all faults they agree", arguments: 0..<20)
    func converge(seed: UInt64) throws {
        var settings = GossipSettings()
        settings.collectAfter = .seconds(seed.isMultiple(of: 2) ? 8 : 3600)
        var net = TestNet(3 + Int(seed % 5), seed: seed, settings: settings)
        var judged = StateHistory()
        for turn in 0..<300 {
            churn(&net, turn)
            for _ in 0..<Int.random(in: 0...3, using: &net.random) { write(&net, &judged) }
            net.advance()
            if turn.isMultiple(of: 4) { read(net, into: &judged.readings) }
        }
        let took = net.settle(within: .seconds(200))
        #expect(took != nil, "\(net.states.map(\.statistics))")
        read(net, into: &judged.final)
        #expect(EventualJudge().faults(in: judged).prefix(5) == [])
        for index in net.states.indices { #expect(net.visible(index) == net.visible(0), "member \(index)") }
        #expect(net.states.allSatisfy { $0.statistics.malformed == 0 && $0.statistics.refused == 0 })
    }

    private func churn(_ net: inout TestNet, _ turn: Int) {
        let count = net.states.count
        switch Int.random(in: 0..<40, using: &net.random) {
        case 0:
            net.faults.part = (0..<count).map { _ in Int.random(in: 0...1, using: &net.random) }
        case 1:
            net.faults.part = Array(repeating: 0, count: count)
        case 2:
            net.faults.loss = Double.random(in: 0...0.5, using: &net.random)
            net.faults.doubling = Double.random(in: 0...0.3, using: &net.random)
            net.faults.mostDelay = .milliseconds(Int.random(in: 1...3000, using: &net.random))
        case 3 where turn > 50:
            net.restart(Int.random(in: 0..<count, using: &net.random))
        default: break
        }
    }

    private func write(_ net: inout TestNet, _ history: inout StateHistory) {
        let index = Int.random(in: 0..<net.states.count, using: &net.random)
        let key = "k\(Int.random(in: 0..<4, using: &net.random))"
        let value = [UInt8](
            repeating: .random(in: 0...255, using: &net.random), count: .random(in: 0...60, using: &net.random))
        let element = [UInt8.random(in: 0..<4, using: &net.random)]
        let skew = Int64.random(in: -500...500, using: &net.random)
        let wall = Milliseconds(1_700_000_000_000 + net.now.nanoseconds / 1_000_000 + skew)
        let (change, space): (StateChange, KeySpaceName)
        switch Int.random(in: 0..<9, using: &net.random) {
        case 0, 1: (change, space) = (.put(value), Space.own)
        case 2: (change, space) = (.remove, Space.own)
        case 3: (change, space) = (.put(value), Space.register)
        case 4: (change, space) = (.remove, Space.register)
        case 5, 6: (change, space) = (.insert, Space.set)
        case 7: (change, space) = (.discard, Space.set)
        default: (change, space) = (.add(Int64(value.count)), Space.counter)
        }
        let place = name(space, key)
        net.write(index) { state, now in
            switch change {
            case .put(let value): try state.put(value, for: place, wall: wall, now: now)
            case .remove: try state.remove(place, wall: wall, now: now)
            case .insert: try state.insert(element, into: place, now: now)
            case .discard: try state.removeElement(element, from: place, now: now)
            case .add(let amount): try state.add(amount, to: place, now: now)
            }
        }
        let isOfSet = change == .insert || change == .discard
        history.changes.append((place, isOfSet ? element : [], change))
        if net.chance(0.3) { net.step(index, .push(to: [net.nodes[(index + 1) % net.states.count]])) }
    }

    private func read(_ net: TestNet, into readings: inout [StateHistory.Reading]) {
        for (index, state) in net.states.enumerated() where state.isWhole {
            for space in [Space.register, Space.set, Space.counter] {
                for key in 0..<4 {
                    let name = name(space, "k\(key)")
                    readings.append(
                        StateHistory.Reading(
                            replica: "member \(index) at \(net.now.nanoseconds / 1_000_000)", context: state.context,
                            name: name, value: state.read(name)))
                }
            }
        }
    }
}
