import Glibc

/// Wakes a thread that waits in `poll`, from anywhere.
package final class Wakeup: Sendable {
    /// Readable from a ``signal()`` on until the next ``clear()``.
    package let descriptor: Int32
    private let writeEnd: Int32

    package init() throws(ThreadError) {
        var ends: [Int32] = [-1, -1]
        // A socket pair rather than a pipe: it can be closed to child programs from its first moment.
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard socketpair(AF_UNIX, Int32(kind), 0, &ends) == 0 else {
            throw ThreadError(missing: "wake-up socket", code: errno)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    package func signal() {
        var byte: UInt8 = 1
        // A full socket is readable already, which is all that is wanted.
        _ = write(writeEnd, &byte, 1)
    }

    /// Forgets the signals so far; for the thread that waits.
    package func clear() {
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let size = MemoryLayout.size(ofValue: bytes)
        while read(descriptor, &bytes, size) == size {}
    }
}
