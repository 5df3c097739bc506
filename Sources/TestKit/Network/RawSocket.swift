import Glibc

/// Bare sockets on the loop.
package enum RawSocket {
    /// - Parameter own: The address that it calls from: any of 127.0.0.0/8.
    package static func connected(to port: Int, from own: String? = nil) throws -> Descriptor {
        let descriptor = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        if let own, withAddress(0, of: own, { bind(descriptor.number, $0, $1) }) != 0 {
            throw ChildFailure("bind \(own)", errno)
        }
        let result = withAddress(port) { connect(descriptor.number, $0, $1) }
        guard result == 0 else { throw ChildFailure(description: "connect: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    /// Takes calls into its backlog and does nothing with them.
    package static func deafListener() throws -> (listener: Descriptor, port: Int) {
        let port = try MosquittoBroker.freePort()
        let descriptor = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        let result = withAddress(port) { bind(descriptor.number, $0, $1) }
        guard result == 0, listen(descriptor.number, 128) == 0 else { throw ChildFailure(description: "no listener") }
        return (descriptor, port)
    }

    package static func sendDatagram(
        _ bytes: [UInt8], from socket: Descriptor, to port: Int, of address: String = "127.0.0.1"
    ) {
        _ = withAddress(port, of: address) { sendto(socket.number, bytes, bytes.count, 0, $0, $1) }
    }

    package static func datagramSocket() -> Descriptor {
        Descriptor(socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    }

    /// Returns when the other side has closed.
    package static func waitForEnd(of socket: Descriptor) async {
        await onThread {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while recv(socket.number, &buffer, buffer.count, 0) > 0 {}
        }
    }

    package static func write(_ bytes: [UInt8], to socket: Descriptor) {
        _ = send(socket.number, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    static func withAddress<Answer>(
        _ port: Int, of host: String = "127.0.0.1", _ body: (UnsafePointer<sockaddr>, socklen_t) -> Answer
    ) -> Answer {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
