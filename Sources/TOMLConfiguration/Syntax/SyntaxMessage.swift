/// The parser's words, made into what a person can act on.
struct SyntaxMessage {
    var text: String
    var suggestion: String?
    /// A key or section that is there already.
    private(set) var isRepetition = false
    /// What to do about a repetition.
    private(set) var advice = ""

    /// `line` is the text of the faulty line, `column` where in it the parser stood, from 1.
    init(_ raw: String, line: String, column: Int) {
        text = Self.plain(raw)
        if raw.contains("cannot redefine") {
            isRepetition = true
            repetition(raw, line: line)
        } else if raw.contains("could not determine value type") || raw.contains("expected a comment or whitespace")
            || raw.contains("while parsing boolean")
        {
            value(line, column: column)
        } else if raw.contains("expected value, saw") {
            text = "a value is missing behind the ="
        } else if raw.contains("parsing table header"), raw.contains("expected ']'") {
            text = "this header is not closed"
            suggestion = line.contains("[[") ? "write ]] behind the name" : "write ] behind the name"
        } else if raw.contains("parsing array") {
            text = Self.openArray
        } else if raw.contains("expected '='") {
            text = "a key needs = and a value"
            suggestion = line.contains(":") ? "TOML writes key = value, not key: value" : nil
        } else if line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0D }) {
            text = "there is a control character in this line"
        } else if raw.contains("unescaped control characters") || raw.contains("encountered end-of-file"),
            line.contains("\"")
        {
            text = "a text is not closed"
            suggestion = "write \" at its end"
        } else if raw.contains("invalid utf-8") {
            text = "this is not UTF-8 text"
            suggestion = "save the file as UTF-8"
        } else if raw.contains("unknown escape sequence") {
            text = "a backslash begins an escape, and this is none"
            suggestion = #"write \\ for a backslash, or put the text in single quotes"#
        } else if raw == "unreadable" {
            text = "this line cannot be read"
            suggestion = line.contains("[") ? "a section begins with [name] or [[name]]" : nil
        } else if raw.contains("nested value depth") {
            text = "values are nested too deeply (16 levels at most)"
        } else if raw.contains("root table") {
            text = "a key or a [section] must stand here"
            suggestion = line.utf8.contains { $0 >= 0x80 } ? "keys have ASCII letters only" : nil
        }
    }

    private static let openArray = "this array needs a comma or its closing ] before this"

    private mutating func repetition(_ raw: String, line: String) {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        if trimmed.hasPrefix("[") {
            let name = trimmed.prefix { $0 != "#" }.filter { $0 != " " && $0 != "\r" }
            text = "section \(name) is there already"
            advice = raw.contains("array") ? "write \(Self.doubled(name)) every time" : "put its keys together"
        } else {
            let key = trimmed.prefix { $0 != "=" && $0 != " " && $0 != "\t" }
            text = "key `\(key)` is there already in this section"
            advice = "keep one of them"
        }
    }

    private static func doubled(_ header: String) -> String { header.hasPrefix("[[") ? header : "[\(header)]" }

    /// Says what is wrong with the value on `line`: most often it lacks its quotes.
    private mutating func value(_ line: String, column: Int) {
        guard let equals = line.firstIndex(of: "=") else { return }
        guard line.distance(from: line.startIndex, to: equals) < column else {
            text = Self.openArray
            return
        }
        var value = line[line.index(after: equals)...].drop { $0 == " " || $0 == "\t" }
        if let comment = value.firstIndex(of: "#") { value = value[..<comment] }
        while value.last?.isWhitespace == true { value.removeLast() }
        text = "this is no TOML value: \(quoted(String(value)))"
        switch value.lowercased() {
        case "true", "yes", "on": suggestion = "did you mean true?"
        case "false", "no", "off": suggestion = "did you mean false?"
        default:
            suggestion =
                value.contains("\"") || value.isEmpty ? nil : "texts, durations and sizes stand in quotes: \"\(value)\""
        }
    }

    /// Without the parser's state, which says little to a reader of the file.
    private static func plain(_ raw: String) -> String {
        let prefix = "Error while parsing "
        let line = String(raw.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) })
        guard line.hasPrefix(prefix) else { return line }
        return "not TOML: " + line.dropFirst(prefix.count)
    }
}
