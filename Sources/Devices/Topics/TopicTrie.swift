/// Open filters by their levels, so that a topic's cost follows its own length and not the number of filters.
struct TopicTrie: Sendable {
    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var open: Int?
        /// Routes whose filter ends at this node.
        var ends: [Entry] = []
        /// Routes whose filter goes on with `#` here.
        var rests: [Entry] = []
    }

    struct Entry: Sendable {
        let route: Int
        /// Which level names the device.
        let captureLevel: Int?
    }

    private var nodes = [Node()]

    mutating func insert(_ filter: TopicFilter, route: Int) {
        let entry = Entry(route: route, captureLevel: filter.levels.firstIndex(of: .capture))
        var node = 0
        for level in filter.levels {
            switch level {
            case .rest:
                nodes[node].rests.append(entry)
                return
            case .literal(let text): node = child(of: node, at: \.literals[text])
            case .any, .capture: node = child(of: node, at: \.open)
            }
        }
        nodes[node].ends.append(entry)
    }

    private mutating func child(of node: Int, at place: WritableKeyPath<Node, Int?>) -> Int {
        if let known = nodes[node][keyPath: place] { return known }
        nodes.append(Node())
        nodes[node][keyPath: place] = nodes.count - 1
        return nodes.count - 1
    }

    /// The routes that take a topic of these levels, in no order. Work is bounded by the filters: a level visits each node once at most.
    func entries(for levels: [Substring]) -> [Entry] {
        let isSystem = levels[0].utf8.first == UInt8(ascii: "$")
        var found: [Entry] = []
        var frontier = [0]
        for (depth, level) in levels.enumerated() {
            var next: [Int] = []
            let name = String(level)
            for node in frontier {
                let takesOpen = depth > 0 || !isSystem
                if takesOpen { found += nodes[node].rests }
                if let literal = nodes[node].literals[name] { next.append(literal) }
                if takesOpen, let open = nodes[node].open { next.append(open) }
            }
            if next.isEmpty { return found }
            frontier = next
        }
        for node in frontier { found += nodes[node].ends + nodes[node].rests }
        return found
    }
}
