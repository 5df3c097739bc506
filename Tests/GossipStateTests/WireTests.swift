import Environment
import Model
import Testing

@testable import GossipState

@Suite("The bytes")
struct WireTests {
    private static let life = Life(incarnation: Incarnation(300), start: StartID(0x0102_0304_0506_0708))
    private static let ours = WriterID(node: nodeID(0), life: life, isShared: false)
    private static let shared = WriterID(node: nodeID(1), life: life, isShared: true)

    private static func delta() throws -> [UInt8] {
        var one = GossipState(
            node: nodeID(0), start: StartID(0x0102_0304_0506_0708), incarnation: Incarnation(300), spaces: Space.all)
        var random = SeededRandom(seed: 1)
        _ = try one.put([1, 2, 3], for: name(Space.own, "a"), now: at(1))
        _ = try one.put([4], for: name(Space.own, "b"), now: at(1))
        _ = try one.remove(name(Space.own, "a"), now: at(1))
        _ = try one.put([5], for: name(Space.register, "r"), wall: Milliseconds(1_700_000_000_000), now: at(1))
        _ = try one.insert([6], into: name(Space.set, "s"), now: at(1))
        _ = try one.removeElement([6], from: name(Space.set, "s"), now: at(1))
        _ = try one.add(-200, to: name(Space.counter, "c"), now: at(1))
        let directives = one.step(.push(to: [nodeID(1)]), now: at(1), using: &random)
        guard case .datagram(let bytes, _)? = directives.first(where: \.isMessage) else { return [] }
        return bytes
    }

    private static func messages() throws -> [[UInt8]] {
        let lines = [
            Known(writer: ours, version: 7, collected: 2), Known(writer: shared, version: 9, alive: 0xAB),
        ]
        return [
            GossipWire.encode(.summary(life, buckets: (0..<32).map { UInt64($0) })),
            GossipWire.encode(.page(life, tags: 5...(.max), lines)),
            GossipWire.encode(.wants(life, lines)),
            try delta(),
            GossipWire.encode(.ack(life, of: life, own: 3, shared: 1000)),
            GossipWire.encode(
                .alive(life, [StateListing(writer: shared, from: 1, through: 300, collected: 5, versions: [2, 290])])),
        ]
    }

    private static let golden: [String] = [
        "11ac020807060504030201" + (0..<32).map { hex([UInt8($0), 0, 0, 0, 0, 0, 0, 0]) }.joined(),
        "12ac0208070605040302010500000000000000ffffffffffffffff0000000000000000000100000000000000ac020807"
            + "060504030201070200000000000000000100000000000000000200000000000000ac0208070605040302010900ab0000"
            + "0000000000",
        "13ac0208070605040302010000000000000000000100000000000000ac02080706050403020107020000000000000000"
            + "0100000000000000000200000000000000ac0208070605040302010900ab00000000000000",
        "1404ac0208070605040302010000000000000000000100000000000000ac020807060504030201000300000202010001"
            + "6201040101010161000100000000000000000100000000000000ac020807060504030201000400000301020001720900"
            + "000068e5cf8b010502030301730106010001040001630300c801",
        "15ac020807060504030201ac02080706050403020103e807",
        "16ac0208070605040302010100000000000000000200000000000000ac02080706050403020101ab02050201a002",
    ]

    @Test("are those that earlier versions wrote, and read back as they were meant")
    func golden() throws {
        #expect(try Self.messages().map(Self.hex) == Self.golden)
        for bytes in try Self.messages() {
            let message = try GossipWire.decode(bytes)
            // Fields of a later version stand behind the kind.
            #expect(try GossipWire.decode([bytes[0] | 0x80, 2, 7, 7] + bytes.dropFirst()) == message)
            #expect(throws: FormatError.self) { try GossipWire.decode([bytes[0] | 0x80, 200]) }
            if case .delta(_, let flags, let sections) = message {
                #expect(flags == .wantsAck && sections.count == 2)
                #expect(sections.map(\.entries.count) == [2, 3])
            } else {
                #expect(GossipWire.encode(message) == bytes)
            }
        }
    }

    @Test("of any kind, changed in any way, end in a message or an error, and leave the state whole")
    func mutants() throws {
        var random = SeededRandom(seed: 11)
        let messages = try Self.messages()
        var fresh = member(1, incarnation: 300)
        _ = try fresh.insert([6], into: name(Space.set, "s"), now: at(1))
        var state = fresh
        var understood = 0
        for round in 0..<24_000 {
            var bytes = messages[round % messages.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
            if (try? GossipWire.decode(bytes)) != nil { understood += 1 }
            if round.isMultiple(of: 50) { state = fresh }
            let event: GossipEvent =
                round.isMultiple(of: 7) ? .passenger(bytes, from: nodeID(0)) : .datagram(bytes, from: nodeID(0))
            for case .datagram(let answer, _) in state.step(event, now: at(Int64(round)), using: &random) {
                #expect(answer.count <= GossipLimits.datagramBytes)
            }
            #expect(state.store.writers.allSatisfy { $0.version <= GossipLimits.version })
        }
        #expect(understood > 2000 && understood < 23_000)
        var last = member(5)
        for round in 0..<4 { exchange(&last, &state, at(30_000 + 100 * Int64(round))) }
        #expect(last.elements(name(Space.set, "s")) == state.elements(name(Space.set, "s")))
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.remove(at: at)
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
        case 4: bytes.removeLast(bytes.count - at)
        default: bytes.replaceSubrange(at..<at, with: [UInt8](repeating: 0xFF, count: 9))
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
