import Environment
import Testing

@testable import Simulator

@Suite("The simulated network")
struct NetworkTests {
    private let second = SimulatedTime.second

    private func arrivals(
        _ network: inout Network, _ count: Int, bytes: Int = 100, seed: UInt64 = 1
    ) -> [[Int64]] {
        var random = SeededRandom(seed: seed)
        let message = [UInt8](repeating: 1, count: bytes)
        return (0..<count).map { _ in
            network.send(datagram: message, from: 0, to: 1, at: 0, using: &random, struck: { _ in })
        }
    }

    @Test("In fine weather every datagram comes once, within its delay")
    func fine() {
        var network = Network(size: 2)
        for arrival in arrivals(&network, 200) {
            #expect(arrival.count == 1)
            #expect((200_000...2_000_000).contains(arrival[0]))
        }
    }

    @Test("Bad weather loses, doubles and delays about as many as it says")
    func bad() {
        var network = Network(size: 2)
        network.weather = NetworkWeather(lost: 200, doubled: 100, straying: 100)
        let all = arrivals(&network, 10_000)
        #expect((1800...2200).contains(all.count { $0.isEmpty }))
        #expect((650...950).contains(all.count { $0.count == 2 }))
        #expect((600...950).contains(all.count { ($0.first ?? 0) > 5_000_000 }))
    }

    @Test("A cut is one way, a large datagram vanishes, and a clog lets nothing arrive before it ends")
    func conditions() {
        var network = Network(size: 2)
        network[0, 1].isCut = true
        #expect(arrivals(&network, 10).allSatisfy { $0.isEmpty })
        #expect(!network[1, 0].isCut)
        #expect(network.isStreamCut(1, 0))
        network.heal(at: 0)
        network.weather.mtu = 99
        #expect(arrivals(&network, 10).allSatisfy { $0.isEmpty })
        #expect(arrivals(&network, 10, bytes: 99).allSatisfy { $0.count == 1 })
        network[0, 1].cloggedUntil = 5 * second
        #expect(arrivals(&network, 10, bytes: 99).allSatisfy { $0 == [5 * second] })
    }

    @Test("Frames come in order, whatever their size, and none of a broken stream comes")
    func frames() {
        var network = Network(size: 2)
        var random = SeededRandom(seed: 3)
        var last: Int64 = 0
        var stream = 0
        for size in [100_000, 10, 50_000, 1] {
            let sent = network.send(
                frame: [UInt8](repeating: 0, count: size), from: 0, to: 1, at: 0, using: &random)
            #expect(sent.arrival > last)
            (last, stream) = sent
        }
        #expect(network[0, 1].framesUnderWay == 4)
        let isFirstThere = network.arrives(frameOf: stream, from: 0, to: 1)
        #expect(isFirstThere)
        network.breakStream(1, 0)
        let isSecondThere = network.arrives(frameOf: stream, from: 0, to: 1)
        #expect(!isSecondThere)
        #expect(network[0, 1].framesUnderWay == 2)
    }
}
