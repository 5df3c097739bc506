import KeyValue
import Logging

/// What was subscribed to at each broker. The broker keeps a session, and its subscriptions with it, while the gateway is away or its
/// configuration changes: what is not wanted any more has to be unsubscribed by whoever still knows of it.
struct SubscriptionMemory: Sendable {
    let store: any KeyValueStore
    let logger: Logger

    /// Filters of earlier configurations that are remembered, beside as many as there are now.
    private static let spare = 64

    /// Remembers that `filters` are asked for from now on, and returns what may have been asked for before.
    func exchange(_ broker: String, for filters: [String]) async -> [String] {
        let key = "filters/" + broker
        do {
            let known =
                try await store.text(for: key, in: .identity).map { $0.split(separator: "\n").map(String.init) } ?? []
            // The old ones stay: the broker may be away each time when it should hear that they are not wanted. Beyond some they go.
            let all = Set(known).union(filters).sorted()
            let kept = all.count > 2 * filters.count + Self.spare ? filters : all
            if kept != known { try await store.put(text: Self.text(kept), for: key, in: .identity) }
            return known
        } catch {
            logger.warning("broker \(broker): what was subscribed to before is not known: \(error.message)")
            return []
        }
    }

    /// No filter holds a line feed that a broker would take, and a value has its limit.
    private static func text(_ filters: [String]) -> String {
        var text = ""
        for filter in filters {
            guard text.utf8.count + filter.utf8.count < KeyValueLimits.valueBytes else { break }
            text += filter + "\n"
        }
        return text
    }
}
