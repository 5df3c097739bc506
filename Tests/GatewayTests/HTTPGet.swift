import Glibc
import TestKit

/// One GET, or a POST without a body, of a gateway, over its socket or over TCP, by a plain blocking connection on a thread of its own.
enum HTTPGet {
    struct Answer: Sendable {
        let status: Int
        let head: String
        let body: [UInt8]
    }

    static func get(_ target: String, socket path: String, method: String = "GET") async throws -> Answer {
        try await onThread {
            let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            return try exchange(descriptor, &address, target, method: method)
        }
    }

    static func get(_ target: String, port: Int) async throws -> Answer {
        try await onThread {
            let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            return try exchange(descriptor, &address, target)
        }
    }

    private static func exchange(
        _ descriptor: CInt, _ address: inout some BitwiseCopyable, _ target: String, method: String = "GET"
    ) throws -> Answer {
        defer { close(descriptor) }
        let size = socklen_t(MemoryLayout.size(ofValue: address))
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else { throw ChildFailure(description: "connect: errno \(errno)") }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let request = Array("\(method) \(target) HTTP/1.1\r\nhost: covey\r\nconnection: close\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else {
            throw ChildFailure(description: "send: errno \(errno)")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { throw ChildFailure(description: "recv: errno \(errno)") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: "\r\n\r\n".utf8) }) else {
            throw ChildFailure(description: "no head: \(String(decoding: bytes, as: UTF8.self))")
        }
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        return Answer(status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, body: Array(bytes[(end + 4)...]))
    }
}
