package import Glibc
import TestKit

/// What the kernel says that one process has used. Of one that is gone, making it throws.
package struct Usage: Sendable {
    /// Seconds of all its threads, user and system.
    package var cpu = 0.0
    /// All of it, the program's own pages among them, which the kernel can drop and share.
    package var residentKiB = 0
    /// Heap and stacks: what the process alone is to blame for.
    package var privateKiB = 0
    /// What it caused to be written to storage: pages and folios that it made dirty, whole ones, each time anew after they were written.
    package var bytesWritten = 0
    /// What its calls of `write` and its like took, to whatever file.
    package var bytesHanded = 0

    package init(of process: pid_t) throws {
        let fields = try Self.read("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw ChildFailure(description: "process \(process) is gone")
        }
        cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentKiB = try Self.number("VmRSS:", in: "/proc/\(process)/status")
        privateKiB = try Self.number("RssAnon:", in: "/proc/\(process)/status")
        bytesWritten = try Self.number("write_bytes:", in: "/proc/\(process)/io")
        bytesHanded = try Self.number("wchar:", in: "/proc/\(process)/io")
    }

    /// What was used between `before` and this; memory as it is now.
    package func since(_ before: Usage) -> Usage {
        var used = self
        used.cpu -= before.cpu
        used.bytesWritten -= before.bytesWritten
        used.bytesHanded -= before.bytesHanded
        return used
    }

    private static func number(_ key: String, in path: String) throws -> Int {
        for line in try read(path).split(separator: "\n") where line.hasPrefix(key) {
            return Int(line.dropFirst(key.count).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }) ?? 0
        }
        throw ChildFailure(description: "\(path) has no \(key)")
    }

    package static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw ChildFailure(description: "\(path) cannot be read") }
        defer { _ = fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// Seconds of the monotonic clock, for stamps that two processes of one machine compare.
package func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
