import Model

/// One configured device of a broker: the topics it takes, and the name that it goes by.
package struct TopicRoute: Hashable, Sendable {
    package let filter: TopicFilter
    /// A fixed name, or one with `{device}` in it for a device of each captured level.
    package let id: String
    private let prefix: String
    private let suffix: String?

    /// Throws where `id` asks for a level that the filter does not capture, or could never be a device's name.
    package init(filter: TopicFilter, id: String) throws(TopicFilterError) {
        self.filter = filter
        self.id = id
        let parts = id.split(separator: "{device}", omittingEmptySubsequences: false)
        if parts.count > 2 { throw TopicFilterError("id '\(id)' names {device} twice") }
        if parts.count == 2, !filter.hasCapture {
            throw TopicFilterError("id '\(id)' needs {device} in the topic, and '\(filter.text)' has none")
        }
        prefix = parts.first.map(String.init) ?? ""
        suffix = parts.count == 2 ? String(parts[1]) : nil
        if parts.contains(where: { $0.contains("{") || $0.contains("}") }) {
            throw TopicFilterError("the only name in braces in id '\(id)' can be {device}")
        }
        if DeviceID(validating: parts.count == 2 ? prefix + "x" + parts[1] : id) == nil {
            throw TopicFilterError(
                "id '\(id)' is no device name: 1 to \(Limits.deviceNameBytes) bytes without spaces, '+' and '#'")
        }
    }

    /// Whether the id follows the topic, so that devices appear as their messages do.
    package var makesDevices: Bool { suffix != nil }

    /// The name of the device that sent a message, where `capture` is the level at `{device}`; `nil` where that makes no valid name.
    func device(capture: Substring?) -> DeviceID? {
        guard let suffix else { return DeviceID(validating: id) }
        guard let capture, !capture.isEmpty else { return nil }
        return DeviceID(validating: prefix + capture + suffix)
    }
}
