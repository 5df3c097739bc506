import Model

/// Which MQTT version to try next. Pure.
struct ProtocolChoice: Sendable {
    /// Some old brokers close the connection instead of answering; once may be chance.
    static let silentClosesToDoubt = 2

    private let wanted: MQTTVersion
    private var silentCloses = 0
    private(set) var next: MQTTVersion

    init(_ wanted: MQTTVersion) {
        self.wanted = wanted
        next = wanted == .version311 ? .version311 : .version5
    }

    mutating func connected() {
        silentCloses = 0
    }

    /// A connection attempt failed before the broker had accepted it. `true`: try again at once, with ``next``.
    mutating func failed(_ failure: LinkFailure) -> Bool {
        guard wanted == .automatic else { return false }
        switch (next, failure.code) {
        case (.version5, .protocolVersion), (.version5, .protocolError):
            next = .version311
            return true
        case (_, .lost):
            silentCloses += 1
            if silentCloses >= Self.silentClosesToDoubt {
                silentCloses = 0
                next = next == .version5 ? .version311 : .version5
            }
            return false
        case (.version311, .protocolVersion), (.version311, .protocolError):
            next = .version5
            return false
        default:
            return false
        }
    }
}
