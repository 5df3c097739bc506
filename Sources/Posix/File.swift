import Environment
import Glibc

/// The few file operations that the gateway needs outside the ring, each with an error that says what was tried where.
package enum File {
    /// Reads at most `limit` bytes of a text file.
    package static func readText(_ path: String, limit: Int) throws(SystemError) -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    package static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(limit, 65536))
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read", path) }
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }

    /// Makes the directory and its parents, mode 0750.
    package static func makeDirectory(_ path: String) throws(SystemError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o750) != 0, errno != EEXIST { throw SystemError("mkdir", made) }
        }
    }
}

/// A system call that failed: `open of /var/lib/covey/ring: Permission denied`.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let number: Int32
    package let description: String

    /// Takes the error from `errno`, so it must be made right after the call.
    package init(_ call: String, _ subject: String, number: Int32 = errno) {
        self.number = number
        description = "\(call) of \(subject): \(String(cString: strerror(number)))"
    }
}

extension SystemError {
    /// Whether the disk is the reason, rather than who asked or what for: it may be another one tomorrow.
    package var isOfTheDisk: Bool { [EROFS, ENOSPC, EDQUOT, EIO, ENOTCONN, ENODEV, ENXIO].contains(number) }
}

extension DiskError {
    init(_ error: SystemError) {
        let code: Code =
            switch error.number {
            case ENOSPC, EDQUOT: .full
            case EROFS: .readOnly
            default: .failed
            }
        self.init(code, error.description)
    }
}
