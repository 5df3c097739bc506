import CCovey

/// CRC-32C (Castagnoli), by the CPU's own instruction where it has one.
package enum CRC32C {
    /// The way of computing; all give the same result.
    package enum Path: Sendable, CaseIterable {
        case table
        case hardware
    }

    /// Whether this CPU has the instruction; without it ``Path/hardware`` is the table.
    package static var hasHardware: Bool { covey_crc32c_has_hardware() != 0 }

    /// The checksum of `range` of `bytes`. The range must lie within the array.
    package static func checksum(_ bytes: [UInt8], _ range: Range<Int>, by path: Path = .hardware) -> UInt32 {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "\(range) of \(bytes.count) bytes")
        let way = path == .hardware ? COVEY_CRC32C_HARDWARE : COVEY_CRC32C_TABLE
        return bytes.withUnsafeBytes { all in
            covey_crc32c_by(way, 0, all.baseAddress.map { $0 + range.lowerBound }, range.count)
        }
    }
}
