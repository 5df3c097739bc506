/// How a device's messages are read in the gateway that these rows share. Its raw value begins the device's id.
enum Form: String, CaseIterable, Sendable {
    case number
    case json
    /// `json` with a path that must hold a number.
    case path
    case tasmota
    case zigbee2mqtt

    func topic(_ device: String) -> String {
        switch self {
        case .number, .json, .path: "\(rawValue)/\(device)"
        case .tasmota: "tele/\(device)/SENSOR"
        case .zigbee2mqtt: "zigbee2mqtt/\(device)"
        }
    }

    /// A device for each name that comes, as TOML.
    var configuration: String {
        """
        [[device]]
        id      = "\(rawValue)-{device}"
        driver  = "mqtt"
        topic   = "\(topic("{device}"))"
        decoder = "\(self == .path ? "json" : rawValue)"
        \(self == .path ? #"paths = { t = { path = "t", kind = "number" } }"# : "")

        """
    }
}

/// A payload that a device sends, and what becomes of it.
struct PayloadRow: Sendable {
    let form: Form
    let page: BadInput
    let payload: [UInt8]
    /// Of the ledger, and of the line.
    let reason: String
    /// What the line says beside the reason.
    let detail: String
    /// Readings that the payload gives all the same.
    let stored: Int

    init(
        _ form: Form, _ thing: String, _ payload: [UInt8], _ reason: String, says detail: String, stored: Int = 0,
        do advice: String
    ) {
        self.form = form
        self.reason = reason
        self.detail = detail
        self.payload = payload
        self.stored = stored
        let name = form == .path ? "json, a path of kind number" : form.rawValue
        page = BadInput(
            source: .payload, kind: name, thing: thing, message: "rejected (\(reason)): … \(detail)",
            counters: [Counter("ledger.streams.DEVICE.rejected.\(reason)", .by(1))], advice: advice)
    }

    init(
        _ form: Form, _ thing: String, _ payload: String, _ reason: String, says detail: String, stored: Int = 0,
        do advice: String
    ) {
        self.init(form, thing, Array(payload.utf8), reason, says: detail, stored: stored, do: advice)
    }
}

extension PayloadRow {
    static let rows = numbers + documents + members + forms

    private static let huge = [UInt8](repeating: UInt8(ascii: "7"), count: 5 << 20)
    private static let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
    private static let latin = Array("{\"t\":\"21 ".utf8) + [0xB0] + Array("C\"}".utf8)

    static let numbers = [
        PayloadRow(
            .number, "empty", "", "empty", says: "empty payload",
            do: "If the sender empties a retained topic, nothing; else see why it has no value."),
        PayloadRow(
            .number, "white space", " \n", "empty", says: "payload of 2 bytes of white space", do: "See the sender."),
        PayloadRow(
            .number, "`nan`", "nan", "not-a-number", says: #""nan" is neither a finite number nor a state"#,
            do: "The sensor has no value: see its wiring."),
        PayloadRow(
            .number, "`-inf`", "-inf", "not-a-number", says: #""-inf" is neither a finite number nor a state"#,
            do: "The sender divides by nothing: see its formula."),
        PayloadRow(
            .number, "`1e400`", "1e400", "not-a-number", says: #""1e400" is beyond a double's range"#,
            do: "See the sender: no quantity is that large."),
        PayloadRow(
            .number, "a decimal comma", "21,5", "not-a-number", says: #""21,5" is neither a finite number nor a state"#,
            do: "Make the sender write a point."),
        PayloadRow(
            .number, "a number with its unit", "21.5 °C", "not-a-number",
            says: "is neither a finite number nor a state",
            do: "Send the number alone, and set unit."),
        PayloadRow(
            .number, "a JSON document", #"{"t":21.5}"#, "not-a-number", says: "is neither a finite number nor a state",
            do: "Set decoder = \"json\"."),
        PayloadRow(
            .number, "NUL bytes", [0x32, 0x31, 0, 0], "not-a-number", says: #""21\u{0}\u{0}" is neither"#,
            do: "The sender publishes its whole buffer: send the text's length."),
        PayloadRow(
            .number, "not UTF-8", [0x32, 0xB0, 0x43], "invalid-utf8", says: "byte 1: not UTF-8",
            do: "Make the sender write UTF-8."),
        PayloadRow(
            .number, "5 MiB", huge, "too-large", says: "5242880 bytes, at most 262144 are taken",
            do: "This is no sensor's message: take the topic out of the filter."),
    ]

    /// What every form on top of JSON answers alike.
    static let documents = [Form.json, .path, .tasmota, .zigbee2mqtt].flatMap { form in
        [
            PayloadRow(
                form, "empty", "", "empty", says: "empty payload",
                do: "If the sender empties a retained topic, nothing; else see why it has no value."),
            PayloadRow(
                form, "`NaN` in a document", #"{"t":NaN}"#, "malformed", says: "byte 5: expected a value",
                do: "JSON has no NaN: make the sender leave the member out."),
            PayloadRow(
                form, "truncated", #"{"t":21.5,"h":"#, "malformed",
                says: "byte 14: expected a value, the document ends",
                do: "The sender's buffer is too small."),
            PayloadRow(
                form, "10,000 levels deep", "{\"t\":\(deep)}", "too-deep", says: "nested deeper than 32 levels",
                do: "See who publishes that."),
            PayloadRow(
                form, "not UTF-8", latin, "invalid-utf8", says: "byte 9: not UTF-8", do: "Make the sender write UTF-8."),
            PayloadRow(
                form, "5 MiB", Array("{".utf8) + huge, "too-large", says: "5242881 bytes, at most 262144 are taken",
                do: "This is no sensor's message: take the topic out of the filter."),
            PayloadRow(
                form, "a name that stands twice", #"{"t":1,"t":2}"#, "malformed", says: #"names "t" twice"#,
                do: "Nobody knows which value is meant: mend the sender."),
            PayloadRow(
                form, "a second document behind the first", #"{"t":1}{"t":2}"#, "malformed",
                says: "byte 7: expected the end of the document", do: "Send a message for each."),
            PayloadRow(
                form, "100,000 metrics", metrics(100_000), "too-large", says: "bytes, at most 262144 are taken",
                do: "This is no sensor's message: take the topic out of the filter."),
        ]
    }

    /// One bad member costs no other.
    static let members = [
        PayloadRow(
            .json, "`1e400` beside a good value", #"{"t":1e400,"h":40}"#, "not-a-number",
            says: #"$.t: "1e400" is beyond a double's range"#, stored: 1,
            do: "See the sender: no quantity is that large."),
        PayloadRow(
            .json, "`null` beside a good value", #"{"t":null,"h":40}"#, "not-a-number", says: "$.t: null is no value",
            stored: 1, do: "The sensor has no value; name the wanted paths if that is usual."),
        PayloadRow(
            .json, "an empty text beside a good value", #"{"t":"","h":40}"#, "empty", says: "$.t: empty text",
            stored: 1,
            do: "See the sender."),
        PayloadRow(
            .json, "a document without values", "{}", "empty", says: "no value in the document", do: "See the sender."),
        PayloadRow(
            .json, "600 metrics", metrics(600), "too-many-readings", says: "more than 512 values in one message",
            do: "Name the wanted paths."),
        PayloadRow(
            .json, "a path of 200 bytes", "{\"\(String(repeating: "x", count: 200))\":1,\"h\":40}", "bad-name",
            says: "a path over 128 bytes", stored: 1, do: "Give it a short name in paths."),
        PayloadRow(
            .path, "a text", #"{"t":"warm"}"#, "wrong-type", says: #"$.t: "warm" is not a number"#,
            do: "Set another kind, or mend the sender."),
        PayloadRow(
            .path, "an array", #"{"t":[21.5]}"#, "wrong-type", says: "$.t: an array is no value",
            do: "Name the element: path = \"t.0\"."),
        PayloadRow(
            .path, "an object", #"{"t":{"v":21.5}}"#, "wrong-type", says: "$.t: an object is no value",
            do: "Name the member: path = \"t.v\"."),
        PayloadRow(
            .path, "`null`", #"{"t":null}"#, "not-a-number", says: "$.t: null is no value",
            do: "The sensor has no value: see its wiring."),
        PayloadRow(
            .path, "a flag", #"{"t":true}"#, "wrong-type", says: "$.t: true is not a number", do: "Set kind = \"flag\"."
        ),
        PayloadRow(
            .path, "not there", #"{"h":40}"#, "missing-path", says: "$.t: not in the document",
            do: "Compare paths with what the sender writes."),
    ]

    static let forms = [
        PayloadRow(
            .tasmota, "plain text that is no state", "warm", "not-a-number",
            says: #""warm" is neither a finite number nor a state"#, do: "Check that the topic is a Tasmota device's."),
        PayloadRow(
            .tasmota, "a time that is a flag", #"{"Time":true,"t":1}"#, "wrong-type", says: "neither a time nor a unit",
            stored: 1, do: "Check that the topic is a Tasmota device's."),
        PayloadRow(
            .zigbee2mqtt, "a time that is a text", #"{"last_seen":"soon","t":1}"#, "wrong-type",
            says: "$.last_seen: not a time", stored: 1, do: "Set Zigbee2MQTT's last_seen to ISO_8601 or epoch."),
    ]

    /// A document of `count` numbers.
    private static func metrics(_ count: Int) -> String {
        "{" + (0..<count).map { "\"m\($0)\":1" }.joined(separator: ",") + "}"
    }
}
