import Glibc
import TestKit
import Testing

/// A caller that sends any bytes it likes, on blocking sockets: call it through ``onThread(_:)``.
final class RawClient: Sendable {
    let descriptor: CInt

    init(path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0, "connect: errno \(errno)")
        setPatience()
    }

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "connect: errno \(errno)")
        setPatience()
    }

    deinit { close(descriptor) }

    /// A test that waits for what never comes fails, it does not hang.
    private func setPatience() {
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, CInt(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            done += count
        }
    }

    /// At most `limit` bytes; empty at the end.
    func receive(_ limit: Int = 65536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &buffer, limit, 0)
        if count < 0, errno == ECONNRESET { return [] }
        try #require(count >= 0, "recv: errno \(errno)")
        return Array(buffer[..<count])
    }

    /// Everything until the other side closes.
    func receiveAll() throws -> String {
        var all: [UInt8] = []
        while case let bytes = try receive(), !bytes.isEmpty { all += bytes }
        return String(decoding: all, as: UTF8.self)
    }

    /// Everything until `text` has come.
    func receive(until text: String) throws -> String {
        var all: [UInt8] = []
        while true {
            let bytes = try receive()
            try #require(
                !bytes.isEmpty, "the answer ended before \(text): \(String(decoding: all.suffix(500), as: UTF8.self))")
            all += bytes
            let shown = String(decoding: all, as: UTF8.self)
            if shown.contains(text) { return shown }
        }
    }
}

/// Sends `request` to the socket and gives all that is answered until the server closes.
func exchange(_ path: String, _ request: String) async throws -> String {
    try await onThread {
        let client = try RawClient(path: path)
        client.send(request)
        return try client.receiveAll()
    }
}

func get(_ path: String, _ target: String) async throws -> String {
    try await exchange(path, "GET \(target) HTTP/1.1\r\nHost: covey\r\nConnection: close\r\n\r\n")
}

/// The body of an answer that is chunked, put together; `nil` where the last chunk is missing.
func unchunked(_ answer: String) -> (body: String, isWhole: Bool) {
    var rest = Array(answer.utf8)[...]
    guard let start = answer.utf8.firstRange(of: Array("\r\n\r\n".utf8)) else { return ("", false) }
    rest = rest.dropFirst(answer.utf8.distance(from: answer.startIndex, to: start.upperBound))
    var body: [UInt8] = []
    while let end = rest.firstIndex(of: 13), let count = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16) {
        if count == 0 { return (String(decoding: body, as: UTF8.self), true) }
        rest = rest[(end + 2)...]
        body += rest.prefix(count)
        rest = rest.dropFirst(count + 2)
    }
    return (String(decoding: body, as: UTF8.self), false)
}
