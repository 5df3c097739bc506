import Model

/// Logs that lack something here, the most urgent first.
struct WantQueue: Sendable {
    struct Want: Comparable, Sendable {
        let rank: UInt64
        let log: LogName

        static func < (left: Want, right: Want) -> Bool {
            left.rank == right.rank ? left.log < right.log : left.rank < right.rank
        }
    }

    private(set) var wants: [Want] = []

    var isEmpty: Bool { wants.isEmpty }

    mutating func insert(_ want: Want) {
        let (index, isThere) = wants.place(of: want)
        if !isThere { wants.insert(want, at: index) }
    }

    mutating func remove(_ want: Want) {
        let (index, isThere) = wants.place(of: want)
        if isThere { wants.remove(at: index) }
    }
}

extension Array where Element: Comparable {
    /// Where `element` is in this ascending array, or would be.
    func place(of element: Element) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < element { low = middle + 1 } else { high = middle }
        }
        return (low, low < count && self[low] == element)
    }
}
