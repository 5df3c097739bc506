/// FNV-1a over 64-bit words: two runs with one hash did the same things in the same order.
package struct TraceHash: Hashable, Sendable {
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    package mutating func note(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01B3
        // A plain FNV of words never lets high bits reach low ones.
        value ^= value >> 29
    }

    /// The first 8 bytes and the last, and how many there are: enough to tell two messages apart, and cheap.
    package mutating func note(_ bytes: [UInt8]) {
        var word = UInt64(bytes.count)
        for index in 0..<min(8, bytes.count) { word = word << 8 ^ UInt64(bytes[index]) }
        note(word)
        word = 0
        for index in max(0, bytes.count - 8)..<bytes.count { word = word << 8 | UInt64(bytes[index]) }
        note(word)
    }
}
