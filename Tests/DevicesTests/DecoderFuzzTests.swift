import Devices
import Model
import Testing

/// A generator for the fuzz tests: the same bytes for the same seed on every board.
struct SeededBytes {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 2 &+ 1
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D >> 11
    }
}

@Suite("Decoders on hostile bytes")
struct DecoderFuzzTests {
    private static let seeds = [
        #"{"Time":"2017-02-16T10:13:52","DS18B20":{"Id":"0316A279","Temperature":20.6},"TempUnit":"C"}"#,
        #"{"temperature":27.34,"humidity":44.72,"linkquality":120,"last_seen":1714550400000,"x":[1,null,true,"\ud83c\udf31"]}"#,
        #"[[[{"a":[{"b":-1.5e-3}]}]],"é",{"":{"":0}}]"#, "21.5", "online", #"{"state":"online"}"#,
    ]
    private static let pieces = [
        "{", "}", "[", "]", "\"", ":", ",", "\\u", "\\ud800", "1e400", "null", "nan", "-", "\u{0}", "é", "0.",
    ]
    private static let topics = [
        "zigbee2mqtt/a", "zigbee2mqtt/a/availability", "tele/t/SENSOR", "stat/t/POWER", "", "/", "zigbee2mqtt/",
    ]

    @Test("mutated payloads never trap, give bounded results, and always some result", arguments: DecoderKind.allCases)
    func mutations(kind: DecoderKind) {
        var random = SeededBytes(seed: 42)
        let decoders = [
            kind.makeDecoder(DecoderSettings()),
            kind.makeDecoder(
                DecoderSettings(paths: [
                    PathSetting(path: "DS18B20.Temperature", kind: .number), PathSetting(path: "x.1"),
                ])),
        ]
        for round in 0..<20_000 {
            let payload = Self.mutated(Self.seeds[Int(random.next() % UInt64(Self.seeds.count))], &random)
            let topic = Self.topics[Int(random.next() % UInt64(Self.topics.count))]
            let decoded = decoders[round % 2].decode(Message(topic: topic, payload: payload))
            guard Self.isSound(decoded) else {
                Issue.record("round \(round): \(topic) \(payload) gives \(decoded)")
                return
            }
        }
    }

    @Test("a document cut anywhere is malformed at its end, never half taken")
    func prefixes() {
        for seed in Self.seeds.prefix(3) {
            let bytes = Array(seed.utf8)
            for count in 1..<bytes.count {
                let decoded = DocumentDecoder().decode(Message(topic: "t", payload: Array(bytes.prefix(count))))
                #expect(decoded.measurements.isEmpty && decoded.rejections.count == 1, "\(count) bytes of \(seed)")
            }
        }
    }

    @Test("the same bytes always give the same result")
    func deterministic() {
        var random = SeededBytes(seed: 5)
        for _ in 0..<500 {
            let input = Message(topic: "t", payload: Self.mutated(Self.seeds[1], &random))
            #expect(DocumentDecoder().decode(input) == DocumentDecoder().decode(input))
        }
    }

    private static func mutated(_ seed: String, _ random: inout SeededBytes) -> [UInt8] {
        var bytes = Array(seed.utf8)
        for _ in 0...random.next() % 6 {
            let place = Int(random.next() % UInt64(bytes.count + 1))
            switch random.next() % 6 {
            case 0 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: pieces[Int(random.next() % UInt64(pieces.count))].utf8, at: place)
            case 3: bytes.removeLast(bytes.count - place)
            case 4: bytes.insert(contentsOf: bytes[place...], at: place)
            default: if place < bytes.count { bytes[place] ^= 1 << UInt8(random.next() % 8) }
            }
        }
        return bytes
    }

    private static func isSound(_ decoded: Decoded) -> Bool {
        let count = decoded.measurements.count + decoded.rejections.count
        return (1...Limits.readingsPerMessage + 2).contains(count)
            && decoded.measurements.allSatisfy { found in
                switch found.value {
                case .number(let number): number.isFinite
                case .flag: true
                case .text(let text): text.utf8.count <= Limits.textValueBytes
                }
            }
            && decoded.rejections.allSatisfy { $0.detail.utf8.count < 1000 && !$0.detail.contains("\n") }
    }
}
