/// A text as far as it could be understood.
struct RepairedText {
    /// `nil` where the text could not be understood at all.
    var root: TOMLTable?
    /// `false` where ``root`` ends before the text does.
    var isWhole = true
    var faults: [Fault] = []
    /// Lines whose statement was replaced after it was reported.
    var lines: Set<Int> = []
}

/// Parses a text, and where a line breaks the syntax, reports it, puts something harmless in its place and goes on: one slip shall not
/// hide the others. What cannot be mended by one line ends the attempt with what was found so far.
struct SyntaxRepair {
    private var lines: [[UInt8]]
    private var result = RepairedText()
    private var lastLine = 0

    static func parse(_ text: [UInt8]) -> RepairedText {
        var repair = SyntaxRepair(text)
        return repair.run(text)
    }

    private init(_ text: [UInt8]) {
        lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    }

    private mutating func run(_ original: [UInt8]) -> RepairedText {
        var text = original
        for _ in 0...Bounds.repairs {
            do throws(TOMLSyntaxError) {
                result.root = try TOMLTable.parse(text)
                return result
            } catch {
                guard mend(error) else {
                    result.isWhole = false
                    result.root = sectionsBefore(line: faultyLine(error.position))
                    return result
                }
                text = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
            }
        }
        result.isWhole = false
        return result
    }

    /// The sections above the one that `number` lies in: what cannot be mended shall not hide the faults before it.
    private func sectionsBefore(line number: Int) -> TOMLTable? {
        let header = lines[..<(number - 1)].lastIndex { $0.first { $0 != UInt8(ascii: " ") } == UInt8(ascii: "[") }
        guard let header else { return nil }
        do throws(TOMLSyntaxError) {
            return try TOMLTable.parse(Array(lines[..<header].joined(separator: [UInt8(ascii: "\n")])))
        } catch {
            return nil
        }
    }

    /// Reports `error` and replaces its line; `false` where that cannot help.
    private mutating func mend(_ error: TOMLSyntaxError) -> Bool {
        let number = faultyLine(error.position)
        // The same line again, or the one behind it that only makes sense together with what was replaced.
        guard number > lastLine, !(result.lines.contains(number - 1) && statement(number) == nil) else { return false }
        lastLine = number
        result.faults.append(fault(error, line: number))
        guard let statement = statement(number) else { return false }
        result.lines.insert(number)
        switch statement {
        case .header(let header):
            // A name of its own, that nobody reads, takes the keys that follow.
            let isRepeated = error.message.contains("redefine")
            let name = isRepeated ? "repeated-\(number)" : header.name
            guard isRepeated || !header.name.isEmpty else { return false }
            if !isRepeated { result.lines.remove(number) }
            lines[number - 1] = Array((header.isArray ? "[[\(name)]]" : "[\(name)]").utf8)
        case .key(let key):
            let isRepeated = error.message.contains("redefine")
            lines[number - 1] = isRepeated ? [] : Array((key + " = 0001-01-01").utf8)
        }
        return true
    }

    /// The parser stands behind the end of a line when it misses something there.
    private func faultyLine(_ position: TextPosition) -> Int {
        min(max(1, position.line), lines.count)
    }

    private enum Statement {
        case header(Header)
        case key(String)
    }

    private struct Header {
        let name: String
        let isArray: Bool
    }

    /// What the line at `number` states, if it is the whole of a statement.
    private func statement(_ number: Int) -> Statement? {
        let line = String(decoding: lines[number - 1], as: UTF8.self)
        let text = line.drop { $0 == " " || $0 == "\t" }
        if text.hasPrefix("[") {
            let isArray = text.hasPrefix("[[")
            let name = text.drop { $0 == "[" || $0 == " " }.prefix { isBareKey($0) || $0 == "." }
            return .header(Header(name: String(name), isArray: isArray))
        }
        let key = text.prefix { isBareKey($0) }
        guard !key.isEmpty else { return nil }
        // `'''` and `"""` begin what goes on below.
        let rest = text[key.endIndex...]
        guard !rest.contains("\"\"\""), !rest.contains("'''") else { return nil }
        return .key(String(key))
    }

    private func isBareKey(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_" || character == "-")
    }

    private func fault(_ error: TOMLSyntaxError, line number: Int) -> Fault {
        var position = TextPosition(line: number, column: error.position.column)
        var message = SyntaxMessage(
            error.message, line: String(decoding: lines[number - 1], as: UTF8.self), column: error.position.column)
        if message.isRepetition {
            position = TextPosition(line: number, column: firstColumn(number))
            message.suggestion =
                firstPlace(of: number).map { "first on line \($0); \(message.advice)" } ?? message.advice
        }
        return Fault(at: position, message.text, suggestion: message.suggestion)
    }

    private func firstColumn(_ number: Int) -> Int {
        (lines[number - 1].firstIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") } ?? 0) + 1
    }

    /// The line above `number` that states the same key or header.
    private func firstPlace(of number: Int) -> Int? {
        guard let repeated = statement(number) else { return nil }
        for candidate in stride(from: number - 1, through: 1, by: -1) {
            switch (repeated, statement(candidate)) {
            case (.header(let one), .header(let other)) where one.name == other.name: return candidate
            case (.key(let one), .key(let other)) where one == other: return candidate
            case (.key, .header): return nil
            default: continue
            }
        }
        return nil
    }
}
