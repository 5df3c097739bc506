import Environment
import Model
import Testing

@testable import Membership

@Suite struct CodecTests {
    static let sender = NodeID(high: 0x1111_2222_3333_4444, low: 0x5555_6666_7777_8888)
    static let other = NodeID(high: 0xA, low: 0xB)

    static let records: [MemberRecord] = [
        MemberRecord(
            node: other, start: StartID(3), incarnation: Incarnation(300), state: .alive,
            profile: .init(
                name: "shed", address: PeerAddress("10.0.0.2:8472")!, version: ProtocolVersion(major: 1, minor: 4),
                features: 0x81, extra: [9, 8])),
        MemberRecord(
            node: other, start: StartID(3), incarnation: Incarnation(1), state: .suspect, accuser: sender),
        MemberRecord(node: other, start: StartID(3), incarnation: Incarnation(1), state: .dead, age: 200),
        MemberRecord(node: other, start: StartID(3), incarnation: Incarnation(2), state: .left, age: 0),
        MemberRecord(node: other, start: StartID(3), incarnation: Incarnation(2), state: .forgotten, age: 5),
    ]

    /// One of each kind; what the table pins.
    static let messages: [Message] = [
        .ping(sequence: 300, passenger: [1, 2], [records[1]]),
        .ack(sequence: 1, passenger: [], [records[0]]),
        .pingRequest(
            sequence: 2, node: other, start: StartID(3), address: PeerAddress("10.0.0.2:8472")!, [records[2]]),
        .nack(sequence: 2), .relayedAck(sequence: 2, start: StartID(3)), .rumours(records),
        .challenge(nonce: 0x0102_0304_0506_0708, node: other), .proof(nonce: 7, uptime: 86_400_000),
        .cloned(nonce: 7, elder: PeerAddress("10.0.0.2:8472")!), .sync(sequence: 4, digest: 0xFEDC_BA98),
        .same(sequence: 4), .state(sequence: 4, isLast: false, wantsAnswer: true, records),
    ]

    static func envelope(_ message: Message) -> Envelope {
        Envelope(sender: sender, start: StartID(0x77), recipient: StartID(0x99), message: message)
    }

    /// What other gateways of this version send, byte for byte.
    static let golden = [
        "014444333322221111888877776666555577000000000000009900000000000000ac020201022a010a00000000000000"
            + "0b000000000000000300000000000000014444333322221111888877776666555500",
        "024444333322221111888877776666555577000000000000009900000000000000010034080a000000000000000b0000"
            + "00000000000300000000000000ac0204736865640d31302e302e302e323a3834373201048101090800",
        "034444333322221111888877776666555577000000000000009900000000000000020a000000000000000b0000000000"
            + "000003000000000000000d31302e302e302e323a383437321c020a000000000000000b00000000000000030000000000"
            + "000001c80100",
        "04444433332222111188887777666655557700000000000000990000000000000002",
        "054444333322221111888877776666555577000000000000009900000000000000020300000000000000",
        "06444433332222111188887777666655557700000000000000990000000000000034080a000000000000000b00000000"
            + "0000000300000000000000ac0204736865640d31302e302e302e323a383437320104810109082a010a00000000000000"
            + "0b00000000000000030000000000000001444433332222111188887777666655551c020a000000000000000b00000000"
            + "000000030000000000000001c8011b030a000000000000000b00000000000000030000000000000002001b040a000000"
            + "000000000b000000000000000300000000000000020500",
        "07444433332222111188887777666655557700000000000000990000000000000008070605040302010a000000000000"
            + "000b00000000000000",
        "084444333322221111888877776666555577000000000000009900000000000000070000000000000080b89929",
        "09444433332222111188887777666655557700000000000000990000000000000007000000000000000d31302e302e30"
            + "2e323a38343732",
        "0a44443333222211118888777766665555770000000000000099000000000000000498badcfe00000000",
        "0b444433332222111188887777666655557700000000000000990000000000000004",
        "0c4444333322221111888877776666555577000000000000009900000000000000040334080a000000000000000b0000"
            + "00000000000300000000000000ac0204736865640d31302e302e302e323a383437320104810109082a010a0000000000"
            + "00000b00000000000000030000000000000001444433332222111188887777666655551c020a000000000000000b0000"
            + "0000000000030000000000000001c8011b030a000000000000000b00000000000000030000000000000002001b040a00"
            + "0000000000000b000000000000000300000000000000020500",
    ]

    static let goldenBytes = golden.map { hex in
        Array(hex.utf8).filter { $0 != 0x20 }.chunked.compactMap { UInt8($0, radix: 16) }
    }

    @Test func theBytesOfEveryMessageArePinned() {
        for (message, bytes) in zip(Self.messages, Self.goldenBytes) {
            let written = Self.envelope(message).bytes
            #expect(written == bytes, "\(message)")
            #expect((try? Envelope(decoding: bytes)) == Self.envelope(message))
        }
        #expect(Self.messages.count == Self.goldenBytes.count)
    }

    @Test func whatFollowsTheKnownFieldsIsPassedOver() {
        for (message, bytes) in zip(Self.messages, Self.goldenBytes) {
            #expect((try? Envelope(decoding: bytes + [1, 2, 3, 0xFF])) == Self.envelope(message))
        }
    }

    @Test func aRecordInAStateOfANewerVersionIsPassedOverAndTheNextOneRead() throws {
        var bytes = Self.envelope(.rumours([])).opening
        var unknown = Self.records[1].bytes
        unknown[1] = 7
        bytes += unknown + Self.records[3].bytes + [0]
        #expect(try Envelope(decoding: bytes).message == .rumours([Self.records[3]]))
    }

    @Test func everyCutIsRefusedWithATypedError() {
        for bytes in Self.goldenBytes {
            for length in bytes.indices {
                #expect(throws: FormatError.self) { try Envelope(decoding: Array(bytes[..<length])) }
            }
        }
    }

    @Test func numbersThatWouldOverflowAreRefused() {
        var record = Self.records[1]
        record.incarnation = Incarnation(MembershipLimits.incarnation + 1)
        #expect(throws: FormatError.invalid("incarnation")) {
            try Envelope(decoding: Self.envelope(.rumours([record])).bytes)
        }
        record = Self.records[2]
        record.age = .max
        #expect(throws: FormatError.invalid("age")) {
            try Envelope(decoding: Self.envelope(.rumours([record])).bytes)
        }
        #expect(throws: FormatError.invalid("uptime")) {
            try Envelope(decoding: Self.envelope(.proof(nonce: 1, uptime: .max)).bytes)
        }
    }

    /// 24,000 mutants of the table, decoded and stepped: each ends in a value or an error, and the machine lives on.
    @Test func mutantsOfTheTableNeitherTrapNorGrowTheMachine() {
        var random = SeededRandom(seed: 77)
        var rig = Rig((1...4).map { Peer(UInt64($0)) })
        var decoded = 0
        for round in 0..<2000 {
            for golden in Self.goldenBytes {
                let mutant = Self.mutate(golden, &random)
                if let envelope = try? Envelope(decoding: mutant) {
                    decoded += 1
                    // What can be read can be written and read again.
                    #expect((try? Envelope(decoding: envelope.bytes)) == envelope)
                }
                let from = Peer(UInt64(round % 6 + 1)).address
                rig.step(round % 2 == 0 ? .datagram(mutant, from: from) : .frame(mutant, from: from))
            }
            rig.pass(.milliseconds(50))
            rig.forgetSent()
        }
        #expect(decoded > 2000)
        #expect(rig.machine.counts.malformed > 2000)
        #expect(rig.machine.members.count <= MembershipLimits.members)
        #expect(rig.machine.relays.count <= MembershipLimits.relays)
        #expect(rig.machine.challenges.count <= MembershipLimits.challenges)
        #expect(rig.machine.verdicts.count <= MembershipLimits.verdicts)
        #expect(rig.machine.members.map(\.node) == rig.machine.members.map(\.node).sorted())
    }

    private static func mutate(_ golden: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = golden
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[position] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes[position] = 0xFF
            case 3: bytes.removeSubrange(position...)
            case 4: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
            default:
                let end = Int.random(in: position...bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[position..<end], at: position)
            }
        }
        return bytes
    }
}

extension [UInt8] {
    /// Two digits each, as text.
    fileprivate var chunked: [String] {
        stride(from: 0, to: count - 1, by: 2).map { String(decoding: self[$0..<$0 + 2], as: UTF8.self) }
    }
}
