import Model
import Testing

@testable import covey

@Suite struct PartTests {
    @Test func `times are durations back from now, or ISO times in the local zone`() throws {
        let now = Milliseconds(1_763_700_000_000)
        #expect(try Milliseconds.moment("now", now: now) == now)
        #expect(try Milliseconds.moment("1h", now: now) == Milliseconds(now.rawValue - 3_600_000))
        #expect(try Milliseconds.moment("15 min", now: now) == Milliseconds(now.rawValue - 900_000))
        #expect(try Milliseconds.moment("2025-11-21T04:40:00Z", now: now) == now)
        #expect(try Milliseconds.moment("2025-11-21T10:25:00+05:45", now: now) == now)
        for text in ["", "yesterday", "1", "-1h", "2025-13-01", "2025-11-21T25:00"] {
            #expect(throws: Failure.self) { try Milliseconds.moment(text, now: now) }
        }
    }

    @Test func `text is measured in columns and cut to them`() {
        #expect(columns("grün") == 4)
        #expect(columns("温度") == 4)
        #expect(columns("e\u{301}") == 1)
        #expect(columns("🌱") == 2)
        #expect(cut("temperature", to: 11) == "temperature")
        #expect(cut("temperature", to: 5) == "temp…")
        #expect(cut("温度温度", to: 6) == "温度…")
        #expect(cut("abc", to: 0) == "")
        #expect(printable("a\u{1B}[2Jb\u{202E}c\u{85}") == "a\\e[2Jb\\u{202E}c\\x85")
        #expect(wrapped("one two  three", to: 7) == ["one two", "three"])
        #expect(wrapped("a-word-too-wide", to: 6) == ["a-word", "-too-w", "ide"])
        #expect(wrapped("one two three", to: 13, first: 4) == ["one", "two three"])
    }

    @Test func `times are those of the clock today, dates else, and seconds where they are few`() {
        let now = Milliseconds(1_763_700_000_000)
        func ago(_ seconds: Int64) -> String {
            LocalTime.ago(Milliseconds(now.rawValue - seconds * 1000), now: now)
        }
        #expect([ago(0), ago(3), ago(59)] == ["now", "3 s ago", "59 s ago"])
        #expect(ago(60) == LocalTime(Milliseconds(now.rawValue - 60_000)).brief(now: now))
        #expect(ago(-5) == LocalTime(Milliseconds(now.rawValue + 5000)).brief(now: now))
        #expect(LocalTime(Milliseconds(.min)).precise(now: now).isEmpty == false)
        #expect(LocalTime.ago(Milliseconds(.max), now: now).isEmpty == false)
    }

    @Test func `a value has seven digits at most, but all of a whole number`() {
        func shown(_ number: String) -> String? {
            let json = #"{"device":"d","metric":"m","t":0,"unit":"V","value":\#(number)}"#
            return JSONValue(json.utf8).flatMap(ReadingRow.init)?.valueText
        }
        for (number, text) in [
            ("3.6101049646136953", "3.610105"), ("-39.853539064905", "-39.85354"), ("0.000123456789", "0.0001234568"),
            ("1234567890123", "1234567890123"), ("12345678.75", "12345679"), ("21.5", "21.5"), ("1e300", "1e300"),
            ("9.99999999", "10"),
        ] {
            #expect(shown(number) == text + " V")
        }
    }

    @Test func `bars stand between the least and the greatest value`() {
        #expect(Sparkline.text([0, 7]) == "▁█")
        #expect(Sparkline.text([5, 5, 5]) == "▁▁▁")
        #expect(Sparkline.text([1]) == "" && Sparkline.text([]) == "")
        #expect(Sparkline.text([-1.7e308, 0, 1.7e308]) == "▁▅█")
        #expect(Sparkline.text([1, 1], in: 0...1) == "██")
        #expect(Sparkline.text([.nan, 1, 2]) == "▁█")
    }

    @Test func `JSON is read whole or not at all`() {
        #expect(
            JSONValue(Array(#" {"a":[1,-2.5e3,true,null,"x\u00e4\ud83c\udf31\n"],"b":{}} "#.utf8))?["a"]?.plain
                == "1, -2.5e3, true, –, xä🌱\n")
        for text in [
            "", "{", "[1,]", #"{"a"}"#, "tru", "1 2", #""\ud83c""#, #""\x""#, "nan", "--1", "[1",
            String(repeating: "[", count: 9999),
        ] {
            #expect(JSONValue(Array(text.utf8)) == nil, "\(text)")
        }
        #expect(JSONValue(Array("12034".utf8))?.integer == 12034)
        #expect(JSONValue(Array("1e3".utf8))?.integer == 1000)
        #expect(JSONValue(Array("1e300".utf8))?.integer == nil)
    }

    @Test func `a target carries any pattern`() {
        #expect(target("/v1/tail", globs: ["soil-*", "a b/ä&?"]) == "/v1/tail?glob=soil-*&glob=a%20b/%C3%A4%26%3F")
        #expect(target("/v1/tail", globs: []) == "/v1/tail")
    }

    @Test func `a tree with a thousand healthy children shows those in trouble`() {
        let children = (0..<1000).map {
            #"{"id":"d\#($0)","kind":"worker","state":"\#($0 == 7 ? "quarantined" : "running")","restarts":0}"#
        }
        let tree = JSONValue(
            Array(
                #"{"id":"devices","state":"running","restarts":0,"children":[\#(children.joined(separator: ","))]}"#
                    .utf8))!
        let rows = TreeText(tree).table.rows.map { $0[0].text }
        #expect(rows == ["devices", "├─ d7", "└─ … 999 more"])
    }
}
