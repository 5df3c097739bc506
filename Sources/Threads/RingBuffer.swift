/// A first-in, first-out buffer whose storage grows by doubling and is then reused. Who uses it bounds it.
struct RingBuffer<Element: Sendable>: Sendable {
    private var storage: [Element?] = []
    private var first = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(first + count) & (storage.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[first].take()
        first = (first + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    /// Sizes stay powers of two, so that a mask replaces the division.
    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, storage.count * 2))
        for offset in 0..<count { larger.append(storage[(first + offset) & (storage.count - 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: max(8, storage.count * 2) - count))
        storage = larger
        first = 0
    }
}
