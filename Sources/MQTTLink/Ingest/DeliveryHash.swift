package import Devices

extension Message {
    /// A 64-bit fingerprint of topic and payload, by which a redelivered message is known again, also by a later version of this program:
    /// the function never changes. Not a defence against someone who seeks collisions.
    package var deliveryHash: UInt64 {
        var hash = DeliveryHash()
        var topic = topic
        topic.withUTF8 { hash.add(UnsafeRawBufferPointer($0)) }
        payload.withUnsafeBytes { hash.add($0) }
        return hash.finish()
    }
}

/// Multiply, rotate and fold over words of eight bytes, little-endian on every machine. Each part is led by its length, so that `ab` + `c`
/// differs from `a` + `bc`.
struct DeliveryHash {
    private static let first: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let second: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let third: UInt64 = 0x1656_67B1_9E37_79F9

    private var state: UInt64 = 0x434F_5645_594D_5154

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var index = 0
        while index + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
            index += 8
        }
        guard index < bytes.count else { return }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            tail |= UInt64(bytes[index]) << shift
            shift += 8
            index += 1
        }
        mix(tail)
    }

    func finish() -> UInt64 {
        var result = state
        result = (result ^ (result >> 33)) &* Self.second
        result = (result ^ (result >> 29)) &* Self.third
        return result ^ (result >> 32)
    }

    private mutating func mix(_ word: UInt64) {
        let scrambled = Self.rotate(word &* Self.second, 31) &* Self.first
        state = Self.rotate(state ^ scrambled, 27) &* Self.first &+ Self.third
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        (value << count) | (value >> (64 - count))
    }
}
