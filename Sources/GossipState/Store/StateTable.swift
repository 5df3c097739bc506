// Pure.

/// The rows of one space, ascending by key and element, so that queries need no sorting.
struct StateTable: Sendable {
    var rows: [StateRow] = []

    /// Where the row is, or would be put in.
    func find(_ key: [UInt8], _ element: [UInt8]) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            var order = compare(rows[middle].key, key)
            if order == 0 { order = compare(rows[middle].element, element) }
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    /// The rows of one key: a set has one for each element.
    func rows(of key: [UInt8]) -> ArraySlice<StateRow> {
        let first = find(key, []).index
        var end = first
        while end < rows.count, rows[end].key == key { end += 1 }
        return rows[first..<end]
    }
}

extension StateRow {
    /// Where the writer's cell is, or would be put in.
    func find(_ writer: WriterID) -> (index: Int, isThere: Bool) {
        var low = 0
        var high = cells.count
        while low < high {
            let middle = (low + high) / 2
            if cells[middle].writer < writer { low = middle + 1 } else { high = middle }
        }
        return (low, low < cells.count && cells[low].writer == writer)
    }
}

/// Below, at or above 0, as the first array comes before, is, or comes after the second.
private func compare(_ first: [UInt8], _ second: [UInt8]) -> Int {
    first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
            let common = min(first.count, second.count)
            var index = 0
            while index < common {
                if first[index] != second[index] { return Int(first[index]) - Int(second[index]) }
                index += 1
            }
            return first.count - second.count
        }
    }
}
