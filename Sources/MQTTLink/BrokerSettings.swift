import Glibc
package import Model

/// When a link that lost its broker tries again: after a random time up to `base`, doubled with every failure up to `cap`.
package struct ReconnectSettings: Hashable, Sendable {
    package var base = Duration.seconds(1)
    package var cap = Duration.seconds(60)
    /// Only a connection that lasted this long makes the next failure the first one again.
    package var stableAfter = Duration.seconds(30)
    /// For the TCP connection, TLS and the broker's answer together.
    package var connectTimeout = Duration.seconds(10)

    package init() {}
}

/// One MQTT broker and how to be its client.
package struct BrokerSettings: Hashable, Sendable {
    /// The name in the configuration, for messages and thread names.
    package var name: String
    /// A DNS name or an address.
    package var host: String
    package var port: Int
    /// `nil`: plain TCP.
    package var tls: TLSFiles?
    package var username: String?
    /// Its first line is the password; read anew for every connection.
    package var passwordFile: String?
    /// 1 to 256 bytes. Two clients of one broker with one id throw each other out.
    package var clientID: String
    /// 5 s to 65,535 s; a broker that is silent for up to twice this long is given up.
    package var keepAlive = Duration.seconds(60)
    /// How long the broker keeps the session, and with it the messages, of an absent MQTT 5 client.
    package var sessionExpiry = Duration.seconds(7 * 86_400)
    /// How many messages the broker may have unacknowledged (MQTT 5): 1 to 65,535.
    package var receiveMaximum = 4096
    /// After this long without a message a link that is connected says so.
    package var silentAlarm: Duration?
    /// How long a message may wait for its commit and acknowledgement. 0: not at all, but what comes during a commit shares the next.
    package var commitWindow = Duration.seconds(1)
    package var version = MQTTVersion.automatic
    package var reconnect = ReconnectSettings()

    package init(name: String, host: String, port: Int = 1883, tls: TLSFiles? = nil, clientID: String) {
        self.name = name
        self.host = host
        self.port = port
        self.tls = tls
        self.clientID = clientID
    }
}

/// Settings that no number of retries can make work. The message names the file or the value, and what to do.
package struct LinkConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    package var description: String { message }
}

extension BrokerSettings {
    /// Checks ranges, and that every file that is named can be read now.
    package func validate() throws(LinkConfigurationError) {
        func demand(_ condition: Bool, _ message: @autoclosure () -> String) throws(LinkConfigurationError) {
            guard condition else { throw LinkConfigurationError(message: "broker \(name): \(message())") }
        }
        try demand(!host.isEmpty && !host.utf8.contains(0), "the host is empty")
        try demand((1...65_535).contains(port), "port \(port) is not between 1 and 65535")
        try demand(
            (1...256).contains(clientID.utf8.count) && !clientID.utf8.contains(0),
            "the client id must have 1 to 256 bytes")
        try demand(
            keepAlive >= .seconds(5) && keepAlive <= .seconds(65_535),
            "the keep-alive \(keepAlive.text) is not between 5 s and 65535 s")
        try demand(commitWindow >= .zero, "the commit window must not be below 0")
        try demand(
            (1...65_535).contains(receiveMaximum), "receive maximum \(receiveMaximum) is not between 1 and 65535")
        try demand(
            sessionExpiry >= .zero && sessionExpiry < .seconds(Int64(UInt32.max)),
            "the session expiry is not between 0 s and 136 years")
        try demand(passwordFile == nil || username != nil, "a password_file needs a username")
        let files = [
            ("password_file", passwordFile), ("ca_file", tls?.caFile), ("cert_file", tls?.certFile),
            ("key_file", tls?.keyFile),
        ]
        for case (let key, let path?) in files {
            try demand(
                access(path, R_OK) == 0,
                "\(key) \(path) cannot be read: \(describe(errno)); check the path and its owner")
        }
        try demand((tls?.certFile == nil) == (tls?.keyFile == nil), "cert_file and key_file go together")
    }

    /// The first line of the password file.
    func password() throws(LinkConfigurationError) -> String? {
        guard let passwordFile else { return nil }
        // More than any broker takes; the rest of a wrong file is not read.
        guard let text = readTextFile(passwordFile, limit: 65_535) else {
            throw LinkConfigurationError(
                message: "broker \(name): password_file \(passwordFile) cannot be read; check the path and its owner")
        }
        var line = text.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }
}

/// What the system calls an error.
func describe(_ code: Int32) -> String {
    String(cString: strerror(code))
}

private func readTextFile(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { _ = close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: limit)
    var filled = 0
    while filled < limit {
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + filled, limit - filled) }
        if count == 0 { break }
        guard count > 0 else { return nil }
        filled += count
    }
    return Array(bytes[..<filled])
}
