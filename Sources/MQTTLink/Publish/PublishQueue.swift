import Environment
package import Model

/// Limits of a ``PublishLink``.
package struct PublishLimits: Hashable, Sendable {
    /// Messages handed to the library and not yet acknowledged: its own queue has no limit.
    package var window = 32
    /// Publishes that wait for a place in the window; more are refused, because whoever awaits them can wait better.
    package var queued = 256
    /// Payload bytes of those.
    package var queuedBytes = ByteCount.mebibytes(8)
    /// Topics with a latest value to be sent; one value each.
    package var latestTopics = Limits.series
    /// From ``PublishLink/publish(topic:payload:retain:)`` to the broker's acknowledgement.
    package var timeout = Duration.seconds(30)

    package init() {}
}

/// What became of a publish.
package enum PublishOutcome: Hashable, Sendable {
    /// The broker has it.
    case acknowledged
    /// The broker, or MQTT itself, does not take it, and would not at another time: why.
    case refused(String)
    /// Too much waits already.
    case queueFull
    /// No acknowledgement in time; the broker may have it.
    case timedOut
    /// There is no connection, or it was lost before the acknowledgement; the broker may have it.
    case disconnected(String)
    /// The caller's task was cancelled; the broker may have it.
    case cancelled
}

/// What waits to be published and what is on its way. Pure; tickets stand for whoever waits.
struct PublishQueue: Sendable {
    struct Ticket: Hashable, Sendable {
        let number: UInt64
    }

    struct Item: Sendable {
        let topic: String
        let payload: [UInt8]
        let retain: Bool
        /// `nil`: a latest value, which nobody waits for.
        let ticket: Ticket?
    }

    private struct Deadline: Sendable {
        let ticket: Ticket
        let at: MonotonicInstant
    }

    let limits: PublishLimits
    private var nextTicket: UInt64 = 0
    private var waiting = FirstInFirstOut<Item>()
    private var waitingBytes = 0
    private var latest: [String: [UInt8]] = [:]
    private var latestOrder = FirstInFirstOut<String>()
    private var inFlight: [Int32: Item] = [:]
    /// Tickets not yet answered; one that is gone from here was withdrawn.
    private var open: Set<Ticket> = []
    /// In the order of making, which is that of their ends.
    private var deadlines = FirstInFirstOut<Deadline>()
    /// Whether the last turn went to a latest value: the two kinds take turns, so that neither starves.
    private var tookLatest = false

    private(set) var superseded: UInt64 = 0
    private(set) var droppedLatest: UInt64 = 0

    init(limits: PublishLimits) {
        self.limits = limits
    }

    var waitingCount: Int { waiting.count }
    var latestCount: Int { latest.count }
    var inFlightCount: Int { inFlight.count }
    var nextDeadline: MonotonicInstant? { deadlines.first?.at }

    mutating func makeTicket() -> Ticket {
        nextTicket += 1
        return Ticket(number: nextTicket)
    }

    /// `false` where there is no room.
    mutating func add(
        _ ticket: Ticket, topic: String, payload: [UInt8], retain: Bool, now: MonotonicInstant
    ) -> Bool {
        guard open.count < limits.queued + limits.window, waiting.count < limits.queued,
            waitingBytes + payload.count <= limits.queuedBytes.rawValue
        else { return false }
        waiting.append(Item(topic: topic, payload: payload, retain: retain, ticket: ticket))
        waitingBytes += payload.count
        open.insert(ticket)
        deadlines.append(Deadline(ticket: ticket, at: now.advanced(by: limits.timeout)))
        return true
    }

    /// The newest value of a topic; an older one that still waits is forgotten.
    mutating func offer(topic: String, payload: [UInt8]) {
        if latest.updateValue(payload, forKey: topic) != nil {
            superseded += 1
        } else if latest.count > limits.latestTopics {
            latest[topic] = nil
            droppedLatest += 1
        } else {
            latestOrder.append(topic)
        }
    }

    /// The next message for the broker, while the window has room. It must be told to ``sent(_:messageID:)`` or ``answered(_:)``.
    mutating func next() -> Item? {
        guard inFlight.count < limits.window else { return nil }
        while true {
            let takesLatest = latestOrder.count > 0 && (waiting.count == 0 || !tookLatest)
            tookLatest = takesLatest
            if takesLatest, let topic = latestOrder.popFirst() {
                guard let payload = latest.removeValue(forKey: topic) else { continue }
                return Item(topic: topic, payload: payload, retain: true, ticket: nil)
            }
            guard let item = waiting.popFirst() else { return nil }
            waitingBytes -= item.payload.count
            if let ticket = item.ticket, open.contains(ticket) { return item }
        }
    }

    mutating func sent(_ item: Item, messageID: Int32) {
        inFlight[messageID] = item
    }

    /// The broker's answer: who waits for it, if anybody still does.
    mutating func acknowledged(messageID: Int32) -> Ticket? {
        guard let ticket = inFlight.removeValue(forKey: messageID)?.ticket else { return nil }
        return answered(ticket) ? ticket : nil
    }

    /// Closes a ticket; `false` where it was closed before.
    mutating func answered(_ ticket: Ticket) -> Bool {
        defer { trimDeadlines() }
        return open.remove(ticket) != nil
    }

    /// Tickets whose time is over, closed now.
    mutating func expired(now: MonotonicInstant) -> [Ticket] {
        var result: [Ticket] = []
        while let head = deadlines.first, head.at <= now {
            _ = deadlines.popFirst()
            if open.remove(head.ticket) != nil { result.append(head.ticket) }
        }
        return result
    }

    /// The connection is gone: all tickets, closed now. Latest values on their way wait again, unless a newer one does.
    mutating func disconnected() -> [Ticket] {
        for (_, item) in inFlight.sorted(by: { $0.key < $1.key }) where item.ticket == nil {
            if latest[item.topic] == nil { offer(topic: item.topic, payload: item.payload) }
        }
        inFlight = [:]
        waiting = FirstInFirstOut()
        waitingBytes = 0
        deadlines = FirstInFirstOut()
        defer { open = [] }
        return open.sorted { $0.number < $1.number }
    }

    private mutating func trimDeadlines() {
        while let head = deadlines.first, !open.contains(head.ticket) { _ = deadlines.popFirst() }
    }
}

/// A queue whose ends are both cheap.
struct FirstInFirstOut<Element> {
    private var storage: [Element] = []
    private var head = 0

    var count: Int { storage.count - head }
    var first: Element? { head < storage.count ? storage[head] : nil }

    mutating func append(_ element: Element) {
        storage.append(element)
    }

    mutating func popFirst() -> Element? {
        guard head < storage.count else { return nil }
        defer {
            head += 1
            if head > 64, head * 2 > storage.count {
                storage.removeFirst(head)
                head = 0
            }
        }
        return storage[head]
    }
}

extension FirstInFirstOut: Sendable where Element: Sendable {}
