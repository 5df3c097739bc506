import Environment
import GossipState
import Model
import Testing

@testable import GatewayCore

/// What comes from peers is taken for what it is, whatever the bytes.
@Suite struct CoveyMessageTests {
    private let sender = Envelope.Sender(node: NodeID(high: 1, low: 2), start: StartID(3))

    @Test("An envelope says whose message it is and leaves the message as it was")
    func envelopes() {
        #expect(Envelope.open(Envelope.seal(membership: [7, 8])) == .membership([7, 8]))
        #expect(Envelope.open(Envelope.seal(.gossip, from: sender, [9])) == .gossip(sender, [9]))
        #expect(Envelope.open(Envelope.seal(.replication, from: sender, [])) == .replication(sender, []))
        #expect(
            Envelope.seal(.gossip, from: sender, [9])
                == [0x12, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9])
    }

    @Test("Another version, another kind and an envelope that is cut are no messages")
    func strangeEnvelopes() {
        let bytes = Envelope.seal(.gossip, from: sender, [9])
        #expect(Envelope.open([]) == nil)
        #expect(Envelope.open([0x22] + bytes.dropFirst()) == nil)
        #expect(Envelope.open([0x1F] + bytes.dropFirst()) == nil)
        for count in 1..<25 { #expect(Envelope.open(Array(bytes.prefix(count))) == nil) }
    }

    @Test("Health and values of peers come back as they were, and arbitrary bytes end in a value or in nothing")
    func bulletins() {
        var health = PeerHealth()
        health.pending = 300
        health.held = 70_000
        health.isDurable = false
        #expect(PeerHealth(health.bytes) == health)
        var golden = [health.bytes]
        for value in [Value.number(-2.5), .flag(true), .text("Online")] {
            let reading = Reading(
                series: Series(device: DeviceID("soil-3"), metric: "moisture", unit: "%"),
                stamp: Stamp(
                    boot: BootID(high: 1, low: 2), uptime: Microseconds(3), wallOffset: Microseconds(4), isTrusted: true
                ),
                value: value, quality: .stale)
            let stored = StoredReading(log: LogID(5), offset: Offset(6), reading: reading)
            let told = PeerValue(stored, at: Milliseconds(-7))
            #expect(PeerValue(told.bytes) == told)
            golden.append(told.bytes)
        }
        var random = SeededRandom(seed: 1)
        var understood = 0
        for _ in 0..<20_000 {
            var bytes = golden[Int.random(in: 0..<golden.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            if PeerHealth(bytes) != nil { understood += 1 }
            if let value = PeerValue(bytes), PeerValue(value.bytes) == value { understood += 1 }
            if Envelope.open(bytes) != nil { understood += 1 }
        }
        #expect(understood > 1000)
    }

    @Test("Bytes from strangers, of every kind, are counted and change nothing")
    func strangers() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 10)
        let before = covey.core(0).cluster?.gossip.context
        var random = SeededRandom(seed: 2)
        let address = try #require(PeerAddress("stranger"))
        for _ in 0..<2000 {
            var bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if !bytes.isEmpty, Bool.random(using: &random) { bytes[0] = 0x10 | UInt8.random(in: 1...3, using: &random) }
            covey.step(.datagram(bytes, from: address), 0)
            covey.step(.frame(bytes, from: address), 0)
        }
        #expect(covey.core(0).cluster?.gossip.context == before)
        #expect(covey.core(0).cluster?.alive.count == 2)
        #expect((covey.core(0).cluster?.ignored.total ?? 0) > 1000)
    }
}
