import CTOML

/// One value of the text and where it stands.
struct TOMLItem {
    indirect enum Value {
        case table(TOMLTable)
        case array([TOMLItem])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        case dateTime
    }

    let value: Value
    let position: TextPosition

    /// The kind of value with its content where that is short: `the text "one"`.
    var description: String {
        switch value {
        case .table: "a table"
        case .array: "an array"
        case .string(let text): text.isEmpty ? "an empty text" : "the text \(quoted(text))"
        case .integer(let integer): "the number \(integer)"
        case .float(let number): "the number \(number)"
        case .boolean(let flag): "\(flag)"
        case .dateTime: "a date or time"
        }
    }
}

/// A table's entries in the order of the text.
struct TOMLTable {
    struct Entry {
        let key: String
        let keyPosition: TextPosition
        let item: TOMLItem
    }

    let position: TextPosition
    let entries: [Entry]

    subscript(key: String) -> Entry? { entries.first { $0.key == key } }
}

/// Why a text is no TOML, in the parser's words.
struct TOMLSyntaxError: Error, Hashable {
    let position: TextPosition
    let message: String
}

extension TOMLTable {
    static func parse(_ text: [UInt8]) throws(TOMLSyntaxError) -> TOMLTable {
        let document = text.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { ctoml_parse($0.baseAddress, $0.count) }
        }
        guard let document else {
            throw TOMLSyntaxError(position: TextPosition(line: 1, column: 1), message: "no memory to read it")
        }
        defer { ctoml_free(document) }
        var line: UInt32 = 0
        var column: UInt32 = 0
        if let message = ctoml_error(document, &line, &column) {
            throw TOMLSyntaxError(position: position(line, column), message: String(cString: message))
        }
        var count = 0
        let nodes = ctoml_nodes(document, &count)
        var cursor = NodeCursor(nodes: UnsafeBufferPointer(start: nodes, count: count))
        guard case .table(let root) = cursor.next().value else {
            preconditionFailure("a document of \(count) nodes does not begin with its root table")
        }
        return root
    }

    fileprivate static func position(_ line: UInt32, _ column: UInt32) -> TextPosition {
        TextPosition(line: max(1, Int(line)), column: max(1, Int(column)))
    }
}

/// Walks the flat nodes of the C face, in pre-order, and copies them out.
private struct NodeCursor {
    let nodes: UnsafeBufferPointer<ctoml_node>
    var index = 0

    mutating func next() -> TOMLItem {
        precondition(index < nodes.count, "node \(index) of \(nodes.count) asked for")
        let node = nodes[index]
        index += 1
        let position = TOMLTable.position(node.line, node.column)
        let value: TOMLItem.Value =
            switch node.kind {
            case CTOML_TABLE: .table(table(node, at: position))
            case CTOML_ARRAY: .array((0..<node.children).map { _ in next() })
            case CTOML_STRING: .string(string(node.text, node.text_length))
            case CTOML_INTEGER: .integer(node.integer)
            case CTOML_FLOAT: .float(node.number)
            case CTOML_BOOLEAN: .boolean(node.integer != 0)
            default: .dateTime
            }
        return TOMLItem(value: value, position: position)
    }

    private mutating func table(_ node: ctoml_node, at position: TextPosition) -> TOMLTable {
        var entries: [TOMLTable.Entry] = []
        for _ in 0..<node.children {
            let child = nodes[index]
            let key = string(child.key, child.key_length)
            let keyPosition = TOMLTable.position(child.key_line, child.key_column)
            entries.append(TOMLTable.Entry(key: key, keyPosition: keyPosition, item: next()))
        }
        // The parser keeps a table by name; people read it from top to bottom.
        entries.sort { ($0.keyPosition, $0.key) < ($1.keyPosition, $1.key) }
        return TOMLTable(position: position, entries: entries)
    }

    private func string(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
        guard let start else { return "" }
        return start.withMemoryRebound(to: UInt8.self, capacity: count) {
            String(decoding: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self)
        }
    }
}

/// The text in quotes on one line, cut where it is long.
func quoted(_ text: String) -> String {
    let limit = 40
    var line = ""
    for scalar in text.unicodeScalars.prefix(limit) {
        switch scalar {
        case "\"", "\\": line += "\\" + String(scalar)
        case "\n": line += "\\n"
        case "\t": line += "\\t"
        default: line += scalar.value < 0x20 || scalar.value == 0x7F ? "\u{FFFD}" : String(scalar)
        }
    }
    return "\"" + line + (text.unicodeScalars.count > limit ? "…\"" : "\"")
}
