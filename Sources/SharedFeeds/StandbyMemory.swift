// Pure.
import Environment

/// Messages that another gateway is to take, in the order in which they came here; bounded.
struct StandbyMemory<Payload: Sendable>: Sendable {
    /// Emptied in any order; the empty ones go when they are more than half.
    private var slots: [SharedMessage<Payload>?] = []
    /// Number of the first slot: slots are numbered through for ever.
    private var base = 0
    /// The first slot that may be filled.
    private var head = 0
    /// Numbers of the filled slots of each key, ascending.
    private var places: [MessageKey: [Int]] = [:]
    private(set) var count = 0
    private(set) var bytes = 0

    var oldest: SharedMessage<Payload>? { head < slots.count ? slots[head] : nil }

    /// - Returns: How many had to give way.
    mutating func append(_ message: SharedMessage<Payload>) -> Int {
        places[message.key, default: []].append(base + slots.count)
        slots.append(message)
        count += 1
        bytes += message.bytes
        var evicted = 0
        while count > SharedFeedLimits.messages || (bytes > SharedFeedLimits.bytes && count > 1) {
            empty(head)
            advance()
            evicted += 1
        }
        tidy()
        return evicted
    }

    /// Removes the oldest one with that key for which `isMeant` holds.
    mutating func removeFirst(_ key: MessageKey, where isMeant: (SharedMessage<Payload>) -> Bool) -> Bool {
        for number in places[key] ?? [] {
            guard let message = slots[number - base], isMeant(message) else { continue }
            empty(number - base)
            advance()
            tidy()
            return true
        }
        return false
    }

    enum Choice { case leave, take, stop }

    /// Takes messages out, oldest first, until `choose` says to stop.
    mutating func take(_ choose: (SharedMessage<Payload>) -> Choice) -> [SharedMessage<Payload>] {
        var taken: [SharedMessage<Payload>] = []
        var index = head
        search: while index < slots.count {
            defer { index += 1 }
            guard let message = slots[index] else { continue }
            switch choose(message) {
            case .leave: continue
            case .stop: break search
            case .take:
                taken.append(message)
                empty(index)
            }
        }
        advance()
        tidy()
        return taken
    }

    private mutating func empty(_ index: Int) {
        guard let message = slots[index] else { return }
        slots[index] = nil
        count -= 1
        bytes -= message.bytes
        if let place = places[message.key]?.firstIndex(of: base + index) { places[message.key]?.remove(at: place) }
        if places[message.key]?.isEmpty ?? false { places[message.key] = nil }
    }

    private mutating func advance() {
        while head < slots.count, slots[head] == nil { head += 1 }
    }

    private mutating func tidy() {
        guard slots.count > 2 * count + 1024 else { return }
        base += slots.count
        slots = slots.filter { $0 != nil }
        head = 0
        places.removeAll(keepingCapacity: true)
        for (index, slot) in slots.enumerated() {
            if let key = slot?.key { places[key, default: []].append(base + index) }
        }
    }
}
