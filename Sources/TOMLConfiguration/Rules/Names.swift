import Model

/// What may be called what.
enum Names {
    /// A gateway's name is one level of its topics.
    static func isTopicLevel(_ name: String) -> Bool {
        DeviceID(validating: name) != nil && name.utf8.count <= Bounds.nameBytes && !name.contains("/")
    }

    static func topicLevel(_ item: TOMLItem) throws(Unfit) -> String {
        let name = try Read.text(item)
        guard isTopicLevel(name) else {
            throw Unfit(
                "must be 1 to \(Bounds.nameBytes) bytes without spaces, '/', '+' and '#', not \(quoted(name))",
                suggestion: "it is a level of MQTT topics")
        }
        return name
    }

    /// Letters, digits, `-`, `_` and `.`: for names that appear in paths and tables.
    static func plain(_ item: TOMLItem) throws(Unfit) -> String {
        let name = try Read.text(item)
        let isPlain = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (97...122).contains(byte | 0x20) && byte >= 65 || "-_.".utf8.contains(byte)
        }
        guard isPlain, name.utf8.count <= Bounds.nameBytes else {
            throw Unfit("must be 1 to \(Bounds.nameBytes) letters, digits, '-', '_' or '.', not \(quoted(name))")
        }
        return name
    }

    /// A device's name, or a pattern with one `{device}`.
    static func deviceID(_ item: TOMLItem) throws(Unfit) -> String {
        let id = try Read.text(item)
        let pieces = id.split(separator: "{device}", omittingEmptySubsequences: false)
        guard pieces.count <= 2 else { throw Unfit("may name {device} once, not \(quoted(id))") }
        guard DeviceID(validating: pieces.joined(separator: pieces.count == 2 ? "x" : "")) != nil else {
            throw Unfit(
                "must be 1 to \(Limits.deviceNameBytes) bytes without spaces, '+' and '#', not \(quoted(id))")
        }
        guard !pieces.contains(where: { $0.contains("{") || $0.contains("}") }) else {
            throw Unfit("has braces around something else than {device}: \(quoted(id))")
        }
        return id
    }
}
