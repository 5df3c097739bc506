/// The names of the objects that are open, to find one that stands twice. Names are kept as copies in one buffer: escapes are resolved,
/// so that `"a"` and `"\u0061"` are one name. Memory is bounded by the document, time by its names × log.
struct JSONKeys {
    private var text: [UInt8] = []
    private var entries: [Entry] = []

    private struct Entry {
        let hash: UInt64
        let start: Int
        let end: Int
    }

    /// Few names are compared each with each; beyond this, sorting is cheaper, and it is what bounds a hostile document.
    private static let pairwiseLimit = 12

    var count: Int { entries.count }

    mutating func append(_ name: ArraySlice<UInt8>) {
        let start = text.count
        text.append(contentsOf: name)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        entries.append(Entry(hash: hash, start: start, end: text.count))
    }

    /// Forgets the names from index `first` on, which are those of the object that ends; gives one that stood twice.
    mutating func closeObject(from first: Int) -> ArraySlice<UInt8>? {
        guard entries.count > first else { return nil }
        let double =
            entries.count - first <= Self.pairwiseLimit ? pairwiseDouble(from: first) : sortedDouble(from: first)
        if let double { return text[double.start..<double.end] }
        text.removeLast(text.count - entries[first].start)
        entries.removeLast(entries.count - first)
        return nil
    }

    private func pairwiseDouble(from first: Int) -> Entry? {
        for later in first..<entries.count {
            for earlier in first..<later where areEqual(entries[earlier], entries[later]) { return entries[later] }
        }
        return nil
    }

    private func sortedDouble(from first: Int) -> Entry? {
        let sorted = entries[first...].sorted { left, right in
            left.hash != right.hash
                ? left.hash < right.hash
                : text[left.start..<left.end].lexicographicallyPrecedes(text[right.start..<right.end])
        }
        return zip(sorted, sorted.dropFirst()).first { areEqual($0, $1) }?.1
    }

    private func areEqual(_ left: Entry, _ right: Entry) -> Bool {
        left.hash == right.hash && text[left.start..<left.end].elementsEqual(text[right.start..<right.end])
    }
}
