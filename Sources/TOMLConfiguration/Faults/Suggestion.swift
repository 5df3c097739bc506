/// Finds what was probably meant.
package enum Suggestion {
    /// The candidate nearest to `word`, if one is near enough to be a slip: a third of its letters, at least one, may differ.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let limit = max(1, min(3, word.utf8.count / 3))
        let letters = normalized(word)
        // A key beyond this is no slip of a name, and the distance costs its length for every candidate.
        guard letters.count <= 64 else { return nil }
        var best: (distance: Int, candidate: String)?
        for candidate in candidates {
            let distance = distance(letters, normalized(candidate))
            if distance <= limit, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.candidate
    }

    /// ``did you mean `broker`?``, or what there is to choose from where nothing is near.
    static func text(for word: String, among candidates: [String], else alternative: String?) -> String? {
        nearest(to: word, among: candidates).map { "did you mean `\($0)`?" } ?? alternative
    }

    /// `keep-alive`, `keepAlive` and `keep_alive` are the same slip.
    private static func normalized(_ word: String) -> [UInt8] {
        word.utf8.compactMap { byte in
            switch byte {
            case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: " "): nil
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
            default: byte
            }
        }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for (column, other) in right.enumerated() {
                var best = min(
                    previous[column + 1] + 1, current[column] + 1, previous[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
