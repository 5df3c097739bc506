import Glibc
import Synchronization
import TestKit

/// Passes one TCP connection on to a loopback port until it is cut, as a pulled cable's broken connection would look to both ends.
final class Relay: Sendable {
    let port: Int
    private let listener: Descriptor
    private let ends = Mutex<[Descriptor]>([])

    init(to target: Int) {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let listener = Descriptor(socket(AF_INET, kind, 0))
        self.listener = listener
        let descriptor = listener.number
        port = Self.withLoopback(port: 0) { address, length in
            var length = length
            precondition(bind(descriptor, address, length) == 0 && listen(descriptor, 1) == 0)
            precondition(getsockname(descriptor, address, &length) == 0)
        }
        startThread { [weak self] in
            let accepted = accept(listener.number, nil, nil)
            guard accepted >= 0 else { return }
            let near = Descriptor(accepted)
            let far = Descriptor(socket(AF_INET, kind, 0))
            _ = Self.withLoopback(port: target) { address, length in _ = connect(far.number, address, length) }
            self?.ends.withLock { $0 = [near, far] }
            startThread { Self.copy(near, far) }
            Self.copy(far, near)
        }
    }

    deinit { cut() }

    /// Ends the connection on both sides and takes no other.
    func cut() {
        listener.shutdown()
        for end in ends.withLock({ $0 }) { end.shutdown() }
    }

    private static func copy(_ from: Descriptor, _ to: Descriptor) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from.number, &buffer, buffer.count, 0)
            guard count > 0, send(to.number, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        to.shutdown()
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
