/// Hosts, ports and URLs, as far as a configuration needs them.
enum Address {
    /// `HOST:PORT` with a port from 1 to 65535; IPv6 addresses in brackets.
    static func hostPort(_ text: String) -> HostPort? {
        guard let (host, port) = split(text), let port else { return nil }
        return HostPort(host: host, port: port)
    }

    /// `HOST` or `HOST:PORT`.
    static func split(_ text: String) -> (host: String, port: Int?)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            guard host.contains(":"), host.utf8.allSatisfy({ isHexDigit($0) || ":.%".utf8.contains($0) }) else {
                return nil
            }
            return withPort(host: host, rest: text[text.index(after: end)...])
        }
        let host = text.prefix { $0 != ":" }
        guard isHost(host) else { return nil }
        return withPort(host: String(host), rest: text[host.endIndex...])
    }

    private static func withPort(host: String, rest: Substring) -> (host: String, port: Int?)? {
        if rest.isEmpty { return (host, nil) }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = Int(digits), (1...65_535).contains(port)
        else { return nil }
        return (host, port)
    }

    private static func isHost(_ host: Substring) -> Bool {
        (1...253).contains(host.utf8.count)
            && host.utf8.allSatisfy { byte in
                isHexDigit(byte) || (UInt8(ascii: "g")...UInt8(ascii: "z")).contains(byte | 0x20) && byte >= 0x41
                    || "-._".utf8.contains(byte)
            }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20) && byte >= 0x41
    }

    /// The parts of `SCHEME://AUTHORITY/PATH`; `nil` without a `://`.
    static func parts(_ url: String) -> (scheme: String, authority: String, path: String)? {
        let scheme = url.prefix { $0 != ":" }
        let rest = url[scheme.endIndex...]
        guard rest.hasPrefix("://") else { return nil }
        let authority = rest.dropFirst(3).prefix { !"/?#".contains($0) }
        return (String(scheme), String(authority), String(rest[authority.endIndex...]))
    }

    /// A broker's address and whether it is reached through TLS.
    static func broker(_ item: TOMLItem) throws(Unfit) -> (address: HostPort, isTLS: Bool) {
        let text = try Read.text(item)
        let allowed = "must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"
        guard let (scheme, authority, path) = parts(text) else {
            let meant = split(text) == nil ? nil : "did you mean \"mqtt://\(text)\"?"
            throw Unfit("\(allowed), not \(quoted(text))", suggestion: meant)
        }
        let schemes = ["mqtt": false, "mqtts": true, "tcp": false, "ssl": true, "tls": true]
        guard scheme == "mqtt" || scheme == "mqtts", let isTLS = schemes[scheme] else {
            let meant = schemes[scheme].map { "did you mean \"\($0 ? "mqtts" : "mqtt")://\(authority)\"?" }
            throw Unfit("\(allowed), not \(quoted(text))", suggestion: meant)
        }
        if authority.contains("@") {
            throw Unfit("must not hold a user or password", suggestion: "use `username` and `password_file`")
        }
        guard path.isEmpty || path == "/" else {
            throw Unfit("\(allowed), without \(quoted(path))", suggestion: "topics are named by the devices")
        }
        guard let (host, port) = split(authority) else {
            let missing = authority.isEmpty ? "the host is missing" : "a port is a number from 1 to 65535"
            throw Unfit("\(allowed), not \(quoted(text))", suggestion: missing)
        }
        return (HostPort(host: host, port: port ?? (isTLS ? 8883 : 1883)), isTLS)
    }

    /// An `http` or `https` URL, and whether it is the latter.
    static func http(_ item: TOMLItem) throws(Unfit) -> (url: String, isTLS: Bool) {
        let text = try Read.text(item)
        let allowed = "must be http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH"
        guard let (scheme, authority, path) = parts(text), scheme == "http" || scheme == "https" else {
            throw Unfit("\(allowed), not \(quoted(text))")
        }
        if authority.contains("@") {
            throw Unfit("must not hold a user or password", suggestion: "use `token_file` or `headers`")
        }
        guard split(authority) != nil, path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Unfit("\(allowed), not \(quoted(text))")
        }
        if path.contains("#") { throw Unfit("must not hold a fragment (#…)") }
        return (text, scheme == "https")
    }
}
