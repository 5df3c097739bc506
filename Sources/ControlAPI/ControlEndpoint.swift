import Glibc

/// Where the interface listens.
package enum ControlEndpoint: Hashable, Sendable {
    /// A Unix socket; its directory must exist. Mode 0660.
    case unix(path: String)
    /// A loopback address: `127.0.0.1`, `::1` or `localhost`. Port 0 picks a free one.
    case tcp(host: String, port: Int)

    /// The kernel's limit for a Unix socket's path, in bytes of UTF-8.
    package static let longestPath = 107

    /// Reads `127.0.0.1:8470`, `[::1]:8470`, `localhost:8470`; `nil` for anything else.
    package init?(listen text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self = .tcp(host: String(host), port: Int(port))
    }

    /// Whether only this machine can reach it.
    package var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _):
            host == "localhost" || host == "::1" || (host.hasPrefix("127.") && inet_addr(host) != INADDR_NONE)
        }
    }
}

extension ControlEndpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}
