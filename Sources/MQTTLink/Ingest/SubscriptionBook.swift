/// What is to be subscribed, what the broker was asked, and what it answered. Pure.
struct SubscriptionBook: Sendable {
    enum Request: Hashable {
        case subscribe([String])
        case unsubscribe([String])
    }

    enum Answer: Hashable {
        case subscribed(filter: String, qos: Int)
        case refused(filter: String, reason: String)
    }

    /// Filters of one packet: small brokers have small buffers.
    static let filtersPerRequest = 32
    static let bytesPerRequest = 4096

    private(set) var wanted: [String]
    /// Asked for on this connection, answered or not.
    private var asked: Set<String> = []
    private var pending: [Int32: [String]] = [:]

    init(wanted: [String]) {
        self.wanted = Self.distinct(wanted)
    }

    /// A new connection: everything is asked for again, because the broker may have forgotten.
    mutating func connected() {
        asked = []
        pending = [:]
    }

    mutating func change(to filters: [String]) {
        wanted = Self.distinct(filters)
    }

    /// What to ask the broker for now. Each request must be sent, and then told with ``sent(_:messageID:)``.
    mutating func requests() -> [Request] {
        let keep = Set(wanted)
        let gone = asked.filter { !keep.contains($0) }.sorted()
        let new = wanted.filter { !asked.contains($0) }
        asked = keep
        return Self.split(gone).map(Request.unsubscribe) + Self.split(new).map(Request.subscribe)
    }

    mutating func sent(_ filters: [String], messageID: Int32) {
        pending[messageID] = filters
    }

    /// The broker's answer to one SUBSCRIBE: a granted QoS or a failure (128 and above) for each filter.
    mutating func answered(messageID: Int32, codes: [Int32], reason: (Int32) -> String) -> [Answer] {
        guard let filters = pending.removeValue(forKey: messageID) else { return [] }
        return filters.enumerated().map { index, filter in
            guard index < codes.count else {
                return .refused(filter: filter, reason: "the broker did not answer for this filter")
            }
            let code = codes[index]
            return code < 128
                ? .subscribed(filter: filter, qos: Int(code)) : .refused(filter: filter, reason: reason(code))
        }
    }

    private static func distinct(_ filters: [String]) -> [String] {
        Set(filters).sorted()
    }

    private static func split(_ filters: [String]) -> [[String]] {
        var result: [[String]] = []
        var bytes = 0
        for filter in filters {
            let size = filter.utf8.count + 3
            if let last = result.last, last.count < filtersPerRequest, bytes + size <= bytesPerRequest {
                result[result.count - 1].append(filter)
                bytes += size
            } else {
                result.append([filter])
                bytes = size
            }
        }
        return result
    }
}
