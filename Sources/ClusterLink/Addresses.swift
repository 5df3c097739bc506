import Glibc
package import Model
import NIOCore

extension PeerAddress {
    /// `nil` for what is no socket address with an IP in it. An IPv4 address that IPv6 wraps is told as what it is.
    init?(_ address: SocketAddress?) {
        guard let address, let port = address.port, var host = address.ipAddress else { return nil }
        if host.hasPrefix("::ffff:"), host.contains(".") { host.removeFirst(7) }
        self.init(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
    }

    /// Host and port of `HOST:PORT` or `[HOST]:PORT`.
    package var parts: (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : (String(host), port)
    }

    /// `nil` where the host is a name, not an address. On a socket of IPv6 an IPv4 address is wrapped.
    func socketAddress(onIPv6 isIPv6: Bool) -> SocketAddress? {
        guard let (host, port) = parts else { return nil }
        if isIPv6, !host.contains(":") { return try? SocketAddress(ipAddress: "::ffff:\(host)", port: port) }
        return try? SocketAddress(ipAddress: host, port: port)
    }

    /// Whether a gateway that listens there is reached at whatever address its machine has.
    package static func standsForAll(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" }

    /// Where peers reach a gateway that listens at `host`: there, or where that stands for all addresses, at the one from which it would
    /// speak to them; at the loop where it could speak to nobody.
    ///
    /// - Parameter peers: Some of the others, as far as they are known.
    package static func reachable(host: String, port: Int, towards peers: [PeerAddress] = []) -> PeerAddress? {
        guard standsForAll(host) else {
            return PeerAddress(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        }
        // An address that nobody has stands for the way to everywhere else.
        let far = ["192.0.2.1:9", "[2001:db8::1]:9"].compactMap { PeerAddress($0) }
        for peer in peers + far {
            guard let target = peer.socketAddress(onIPv6: false), host == "::" || target.protocol == .inet,
                var source = source(towards: target)
            else { continue }
            source.port = port
            return PeerAddress(source)
        }
        return PeerAddress(host == "::" ? "[::1]:\(port)" : "127.0.0.1:\(port)")
    }

    /// From which address this machine would speak to `target`; `nil` where there is no way. Nothing is sent.
    private static func source(towards target: SocketAddress) -> SocketAddress? {
        let family = target.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard target.withSockAddr({ connect(descriptor, $0, socklen_t($1)) }) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isKnown = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
        }
        guard isKnown else { return nil }
        return withUnsafePointer(to: &storage) { pointer in
            if family == AF_INET6 {
                return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
        }
    }
}

/// Why a name has no address.
package struct NameError: Error, Hashable, CustomStringConvertible {
    package let description: String
}

extension PeerAddress {
    /// The addresses of a host, in the order in which the system gives them, 8 at most. Blocks while a name server is asked.
    package static func resolve(_ host: String, port: Int) -> Result<[PeerAddress], NameError> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else { return .failure(NameError(description: String(cString: gai_strerror(code)))) }
        defer { freeaddrinfo(list) }
        var found: [PeerAddress] = []
        var next = list
        while let entry = next?.pointee, found.count < 8 {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                let end = text.firstIndex(of: 0) ?? text.endIndex
                let ip = String(decoding: text[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let address = PeerAddress(ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)")
                if let address, !found.contains(address) { found.append(address) }
            }
            next = entry.ai_next
        }
        return .success(found)
    }
}
