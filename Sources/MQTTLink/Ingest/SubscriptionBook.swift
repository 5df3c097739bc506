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
    /// What the broker's session may hold: all that was ever asked for. A session outlives connections and processes, and goes on
    /// sending what nobody wants any more until it is told.
    private var held: Set<String>
    /// Given up on this connection.
    private var givenUp: Set<String> = []
    private var pending: [Int32: [String]] = [:]

    /// - Parameter held: What earlier links of the same client asked for.
    init(wanted: [String], held: [String] = []) {
        self.wanted = Self.distinct(wanted)
        self.held = Set(held)
    }

    /// A new connection: everything is asked for again, because the broker may have forgotten; where it says that it has, there is
    /// nothing to give up either.
    mutating func connected(sessionPresent: Bool) {
        if !sessionPresent { held = [] }
        asked = []
        givenUp = []
        pending = [:]
    }

    mutating func change(to filters: [String]) {
        wanted = Self.distinct(filters)
    }

    /// What to ask the broker for now: first what is new, so that nothing falls between the old filters and the new ones. Each request must be sent, and then told with ``sent(_:messageID:)``.
    mutating func requests() -> [Request] {
        let keep = Set(wanted)
        let new = wanted.filter { !asked.contains($0) }
        let gone = held.subtracting(keep).subtracting(givenUp).sorted()
        asked = keep
        held.formUnion(keep)
        givenUp = givenUp.subtracting(keep).union(gone)
        return Self.split(new).map(Request.subscribe) + Self.split(gone).map(Request.unsubscribe)
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
