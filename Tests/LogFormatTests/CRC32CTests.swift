import Environment
import LogFormat
import Testing

struct CRC32CTests {
    @Test
    func `known vectors come out of both paths`() {
        let vectors: [(bytes: [UInt8], checksum: UInt32)] = [
            ([], 0),
            (Array("123456789".utf8), 0xE306_9283),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
        ]
        for (bytes, checksum) in vectors {
            for path in CRC32C.Path.allCases {
                #expect(CRC32C.checksum(bytes, 0..<bytes.count, by: path) == checksum, "\(bytes) by \(path)")
            }
        }
    }

    @Test
    func `both paths agree at every length and alignment`() {
        var random = SeededRandom(seed: 7)
        let bytes = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for start in 0..<9 {
            for end in start...bytes.count {
                #expect(
                    CRC32C.checksum(bytes, start..<end, by: .table)
                        == CRC32C.checksum(bytes, start..<end, by: .hardware))
            }
        }
    }
}
