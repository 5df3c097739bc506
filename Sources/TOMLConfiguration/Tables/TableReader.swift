/// A value that was read and where it stands, for checks that come later.
struct Located<Value> {
    let value: Value
    /// Of the value.
    let position: TextPosition
}

/// Why a value is not what its key takes.
struct Unfit: Error {
    let message: String
    let suggestion: String?

    /// `message` goes on after the key's name: `must be …`.
    init(_ message: String, suggestion: String? = nil) {
        self.message = message
        self.suggestion = suggestion
    }
}

/// Reads one table, key by key, and finds what is left over. Every fault goes to the ``Findings``; the readers go on with the default, so
/// that one run finds all.
final class TableReader {
    enum Found {
        case missing
        /// There, and reported already.
        case faulty
        case item(TOMLItem)
    }

    let table: TOMLTable
    /// How messages call the table: `[gateway]`, `[[device]] "door"`.
    let title: String
    let findings: Findings
    /// Where the configuration's file lies; paths are relative to it.
    let folder: String
    private var known: [String] = []

    init(_ table: TOMLTable, title: String, findings: Findings, folder: String) {
        self.table = table
        self.title = title
        self.findings = findings
        self.folder = folder
    }

    /// Where what is missing is reported: the table's header.
    var position: TextPosition { table.position }

    func find(_ key: String) -> Found {
        known.append(key)
        guard let entry = table[key] else { return .missing }
        if findings.repairedLines.contains(entry.keyPosition.line) { return .faulty }
        return .item(entry.item)
    }

    func has(_ key: String) -> Bool {
        known.append(key)
        return table[key] != nil
    }

    func keyPosition(_ key: String) -> TextPosition { table[key]?.keyPosition ?? position }

    /// The value that `read` makes of the key's item; `nil` where the key is missing, or faulty and reported.
    func value<Value>(_ key: String, _ read: (TOMLItem) throws(Unfit) -> Value) -> Located<Value>? {
        guard case .item(let item) = find(key) else { return nil }
        do throws(Unfit) {
            return Located(value: try read(item), position: item.position)
        } catch {
            findings.fault(at: item.position, "`\(key)` \(error.message)", suggestion: error.suggestion)
            return nil
        }
    }

    /// As ``value(_:_:)``, and reports the key where it is missing.
    func required<Value>(
        _ key: String, example: String, _ read: (TOMLItem) throws(Unfit) -> Value
    ) -> Located<Value>? {
        if table[key] == nil { reportMissing(key, example: example) }
        return value(key, read)
    }

    func reportMissing(_ key: String, example: String) {
        known.append(key)
        findings.fault(
            at: position, "\(title) needs `\(key)`",
            suggestion: nearestUnread(to: key).map { "did you mean that by `\($0)`?" } ?? "for example \(example)")
    }

    private func nearestUnread(to key: String) -> String? {
        Suggestion.nearest(to: key, among: table.entries.map(\.key).filter { !known.contains($0) })
    }

    /// Reports the keys that nobody asked for. `foreign` names keys that belong elsewhere, and where.
    func finish(foreign: [(keys: [String], owner: String)] = [], hints: [String: String] = [:]) {
        let candidates = known
        for entry in table.entries where !candidates.contains(entry.key) {
            if findings.repairedLines.contains(entry.keyPosition.line) { continue }
            if let hint = hints[entry.key] {
                findings.fault(at: entry.keyPosition, "unknown key `\(entry.key)` in \(title)", suggestion: hint)
            } else if let owner = foreign.first(where: { $0.keys.contains(entry.key) })?.owner {
                findings.fault(
                    at: entry.keyPosition, "`\(entry.key)` has no meaning in \(title)",
                    suggestion: "it belongs to \(owner)")
            } else {
                let all = candidates + foreign.flatMap(\.keys)
                findings.fault(
                    at: entry.keyPosition, "unknown key `\(quotedKey(entry.key))` in \(title)",
                    suggestion: Suggestion.text(
                        for: entry.key, among: all, else: "known here: " + candidates.uniqued.joined(separator: ", ")))
            }
        }
    }

    /// For a table whose kind is missing or unknown: any of `keys` may stand. Where the kind is one that comes later, its keys are not
    /// known, and nothing is reported.
    func finish(unless kind: String, is later: [String], accepting keys: [String]) {
        if case .string(let word) = table[kind]?.item.value, later.contains(word) { return }
        known += keys
        finish()
    }

    private func quotedKey(_ key: String) -> String {
        key.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } && key.utf8.count <= 64 ? key : quoted(key)
    }
}

extension [String] {
    /// Sorted, each once.
    fileprivate var uniqued: [String] {
        var last: String?
        return sorted().filter { word in
            defer { last = word }
            return word != last
        }
    }
}
