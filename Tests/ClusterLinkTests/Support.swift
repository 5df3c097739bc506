import ClusterLink
import Environment
import Model
import Testing

/// Keys and names that the tests share.
enum Known {
    /// The bytes 0 to 31, and the same backwards.
    static let key = GroupKey(hex: (0..<32).map { hexadecimal([UInt8($0)]) }.joined())!
    static let otherKey = GroupKey(hex: (0..<32).reversed().map { hexadecimal([UInt8($0)]) }.joined())!
    static let ring = KeyRing([key])!
    static let otherRing = KeyRing([otherKey])!

    static let node = NodeID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
    static let start = StartID(0x1122_3344_5566_7788)
    static let peer = NodeID(high: 1, low: 2)
    static let peerStart = StartID(3)

    static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The bytes of hexadecimal digits.
func bytes(of digits: String) -> [UInt8] {
    let digits = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension SeededRandom {
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// Turns bits over, cuts, doubles and fills.
    mutating func mutant(of bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...next() % 4 where !bytes.isEmpty {
            let place = Int(next() % UInt64(bytes.count))
            switch next() % 6 {
            case 0: bytes[place] ^= 1 << (next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.removeLast(bytes.count - place)
            case 3: bytes.insert(contentsOf: bytes[place...].prefix(8), at: place)
            case 4: bytes.append(contentsOf: self.bytes(Int(next() % 64)))
            default: for index in bytes.indices[place...].prefix(8) { bytes[index] = 0xFF }
            }
        }
        return bytes
    }
}
