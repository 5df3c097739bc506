import Glibc
import Synchronization

/// Passes TCP connections on to a loopback port: until it is cut, as a pulled cable's broken connection would look to both ends, or held,
/// as a network looks that has begun to lose everything and tells nobody.
package final class Relay: Sendable {
    package let port: Int
    private let listener: Descriptor
    private let passage = Passage()

    /// What the threads of a relay share.
    private final class Passage: Sendable {
        let ends = Mutex<[Descriptor]>([])
        let isHeld = Atomic(false)
    }

    package init(to target: Int) {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let listener = Descriptor(socket(AF_INET, kind, 0))
        self.listener = listener
        let descriptor = listener.number
        port = Self.withLoopback(port: 0) { address, length in
            var length = length
            precondition(bind(descriptor, address, length) == 0 && listen(descriptor, 16) == 0)
            precondition(getsockname(descriptor, address, &length) == 0)
        }
        let passage = passage
        startThread {
            while case let accepted = accept(listener.number, nil, nil), accepted >= 0 {
                let near = Descriptor(accepted)
                let far = Descriptor(socket(AF_INET, kind, 0))
                _ = Self.withLoopback(port: target) { address, length in _ = connect(far.number, address, length) }
                passage.ends.withLock { $0 += [near, far] }
                startThread { Self.copy(near, far, passage) }
                startThread { Self.copy(far, near, passage) }
            }
        }
    }

    deinit { cut() }

    /// Ends the connections on both sides and takes no other.
    package func cut() {
        listener.shutdown()
        for end in passage.ends.withLock({ $0 }) { end.shutdown() }
    }

    /// From now on what comes is taken and goes nowhere, on old connections and on new ones.
    package func hold() {
        passage.isHeld.store(true, ordering: .releasing)
    }

    /// What comes is passed on again. Connections that missed something are not worth keeping, so they end.
    package func release() {
        passage.isHeld.store(false, ordering: .releasing)
        for end in passage.ends.withLock({ $0 }) { end.shutdown() }
    }

    private static func copy(_ from: Descriptor, _ to: Descriptor, _ passage: Passage) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from.number, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            if passage.isHeld.load(ordering: .acquiring) { continue }
            guard send(to.number, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
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
