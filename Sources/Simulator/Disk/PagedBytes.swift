/// Bytes in pages of 4 KiB that copies share until one of them writes.
struct PagedBytes: Sendable {
    static let pageBytes = 4096

    let count: Int
    private(set) var pages: [[UInt8]]

    init(zeros count: Int) {
        self.count = count
        let page = [UInt8](repeating: 0, count: Self.pageBytes)
        pages = Array(repeating: page, count: (count + Self.pageBytes - 1) / Self.pageBytes)
    }

    init(_ bytes: [UInt8]) {
        self.init(zeros: bytes.count)
        replace(at: 0, with: bytes[...])
    }

    /// `range` must lie within.
    func bytes(in range: Range<Int>) -> [UInt8] {
        var found: [UInt8] = []
        found.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let start = position % Self.pageBytes
            let length = min(Self.pageBytes - start, range.upperBound - position)
            found.append(contentsOf: pages[position / Self.pageBytes][start..<start + length])
            position += length
        }
        return found
    }

    /// The bytes must fit.
    mutating func replace(at position: Int, with bytes: ArraySlice<UInt8>) {
        var position = position
        var rest = bytes
        while !rest.isEmpty {
            let start = position % Self.pageBytes
            let length = min(Self.pageBytes - start, rest.count)
            if length == Self.pageBytes {
                pages[position / Self.pageBytes] = Array(rest.prefix(length))
            } else {
                pages[position / Self.pageBytes].replaceSubrange(start..<start + length, with: rest.prefix(length))
            }
            rest = rest.dropFirst(length)
            position += length
        }
    }

    /// Takes over a page of `other`, which has as many.
    mutating func share(page: Int, of other: PagedBytes) { pages[page] = other.pages[page] }
}
