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

    /// Where peers reach a gateway that listens at `host`: there, or where that stands for all addresses, at the machine's first address
    /// that is not its own loop; at the loop where there is no other.
    package static func reachable(host: String, port: Int) -> PeerAddress? {
        guard host == "0.0.0.0" || host == "::" else {
            return PeerAddress(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        }
        return PeerAddress(firstAddress(isIPv6: host == "::", port: port))
            ?? PeerAddress(host == "::" ? "[::1]:\(port)" : "127.0.0.1:\(port)")
    }

    private static func firstAddress(isIPv6: Bool, port: Int) -> SocketAddress? {
        let found = ((try? System.enumerateDevices()) ?? []).compactMap { device -> SocketAddress? in
            guard var address = device.address, let ip = address.ipAddress, !ip.hasPrefix("127."), ip != "::1",
                !ip.hasPrefix("fe80:")
            else { return nil }
            address.port = port
            return address
        }
        // Where both are spoken, most sites reach each other by IPv4.
        return found.first { $0.protocol == .inet } ?? (isIPv6 ? found.first : nil)
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
