import Glibc

/// Makes one `String` of a topic, however often it comes: a link hears the same few topics again and again.
struct TopicCache {
    /// Beyond any honest number of live topics; then it starts anew.
    static let limit = 4096

    private var topics: [UInt64: String] = [:]

    mutating func string(_ topic: UnsafePointer<CChar>) -> String {
        var key: UInt64 = 0xCBF2_9CE4_8422_2325
        var length = 0
        while topic[length] != 0 {
            key = (key ^ UInt64(UInt8(bitPattern: topic[length]))) &* 0x100_0000_01B3
            length += 1
        }
        if let known = topics[key], known.utf8.count == length, Self.equal(known, topic, length) { return known }
        let string = String(cString: topic)
        if topics.count >= Self.limit { topics.removeAll(keepingCapacity: true) }
        topics[key] = string
        return string
    }

    private static func equal(_ known: String, _ topic: UnsafePointer<CChar>, _ length: Int) -> Bool {
        known.utf8.withContiguousStorageIfAvailable { memcmp($0.baseAddress!, topic, length) == 0 } ?? false
    }
}
