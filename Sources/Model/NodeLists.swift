/// Lists of nodes, ascending and without doubles, as membership tells them. In a covey of a thousand they change a
/// thousand times while it forms, so each of these is one walk, and a copy only where something must change.
extension [NodeID] {
    /// Where the node is, or would be put in.
    package func position(of node: NodeID) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < node { low = middle + 1 } else { high = middle }
        }
        return (low, low < count && self[low] == node)
    }

    package mutating func enter(_ node: NodeID) {
        let (index, isThere) = position(of: node)
        if !isThere { insert(node, at: index) }
    }

    package mutating func leave(_ node: NodeID) {
        let (index, isThere) = position(of: node)
        if isThere { remove(at: index) }
    }

    /// The same nodes ascending and without doubles, which they may well be already.
    package var ascending: [NodeID] {
        var isAscending = true
        for index in indices.dropFirst() where self[index - 1] >= self[index] {
            isAscending = false
            break
        }
        if isAscending { return self }
        var result: [NodeID] = []
        result.reserveCapacity(count)
        for node in sorted() where node != result.last { result.append(node) }
        return result
    }

    /// ``ascending``, and `node` is not among them.
    package func ascending(without node: NodeID) -> [NodeID] {
        var result = ascending
        result.leave(node)
        return result
    }

    /// ``ascending``, and `node` is among them.
    package func ascending(with node: NodeID) -> [NodeID] {
        var result = ascending
        result.enter(node)
        return result
    }

    /// Those that another list lacks. Both are ascending.
    package func missing(in other: [NodeID]) -> [NodeID] {
        var missing: [NodeID] = []
        var next = 0
        for node in self {
            while next < other.count, other[next] < node { next += 1 }
            if next == other.count || other[next] != node { missing.append(node) }
        }
        return missing
    }
}
