import Model
import Testing

@Suite("The native batch and its JSON")
struct NativeBatchTests {
    private let batch = NativeBatch(
        node: NodeID(high: 0x9F00_0000_0000_0000, low: 1), gateway: "greenhouse-a", log: LogID(0x4BE1),
        base: Offset(4096),
        items: [
            NativeBatch.Item(
                offset: Offset(4096), series: Series(device: DeviceID("soil-3"), metric: "moisture", unit: "%"),
                time: Milliseconds(1_763_700_000_123), value: .number(41.2), quality: .good),
            NativeBatch.Item(
                offset: Offset(4097), series: Series(device: DeviceID("door"), metric: "level"),
                time: Milliseconds(1_763_700_000_250), value: .flag(true), quality: .clockUnsynced,
                deviceTime: Milliseconds(1_763_699_999_000)),
        ])

    @Test("the document is that of the contract, byte for byte")
    func golden() {
        let expected =
            #"{"v":1,"node":"9f000000000000000000000000000001","gateway":"greenhouse-a","log":"0000000000004be1","#
            + #""base":4096,"count":2,"readings":["#
            + #"{"offset":4096,"device":"soil-3","metric":"moisture","unit":"%","t":1763700000123,"value":41.2,"#
            + #""quality":"good"},"#
            + #"{"offset":4097,"device":"door","metric":"level","t":1763700000250,"device_t":1763699999000,"#
            + #""value":true,"quality":"clock-unsynced"}]}"#
        #expect(String(decoding: batch.json, as: UTF8.self) == expected)
    }

    @Test("the idempotency key names node, log and range")
    func key() {
        #expect(batch.idempotencyKey == "9f000000000000000000000000000001/0000000000004be1/4096-2")
    }

    @Test("an empty batch is a document too")
    func empty() {
        let batch = NativeBatch(node: NodeID(high: 0, low: 0), gateway: "", log: LogID(0), base: .zero, items: [])
        #expect(String(decoding: batch.json, as: UTF8.self).hasSuffix(#""base":0,"count":0,"readings":[]}"#))
    }

    @Test("the words of the qualities and their stored numbers do not change")
    func qualities() {
        #expect(Quality.allCases.map(\.word) == ["good", "clock-unsynced", "edges-missed", "stale", "bad"])
        #expect(Quality.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
    }
}

@Suite("The JSON writer")
struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("commas stand between members and nowhere else")
    func commas() {
        let text = written { writer in
            writer.object { writer in
                writer.key("a")
                writer.array { writer in
                    writer.integer(1)
                    writer.object { _ in }
                    writer.array { _ in }
                    writer.null()
                }
                writer.key("b")
                writer.object { writer in
                    writer.key("c")
                    writer.flag(false)
                    writer.key("d")
                    writer.raw("[1]".utf8)
                }
                writer.key("e")
                writer.string("x")
            }
        }
        #expect(text == #"{"a":[1,{},[],null],"b":{"c":false,"d":[1]},"e":"x"}"#)
    }

    @Test(
        "a number is written in the shortest form that reads back as itself",
        arguments: [
            (0, "0"), (-0.0, "-0.0"), (1, "1"), (-17, "-17"), (41.2, "41.2"), (0.1 + 0.2, "0.30000000000000004"),
            (9_007_199_254_740_991, "9007199254740991"), (9_007_199_254_740_992, "9007199254740992.0"),
            (1e300, "1e+300"),
            (.leastNonzeroMagnitude, "5e-324"), (.infinity, "null"), (-.infinity, "null"), (.nan, "null"),
            (-9.3e18, "-9.3e+18"),
        ] as [(Double, String)])
    func number(value: Double, expected: String) {
        #expect(written { $0.number(value) } == expected)
        if value.isFinite { #expect(Double(expected) == value) }
    }

    @Test(
        "a string is escaped where JSON asks for it and left alone elsewhere",
        arguments: [
            ("", #""""#), ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#),
            ("\u{0}\u{1F}", #""\u0000\u001f""#), ("grün 🌱", #""grün 🌱""#), ("a/b", #""a/b""#), ("\u{7F}", "\"\u{7F}\""),
        ])
    func string(text: String, expected: String) {
        #expect(written { $0.string(text) } == expected)
    }
}
