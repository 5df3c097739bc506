import Glibc
import Synchronization

/// Passes one TCP connection on to a loopback port until it is cut, as a pulled cable's broken connection would look to both ends.
final class Relay: Sendable {
    let port: Int
    private let listener: Int32
    private let ends = Mutex<[Int32]>([])

    init(to target: Int) {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let descriptor = listener
        port = Self.withLoopback(port: 0) { address, length in
            var length = length
            precondition(bind(descriptor, address, length) == 0 && listen(descriptor, 1) == 0)
            precondition(getsockname(descriptor, address, &length) == 0)
        }
        startThread { [weak self] in
            let near = accept(descriptor, nil, nil)
            guard near >= 0 else { return }
            let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            _ = Self.withLoopback(port: target) { address, length in _ = connect(far, address, length) }
            self?.ends.withLock { $0 = [near, far] }
            startThread { Self.copy(near, far) }
            Self.copy(far, near)
        }
    }

    deinit { _ = close(listener) }

    /// Ends the connection on both sides and takes no other.
    func cut() {
        shutdown(listener, Int32(SHUT_RDWR))
        for end in ends.withLock({ $0 }) { shutdown(end, Int32(SHUT_RDWR)) }
    }

    private static func copy(_ from: Int32, _ to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0, send(to, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(to, Int32(SHUT_RDWR))
    }

    /// Gives the port in the address after `body`.
    private static func withLoopback(port: Int, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Void) -> Int {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
