import Devices
import Model
import Testing

@Suite("The json decoder")
struct DocumentDecoderTests {
    @Test(
        "every number, boolean and short text is a value named by its path",
        arguments: [
            (#"{"temperature":23.4,"meta":{"rssi":-70}}"#, ["temperature=23.4", "meta.rssi=-70.0"]),
            (
                #" { "a" : [ 1 , [ true , "x" ] , { "b" : 2e-1 } ] } "#,
                ["a.0=1.0", "a.1.0=true", "a.1.1='x'", "a.2.b=0.2"]
            ),
            ("21.5", ["value=21.5"]), ("\ttrue\r\n", ["value=true"]), (#""on""#, ["value='on'"]), ("[7]", ["0=7.0"]),
            (
                #"{"a":-0,"b":0.1e+2,"c":1E2,"d":123456789012345678}"#,
                ["a=-0.0", "b=10.0", "c=100.0", "d=1.2345678901234568e+17"]
            ),
            (#"{"t":"\"\\\/\b\f\n\r\t\u00e9\ud83c\udf31\u0041"}"#, ["t='\"\\/\u{8}\u{C}\n\r\té🌱A'"]),
            (#"{"\u0061":1,"b":{"a":2}}"#, ["a=1.0", "b.a=2.0"]),
            (#"{"a":1,"b":{}, "c":[]}"#, ["a=1.0"]),
            (#"{"a":{"b":1},"c":2,"d":{"e":{"f":3},"g":4}}"#, ["a.b=1.0", "c=2.0", "d.e.f=3.0", "d.g=4.0"]),
            (#"{"tiny":1e-400}"#, ["tiny=0.0"]),
        ])
    func leaves(payload: String, expected: [String]) {
        #expect(DocumentDecoder().decode(message(payload)).lines == expected)
    }

    @Test(
        "a bad member is rejected alone, by reason and place",
        arguments: [
            (#"{"a":1,"b":1e400}"#, ["a=1.0", #"not-a-number: $.b: "1e400" is beyond a double's range"#]),
            (#"{"a":-1e999,"b":2}"#, ["b=2.0", #"not-a-number: $.a: "-1e999" is beyond a double's range"#]),
            (#"{"a":1,"m":{"b":null}}"#, ["a=1.0", "not-a-number: $.m.b: null is no value"]),
            (#"{"a":1,"b":""}"#, ["a=1.0", "empty: $.b: empty text"]),
        ])
    func badMember(payload: String, expected: [String]) {
        #expect(DocumentDecoder().decode(message(payload)).lines == expected)
    }

    @Test("long text, long paths and long numbers are rejected alone")
    func longMembers() {
        let text = String(repeating: "x", count: 257)
        #expect(
            DocumentDecoder().decode(message(#"{"a":1,"b":"\#(text)"}"#)).lines
                == ["a=1.0", "too-large: $.b: text of 257 bytes; the limit is 256"])
        #expect(DocumentDecoder().decode(message(#"{"b":"\#(text.dropFirst())"}"#)).measurements.count == 1)

        let name = String(repeating: "n", count: 129)
        #expect(
            DocumentDecoder().decode(message(#"{"a":1,"\#(name)":2,"\#(name.dropFirst())":3}"#)).lines
                == [
                    "a=1.0", "\(name.dropFirst())=3.0",
                    "bad-name: $.\(String(repeating: "n", count: 40))…: a path over 128 bytes",
                ])

        let digits = String(repeating: "1", count: 401)
        #expect(
            DocumentDecoder().decode(message(#"{"a":1,"b":\#(digits)}"#)).lines
                == ["a=1.0", "not-a-number: $.b: \"\(digits.prefix(40))…\" is beyond a double's range"])
    }

    @Test(
        "a document that is none is rejected whole, with the byte where it went wrong",
        arguments: [
            ("", "empty: empty payload"), (" \n\t ", "empty: payload of 4 bytes of white space"),
            ("{}", "empty: no value in the document"), (#"{"a":[{}]}"#, "empty: no value in the document"),
            (#"{"temperature" 21.5}"#, "malformed: byte 15: expected ':'"),
            (#"{"a":1"#, "malformed: byte 6: expected ',' or '}', the document ends"),
            (#"{"a":1,}"#, "malformed: byte 7: expected '\"'"), ("{,}", "malformed: byte 1: expected '\"' or '}'"),
            ("[1,]", "malformed: byte 3: expected a value"), ("[1 2]", "malformed: byte 3: expected ',' or ']'"),
            ("[", "malformed: byte 1: expected ',' or ']', the document ends"),
            ("[1", "malformed: byte 2: expected ',' or ']', the document ends"),
            ("[1}", "malformed: byte 2: expected ',' or ']'"),
            (#"{"a":}"#, "malformed: byte 5: expected a value"),
            (#"{"a""#, "malformed: byte 4: expected ':', the document ends"),
            (#"{"a":1} x"#, "malformed: byte 8: expected the end of the document"),
            ("1 2", "malformed: byte 2: expected the end of the document"),
            ("nan", "malformed: byte 1: expected 'null'"), ("NaN", "malformed: byte 0: expected a value"),
            ("tru", "malformed: byte 3: expected 'true', the document ends"),
            ("'a'", "malformed: byte 0: expected a value"),
            ("01", "malformed: byte 1: expected a digit"),
            ("-", "malformed: byte 1: expected a digit, the document ends"),
            ("1.", "malformed: byte 2: expected a digit, the document ends"),
            ("[.5]", "malformed: byte 1: expected a value"),
            ("1e", "malformed: byte 2: expected a digit, the document ends"),
            ("+1", "malformed: byte 0: expected a value"),
            (#""abc"#, "malformed: byte 4: expected '\"', the document ends"),
            ("\"a\nb\"", "malformed: byte 2: a control character in a string"),
            ("\"\\t\nb\"", "malformed: byte 3: a control character in a string"),
            (#""\x""#, "malformed: byte 2: unknown escape"),
            (#""\"#, "malformed: byte 2: expected an escape, the document ends"),
            (#""\u12g4""#, "malformed: byte 5: expected four hexadecimal digits"),
            (#""a\ud800""#, "malformed: byte 2: half of a surrogate pair"),
            (#""\udc00\ud800""#, "malformed: byte 1: half of a surrogate pair"),
            (#""\ud800\u0041""#, "malformed: byte 1: half of a surrogate pair"),
            (#"{"a":1,"b":2,"a":3}"#, #"malformed: byte 18: an object that names "a" twice ends here"#),
            (#"{"o":{"a":1,"\u0061":3}}"#, #"malformed: byte 22: an object that names "a" twice ends here"#),
            ("\u{FEFF}1", "malformed: byte 0: expected a value"),
            ("{\"a\u{0}\":1}", "malformed: byte 3: a control character in a string"),
            ("hello", "malformed: byte 0: expected a value"), ("</html>", "malformed: byte 0: expected a value"),
        ])
    func badDocument(payload: String, expected: String) {
        #expect(DocumentDecoder().decode(message(payload)).lines == [expected])
    }

    @Test("bytes that are not UTF-8 are rejected with their place, wherever they stand")
    func invalidUTF8() {
        for (bytes, place) in [
            ([0x22, 0xFF, 0x22], 1), ([0x22, 0x61, 0xC3, 0x22], 2), ([0x22, 0xED, 0xA0, 0x80, 0x22], 1),
            ([0x22, 0xC0, 0xAF, 0x22], 1), ([0x31, 0x80], 1), ([0xF0, 0x9F, 0x8C], 0),
        ] as [([UInt8], Int)] {
            let decoded = DocumentDecoder().decode(Message(topic: "t", payload: bytes))
            #expect(decoded.lines == ["invalid-utf8: byte \(place): not UTF-8"])
        }
    }

    @Test("nesting is allowed down to the limit, and 10,000 levels are rejected at once")
    func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        }
        #expect(DocumentDecoder().decode(message(nested(32))).measurements.count == 1)
        #expect(
            DocumentDecoder().decode(message(nested(33))).lines == ["too-deep: byte 32: nested deeper than 32 levels"])
        let objects = String(repeating: #"{"a":"#, count: 10_000)
        #expect(
            DocumentDecoder().decode(message(nested(10_000))).lines == [
                "too-deep: byte 32: nested deeper than 32 levels"
            ])
        #expect(
            DocumentDecoder().decode(message(objects)).lines == ["too-deep: byte 160: nested deeper than 32 levels"])
    }

    @Test("a message holds at most as many values as stay together, and is rejected whole beyond")
    func tooMany() {
        func list(_ count: Int) -> String { "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        #expect(DocumentDecoder().decode(message(list(512))).measurements.count == 512)
        #expect(
            DocumentDecoder().decode(message(list(513))).lines
                == ["too-many-readings: more than 512 values in one message"])
        let nulls = list(513).replacing("1", with: "null")
        #expect(DocumentDecoder().decode(message(nulls)).rejections.map(\.reason) == [.tooManyReadings])
    }

    @Test("a payload over the limit is rejected unread; one at the limit is read")
    func payloadLimit() {
        let large = [UInt8](repeating: 0x20, count: 256 * 1024) + [0x31]
        #expect(
            DocumentDecoder().decode(Message(topic: "t", payload: large)).lines
                == ["too-large: payload of 262145 bytes; the limit is 262144"])
        #expect(DocumentDecoder().decode(Message(topic: "t", payload: Array(large.dropFirst()))).lines == ["value=1.0"])
    }

    @Test("an object of very many names, and one with a double among them, are both read in time")
    func manyNames() {
        let settings = DecoderSettings(paths: [PathSetting(path: "k9999")])
        let members = (0..<20_000).map { "\"k\($0)\":1" }
        let decoder = DocumentDecoder(settings)
        #expect(decoder.decode(message("{" + members.joined(separator: ",") + "}")).lines == ["k9999=1.0"])
        let double = decoder.decode(message("{" + (members + ["\"k777\":2"]).joined(separator: ",") + "}"))
        #expect(double.rejections.map(\.reason) == [.malformed])
        #expect(double.rejections.first?.detail.contains(#"names "k777" twice"#) == true)
    }
}

@Suite("The json decoder with named paths")
struct NamedPathTests {
    private func decode(_ payload: String, _ paths: [PathSetting], units: [String: String] = [:]) -> [String] {
        DocumentDecoder(DecoderSettings(paths: paths, units: units)).decode(message(payload)).lines
    }

    @Test("only the named paths give readings, under their metric and unit")
    func named() {
        let paths = [
            PathSetting(path: "meta.rssi", metric: "rssi", unit: "dBm"), PathSetting(path: "probes.1.t", unit: "°C"),
        ]
        let payload = #"{"a":1,"meta":{"rssi":-70},"probes":[{"t":1},{"t":2}],"junk":null,"x":1e999}"#
        #expect(decode(payload, paths) == ["rssi=-70.0 dBm", "probes.1.t=2.0 °C"])
        #expect(decode(payload, paths, units: ["rssi": "dB"]) == ["rssi=-70.0 dB", "probes.1.t=2.0 °C"])
    }

    @Test("one path may give several metrics")
    func twice() {
        let paths = [PathSetting(path: "a", metric: "x"), PathSetting(path: "a", metric: "y", kind: .flag)]
        #expect(decode(#"{"a":1}"#, paths) == ["x=1.0", "y=true"])
    }

    @Test("a missing, null, empty or composite member at a named path is named")
    func faults() {
        let paths = [PathSetting(path: "a"), PathSetting(path: "m")]
        #expect(decode(#"{"m":1}"#, paths) == ["m=1.0", "missing-path: $.a: not in the document"])
        #expect(decode(#"{"a":null,"m":1}"#, paths) == ["m=1.0", "not-a-number: $.a: null is no value"])
        #expect(decode(#"{"a":{"b":1},"m":1}"#, paths) == ["m=1.0", "wrong-type: $.a: an object is no value"])
        #expect(decode(#"{"a":[],"m":1}"#, paths) == ["m=1.0", "wrong-type: $.a: an array is no value"])
        #expect(
            decode("7", paths) == ["missing-path: $.a: not in the document", "missing-path: $.m: not in the document"])
    }

    @Test(
        "a path with a kind reads that kind, and names what is another",
        arguments: [
            (ValueKind.number, #"" 21.5 ""#, "v=21.5"), (.number, "-3", "v=-3.0"),
            (.number, #""high""#, #"wrong-type: $.v: "high" is not a number"#),
            (.number, "true", "wrong-type: $.v: true is not a number"),
            (.number, #""nan""#, #"wrong-type: $.v: "nan" is not a number"#), (.flag, #""ON""#, "v=true"),
            (.flag, "0", "v=false"),
            (.flag, "2", "wrong-type: $.v: 2.0 is not a flag"),
            (.flag, #""maybe""#, #"wrong-type: $.v: "maybe" is not a flag"#),
            (.text, #""12""#, "v='12'"), (.text, "12", "wrong-type: $.v: 12.0 is not a text"),
            (.text, "false", "wrong-type: $.v: false is not a text"),
        ])
    func kinds(kind: ValueKind, value: String, expected: String) {
        #expect(decode(#"{"v":\#(value)}"#, [PathSetting(path: "v", kind: kind)]) == [expected])
    }
}
