import Glibc
import TestKit

/// The device that a folder lies on, by the kernel's own counters: of all that anybody writes to it, the file system's journal among it.
package struct BlockDevice {
    /// Such as `ext4`.
    package let fileSystem: String
    private let counters: String

    /// `nil` where there is no such device, as with files in memory.
    package init?(below folder: String) throws {
        var status = stat()
        guard stat(folder, &status) == 0 else { throw ChildFailure(description: "\(folder) is not there") }
        // As glibc puts both into one number.
        let device = UInt64(status.st_dev)
        let (major, minor) = (device >> 8 & 0xFFF | device >> 32 & ~0xFFF, device & 0xFF | device >> 12 & ~0xFF)
        let number = "\(major):\(minor)"
        counters = "/sys/dev/block/\(number)/stat"
        guard access(counters, R_OK) == 0 else { return nil }
        var found = "unknown"
        for line in try Usage.read("/proc/self/mountinfo").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == number else { continue }
            found = words.drop { $0 != "-" }.dropFirst().first.map(String.init) ?? found
        }
        fileSystem = found
    }

    /// Bytes since the machine was started, once nothing waits to be written any more.
    package func bytesWritten() throws -> Int {
        sync()
        let fields = try Usage.read(counters).split { $0 == " " || $0 == "\n" }
        guard fields.count > 6, let sectors = Int(fields[6]) else {
            throw ChildFailure(description: "\(counters) is not understood")
        }
        return sectors * 512
    }
}
