@testable import covey

/// Documents such as a daemon might send, and worse: every member may be missing, of the wrong kind, long, wide or
/// hostile.
struct RandomDocument {
    var random: SplitMix

    private static let letters: [[Unicode.Scalar]] = [
        Array("abcdefghijklmnopqrstuvwxyz0123456789-_./".unicodeScalars), Array("äöüßéñ°µ–…€".unicodeScalars),
        Array("温度湿度センサー한국어ｗｉｄｅ".unicodeScalars), ["a", "\u{301}", "\u{308}", "\u{20DD}", "e", "\u{30C}"],
        Array("🌱🏠🔋👍🏽🇩🇪".unicodeScalars) + ["❤", "\u{FE0F}", "\u{200D}"],
        [
            "\u{1B}", "[", "3", "1", "m", "\n", "\r", "\t", "\u{7}", "\u{0}", "\u{9B}", "\u{202E}", "\u{2028}",
            "\u{FEFF}",
        ],
        Array("שלום عربى ไทย".unicodeScalars) + [" ", " "], ["\"", "\\", "|", " ", "$", "`", "\u{E000}", "\u{AD}"],
    ]
    private static let states = ["ok", "running", "quarantined", "down", "probing", "a state that nobody knows"]
    private static let reasons = ["malformed", "too-large", "quota", "a-reason-with-a-long-name", "温度"]

    mutating func text(upTo most: Int = 140) -> String {
        let kinds = (0..<Int.random(in: 1...3, using: &random)).map { _ in Self.letters.randomElement(using: &random)! }
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...most, using: &random) {
            text.append(kinds.randomElement(using: &random)!.randomElement(using: &random)!)
        }
        return String(text)
    }

    mutating func number() -> JSONValue {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .number(String(Int64.random(in: .min ... .max, using: &random)))
        case 1: .number(String(Double.random(in: -1e12...1e12, using: &random)))
        case 2: .number("1e308")
        default: .number(String(Int64(1) << Int64.random(in: 0..<40, using: &random)))
        }
    }

    mutating func status() -> JSONValue {
        let words = ["received", "waiting", "stored", "duplicate", "rejected", "dropped"]
        let sinkWords = ["stored", "uploaded", "pending", "refused", "evicted", "damaged"]
        let ledger = object(
            words.map { ($0, count()) } + [
                (
                    "sinks",
                    .object(list { .init(name: $0.text(upTo: 40), value: $0.object(sinkWords.map { ($0, .null) })) })
                ),
                ("streams", .array(list { $0.device() })),
            ])
        return object([
            ("gateway", .text(text(upTo: 60))), ("node", .text(text())), ("version", .text(text(upTo: 30))),
            ("health", .text(["ok", "degraded", "failed", text()].randomElement(using: &random)!)),
            ("reasons", .array(list { .text($0.text(upTo: 400)) })), ("uptime_s", number()), ("ledger", ledger),
            ("ring", ring()), ("uploads", uploads()), ("tree", tree(depth: 3)), ("peers", peers()),
            ("brokers", .array(list { $0.broker() })),
        ])
    }

    mutating func devices() -> JSONValue { .array(list { $0.device() }) }

    mutating func uploads() -> JSONValue {
        .array(
            list { document in
                document.object(
                    [
                        ("name", .text(document.text())), ("state", document.state()),
                        ("last_error", .text(document.text(upTo: 600))), ("reason", .text(document.text(upTo: 300))),
                        ("relayed", .array(document.list { $0.duty() })),
                        ("relayed_by", .array(document.list { $0.duty() })),
                    ]
                        + ["pending", "back_fill", "fresh_lag_s", "retry_in_s", "refused"].map {
                            ($0, document.number())
                        })
            })
    }

    mutating func peers() -> JSONValue {
        .array(
            list { document in
                document.object(["name", "state", "address", "node"].map { ($0, .text(document.text())) })
            })
    }

    mutating func readings() -> [JSONValue] {
        list { document in
            let value = [document.number(), .flag(true), .text(document.text(upTo: 256)), .null]
                .randomElement(using: &document.random)!
            return .object([
                .init(name: "device", value: .text(document.text())),
                .init(name: "metric", value: .text(document.text())),
                .init(name: "t", value: document.number()), .init(name: "value", value: value),
                .init(name: "unit", value: .text(document.text(upTo: 30))),
                .init(name: "gateway", value: .text(document.text())),
                .init(name: "node", value: .text(document.text(upTo: 4))),
                .init(name: "quality", value: .text(Bool.random(using: &document.random) ? "good" : document.text())),
                .init(name: "history", value: .array(document.list(upTo: 24) { $0.number() })),
            ])
        }
    }

    // MARK: Parts

    private mutating func device() -> JSONValue {
        object([
            ("id", .text(text())), ("device", .text(text())), ("driver", .text(text(upTo: 20))), ("state", state()),
            ("last_t", number()), ("stored", number()), ("rejected", count()), ("dropped", count()),
            ("last_error", .text(text(upTo: 600))),
        ])
    }

    private mutating func duty() -> JSONValue {
        object([("gateway", .text(text())), ("node", .text(text())), ("log", .text(text())), ("pending", number())])
    }

    private mutating func broker() -> JSONValue {
        object([
            ("name", .text(text())), ("state", state()), ("error", .text(text(upTo: 300))), ("received", number()),
        ])
    }

    private mutating func ring() -> JSONValue {
        let words = ["segments", "free", "readings", "oldest_t", "bytes_written", "damaged", "retired", "set_aside"]
        return object(
            words.map { ($0, number()) } + [
                ("memory_only", Bool.random(using: &random) ? .flag(true) : .text(text())),
                ("recovery", .array(list { .text($0.text(upTo: 200)) })),
            ])
    }

    private mutating func tree(depth: Int) -> JSONValue {
        object([
            ("id", .text(text(upTo: 60))), ("kind", .text(text(upTo: 20))), ("state", state()), ("restarts", number()),
            ("last_failure", .text(text(upTo: 200))),
            ("children", depth == 0 ? .null : .array(list { $0.tree(depth: depth - 1) })),
        ])
    }

    private mutating func state() -> JSONValue {
        .text(Int.random(in: 0..<5, using: &random) == 0 ? text() : Self.states.randomElement(using: &random)!)
    }

    /// A count, or counts by reason.
    private mutating func count() -> JSONValue {
        if Bool.random(using: &random) { return number() }
        return .object(list { .init(name: Self.reasons.randomElement(using: &$0.random)!, value: $0.number()) })
    }

    /// Each member is left out or null now and then; a null is made a number else.
    private mutating func object(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(
            members.compactMap { name, value in
                switch Int.random(in: 0..<12, using: &random) {
                case 0: nil
                case 1: .init(name: name, value: .null)
                default: .init(name: name, value: value == .null && name != "children" ? number() : value)
                }
            })
    }

    private mutating func list<T>(upTo most: Int = 4, _ make: (inout RandomDocument) -> T) -> [T] {
        (0..<Int.random(in: 0...most, using: &random)).map { _ in make(&self) }
    }
}

/// Seeded, so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
