// Pure.
import Environment
import Model

/// Reports about messages that have not come here yet: their owner was quicker. Only for messages that come for certain, and only for as
/// long as an owner can be quicker; bounded.
struct Credits: Sendable {
    /// When each came to its owner, by message, oldest first.
    private var arrivals: [MessageKey: [MonotonicInstant]] = [:]
    /// In the order of their reports; some are used by now.
    private var order: [MessageKey] = []

    mutating func add(_ key: MessageKey, arrival: MonotonicInstant) {
        if order.count >= 2 * SharedFeedLimits.credits { forgetHalf() }
        arrivals[key, default: []].append(arrival)
        order.append(key)
    }

    /// Whether a report is there for that message, which is then used up.
    mutating func use(_ message: SharedMessage<some Sendable>, slack: Duration) -> Bool {
        guard var known = arrivals[message.key] else { return false }
        defer { arrivals[message.key] = known.isEmpty ? nil : known }
        // Older ones are about messages that never came here.
        known.removeAll { $0.advanced(by: slack) < message.arrival }
        guard !known.isEmpty else { return false }
        known.removeFirst()
        return true
    }

    private mutating func forgetHalf() {
        for key in order.prefix(SharedFeedLimits.credits) { arrivals[key] = nil }
        order.removeFirst(SharedFeedLimits.credits)
    }
}

/// Messages that stood by here and may come again, as the broker did not hear that they had come; bounded.
struct SeenMessages: Sendable {
    private struct Mark: Hashable {
        let messageID: UInt16
        let key: MessageKey
    }

    private var marks: Set<Mark> = []
    /// In the order of arrival, a ring once it is full.
    private var order: [Mark] = []
    private var next = 0

    mutating func note(_ message: SharedMessage<some Sendable>) {
        guard message.messageID > 0 else { return }
        let mark = Mark(messageID: message.messageID, key: message.key)
        guard marks.insert(mark).inserted else { return }
        if order.count < SharedFeedLimits.seen {
            order.append(mark)
        } else {
            marks.remove(order[next])
            order[next] = mark
            next = (next + 1) % SharedFeedLimits.seen
        }
    }

    func contains(_ message: SharedMessage<some Sendable>) -> Bool {
        marks.contains(Mark(messageID: message.messageID, key: message.key))
    }
}
