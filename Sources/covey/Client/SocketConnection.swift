import Glibc
import Model

/// A connected Unix socket that waits only so long. Closed when forgotten.
final class SocketConnection {
    enum ConnectError: Error {
        case pathTooLong
        case refused(errno: CInt)
    }

    private let descriptor: CInt
    private let path: String
    private let patience: Duration

    /// Bytes taken from the kernel at once.
    private static let bufferBytes = 64 * 1024

    init(path: String, patience: Duration) throws(ConnectError) {
        let bytes = Array(path.utf8)
        guard (1...107).contains(bytes.count), !bytes.contains(0) else { throw .pathTooLong }
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.path = path
        self.patience = patience
        guard descriptor >= 0 else { throw .refused(errno: errno) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw .refused(errno: errno) }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            try wait(for: POLLOUT)
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, CInt(MSG_NOSIGNAL))
            }
            // A daemon that refuses answers before it has read everything, and closes: its answer can still be read.
            if count < 0, errno == EPIPE || errno == ECONNRESET { return }
            if count < 0, errno != EINTR { throw gone(String(cString: strerror(errno))) }
            done += max(count, 0)
        }
    }

    /// What came; empty at the end.
    func receive() throws -> [UInt8] {
        while true {
            try wait(for: POLLIN)
            var buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count >= 0 {
                buffer.removeLast(buffer.count - count)
                return buffer
            }
            if errno == ECONNRESET { return [] }
            if errno != EINTR { throw gone(String(cString: strerror(errno))) }
        }
    }

    func gone(_ why: String) -> Failure { Failure(.noDaemon, "no daemon answers at \(path): \(why)") }

    /// Waits in short pieces, so that who looks on sees that something is being waited for.
    private func wait(for events: CInt) throws {
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        var left = CInt(clamping: patience.nanoseconds / 1_000_000)
        while true {
            let piece = min(left, Self.piece)
            let count = poll(&request, 1, piece)
            if count > 0 { return }
            if count < 0, errno != EINTR { throw gone(String(cString: strerror(errno))) }
            Progress.tick()
            left -= piece
            if left <= 0 { throw gone("it accepted the call and said nothing for \(patience.text)") }
        }
    }

    /// Milliseconds of one piece.
    private static let piece: CInt = 250
}
