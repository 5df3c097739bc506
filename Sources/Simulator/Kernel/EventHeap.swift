/// What is still to happen, by time and then by insertion: two events of one moment happen in the order in which they were planned.
package struct EventHeap<Payload> {
    private struct Node {
        let at: Int64
        let order: UInt64
        let slot: Int

        func isBefore(_ other: Node) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    private var nodes: [Node] = []
    /// Payloads stay where they are while the heap sorts small nodes.
    private var slots: [Payload?] = []
    private var free: [Int] = []
    private var inserted: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { nodes.isEmpty }
    package var count: Int { nodes.count }
    /// When the next event happens, in nanoseconds.
    package var nextAt: Int64? { nodes.first?.at }

    package mutating func push(_ payload: Payload, at moment: Int64) {
        let slot: Int
        if let reused = free.popLast() {
            slots[reused] = payload
            slot = reused
        } else {
            slot = slots.count
            slots.append(payload)
        }
        inserted += 1
        nodes.append(Node(at: moment, order: inserted, slot: slot))
        rise(from: nodes.count - 1)
    }

    package mutating func pop() -> (at: Int64, payload: Payload)? {
        guard let first = nodes.first else { return nil }
        let last = nodes.removeLast()
        if !nodes.isEmpty {
            nodes[0] = last
            sink(from: 0)
        }
        guard let payload = slots[first.slot] else { preconditionFailure("slot \(first.slot) is empty") }
        slots[first.slot] = nil
        free.append(first.slot)
        return (first.at, payload)
    }

    /// Takes out what `isGone` says yes to; for rare use, as it goes through everything.
    package mutating func removeAll(where isGone: (Payload) -> Bool) {
        var kept: [Node] = []
        for node in nodes {
            if let payload = slots[node.slot], isGone(payload) {
                slots[node.slot] = nil
                free.append(node.slot)
            } else {
                kept.append(node)
            }
        }
        // A sorted array is a heap.
        nodes = kept.sorted { $0.isBefore($1) }
    }

    private mutating func rise(from start: Int) {
        var place = start
        let node = nodes[place]
        while place > 0 {
            let parent = (place - 1) / 2
            guard node.isBefore(nodes[parent]) else { break }
            nodes[place] = nodes[parent]
            place = parent
        }
        nodes[place] = node
    }

    private mutating func sink(from start: Int) {
        var place = start
        let node = nodes[place]
        while true {
            var child = 2 * place + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].isBefore(nodes[child]) { child += 1 }
            guard nodes[child].isBefore(node) else { break }
            nodes[place] = nodes[child]
            place = child
        }
        nodes[place] = node
    }
}
