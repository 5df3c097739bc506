import Glibc
import LogFormat
import TestKit

/// A file of a stopped gateway's data directory, to be spoiled.
struct StoredFile: Sendable {
    let path: String

    static let segmentBytes = Geometry.standard.segmentBytes

    var size: Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    func read(at position: Int, count: Int) throws -> [UInt8] {
        try withDescriptor { descriptor in
            var bytes = [UInt8](repeating: 0, count: count)
            guard pread(descriptor, &bytes, count, off_t(position)) == count else { throw failure("read") }
            return bytes
        }
    }

    func write(_ bytes: [UInt8], at position: Int) throws {
        try withDescriptor { descriptor in
            guard pwrite(descriptor, bytes, bytes.count, off_t(position)) == bytes.count else { throw failure("write") }
        }
    }

    func truncate(to size: Int) throws {
        guard Glibc.truncate(path, off_t(size)) == 0 else { throw failure("truncate") }
    }

    /// Flips one bit.
    func flip(at position: Int) throws {
        try write([try read(at: position, count: 1)[0] ^ 0x10], at: position)
    }

    func fill(_ range: Range<Int>, with byte: () -> UInt8) throws {
        try write(range.map { _ in byte() }, at: range.lowerBound)
    }

    // MARK: Segments of a ring

    /// Segments that hold something.
    func usedSegments() throws -> [Int] {
        try (0..<size / Self.segmentBytes).filter { segment in
            try read(at: segment * Self.segmentBytes, count: 16).contains { $0 != 0 }
        }
    }

    func segment(_ number: Int) throws -> [UInt8] {
        try read(at: number * Self.segmentBytes, count: Self.segmentBytes)
    }

    func put(_ bytes: [UInt8], segment: Int) throws {
        try write(bytes, at: segment * Self.segmentBytes)
    }

    /// Makes both headers of a segment those of a format that is to come.
    func age(segment: Int) throws {
        for copy in 0..<2 {
            let start = segment * Self.segmentBytes + copy * Geometry.unit
            var header = try read(at: start, count: Geometry.unit)
            header[12] = 99
            let sum = CRC32C.checksum(header, 12..<Geometry.unit)
            for byte in 0..<4 { header[8 + byte] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(byte))) }
            try write(header, at: start)
        }
    }

    private func withDescriptor<Result>(_ body: (Int32) throws -> Result) throws -> Result {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open") }
        defer { close(descriptor) }
        return try body(descriptor)
    }

    private func failure(_ what: String) -> ChildFailure {
        ChildFailure(description: "\(what) of \(path): \(String(cString: strerror(errno)))")
    }
}
