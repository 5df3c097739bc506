import Glibc

/// Ends a wait in `poll` from any thread.
final class Waker: Sendable {
    /// Readable from the first ``wake()`` on.
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(GPIOError) {
        var ends: [Int32] = [-1, -1]
        // A socket pair rather than a pipe: it can be closed to child programs from its first moment.
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard socketpair(AF_UNIX, Int32(kind), 0, &ends) == 0 else {
            throw GPIOError(.system, place: "wake-up socket", message: describe(errno: errno))
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func wake() {
        var byte: UInt8 = 1
        // A full socket is readable already, which is all that is wanted.
        _ = write(writeEnd, &byte, 1)
    }
}

/// The system's words for an error number.
func describe(errno code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
