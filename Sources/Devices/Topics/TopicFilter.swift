/// Which topics a device takes: an MQTT filter (`+` stands for one level, `#` for the rest), in which `{device}` is a `+` whose level
/// names the device.
package struct TopicFilter: Hashable, Sendable {
    enum Level: Hashable, Sendable {
        case literal(String)
        case any
        case capture
        /// `#`: this level and all below, and also the parent of it.
        case rest
    }

    /// As the configuration writes it.
    package let text: String
    let levels: [Level]

    /// MQTT counts a topic's bytes in 16 bits.
    static let lengthLimit = 65_535

    package init(_ text: String) throws(TopicFilterError) {
        guard !text.isEmpty else { throw TopicFilterError("a topic filter cannot be empty") }
        guard text.utf8.count <= Self.lengthLimit else {
            throw TopicFilterError("a topic filter has at most \(Self.lengthLimit) bytes, not \(text.utf8.count)")
        }
        guard !text.utf8.contains(0) else { throw TopicFilterError("a topic filter cannot hold a NUL character") }
        let parts = Self.split(text)
        var levels: [Level] = []
        levels.reserveCapacity(parts.count)
        for (index, part) in parts.enumerated() {
            levels.append(try Self.level(part, isLast: index == parts.count - 1, in: text))
        }
        guard levels.count(where: { $0 == .capture }) <= 1 else {
            throw TopicFilterError("'\(text)' names {device} twice; one level can name the device")
        }
        self.text = text
        self.levels = levels
    }

    private static func level(_ part: Substring, isLast: Bool, in text: String) throws(TopicFilterError) -> Level {
        switch part {
        case "+": return .any
        case "{device}": return .capture
        case "#" where isLast: return .rest
        case "#": throw TopicFilterError("'#' is only allowed as the last level of '\(text)'")
        default: break
        }
        for wildcard in ["+", "#", "{device}"] where part.contains(wildcard) {
            throw TopicFilterError("'\(wildcard)' must be a whole level of '\(text)', not a part of '\(part)'")
        }
        if part.contains("{") || part.contains("}") {
            throw TopicFilterError("'\(part)' in '\(text)': the only name in braces is {device}")
        }
        return .literal(String(part))
    }

    static func split(_ topic: String) -> [Substring] { topic.split(separator: "/", omittingEmptySubsequences: false) }

    /// The filter as a broker understands it, with `+` for `{device}`.
    package var subscription: String {
        levels.map { level in
            switch level {
            case .literal(let text): text
            case .any, .capture: "+"
            case .rest: "#"
            }
        }.joined(separator: "/")
    }

    package var hasCapture: Bool { levels.contains(.capture) }

    /// Whether any level is open; without, the filter is the topic.
    package var hasWildcard: Bool { !levels.allSatisfy { if case .literal = $0 { true } else { false } } }

    /// What a topic that a filter takes says about the device.
    package struct Match: Hashable, Sendable {
        /// The level at `{device}`; `nil` where the filter has none.
        package let device: String?
    }

    /// `nil` where the filter does not take `topic`. A wildcard as first level takes no topic that begins with `$`.
    package func match(_ topic: String) -> Match? {
        let parts = Self.split(topic)
        if topic.utf8.first == UInt8(ascii: "$"), Self.isOpen(levels[0]) { return nil }
        var device: String?
        for (index, level) in levels.enumerated() {
            if level == .rest { return Match(device: device) }
            guard index < parts.count else { return nil }
            switch level {
            case .literal(let text): if text != parts[index] { return nil }
            case .capture: device = String(parts[index])
            case .any, .rest: break
            }
        }
        return parts.count == levels.count ? Match(device: device) : nil
    }

    static func isOpen(_ level: Level) -> Bool { if case .literal = level { false } else { true } }
}

/// Why a filter or a device id of the configuration cannot be used.
package struct TopicFilterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line: `'#' is only allowed as the last level of 'a/#/b'`.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
