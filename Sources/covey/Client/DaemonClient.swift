import ArgumentParser
import Glibc
import Model

/// `--socket`, on every verb that speaks to the daemon.
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's socket (default: $COVEY_SOCKET, or /run/covey/covey.sock).", valueName: "path"),
        completion: .file())
    var socket: String?

    var client: DaemonClient { DaemonClient(path: socket ?? Self.defaultSocket) }

    static var defaultSocket: String { environment("COVEY_SOCKET") ?? "/run/covey/covey.sock" }
}

/// Asks the daemon. Blocking: a verb has nothing else to do.
struct DaemonClient {
    let path: String

    /// An answer that is one document: beyond this it is not the daemon that answers.
    private static let documentBytes = 256 << 20
    /// How long it may say nothing. The daemon answers within 10 s, if only to say that it cannot.
    var patience = Duration.seconds(20)

    /// A whole document.
    func get(_ target: String) throws -> [UInt8] {
        var answer = try open(target)
        var body: [UInt8] = []
        while let bytes = try answer.next() {
            body.append(contentsOf: bytes)
            guard body.count <= Self.documentBytes else { throw broken("its answer does not end") }
        }
        return body
    }

    /// Orders something; the answer must be JSON.
    func order(_ target: String) throws -> JSONValue {
        var answer = try open(target, method: "POST")
        var body: [UInt8] = []
        while let bytes = try answer.next() {
            body.append(contentsOf: bytes)
            guard body.count <= Self.documentBytes else { throw broken("its answer does not end") }
        }
        guard let value = JSONValue(body) else { throw broken("its answer is not JSON") }
        return value
    }

    /// A document that must be JSON.
    func document(_ target: String) throws -> JSONValue {
        guard let value = JSONValue(try get(target)) else { throw broken("its answer is not JSON") }
        return value
    }

    /// Calls `begin` once a daemon answers, then `line` with each line of its stream, without the line feed; blank
    /// ones are left out. `pause` is called when no whole line waits.
    func lines(
        _ target: String, begin: () throws -> Void, line: (ArraySlice<UInt8>) throws -> Void,
        pause: () throws -> Void = {}
    ) throws {
        var answer = try open(target)
        try begin()
        var rest: [UInt8] = []
        while let bytes = try answer.next() {
            rest.append(contentsOf: bytes)
            var start = rest.startIndex
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                if start < end { try line(rest[start..<end]) }
                start = end + 1
            }
            rest.removeFirst(start)
            guard rest.count <= Self.documentBytes else { throw broken("its answer does not end") }
            try pause()
        }
    }

    private func open(_ target: String, method: String = "GET") throws -> HTTPAnswer {
        let connection = try connect()
        try connection.send("\(method) \(target) HTTP/1.1\r\nHost: covey\r\nConnection: close\r\n\r\n")
        var answer = HTTPAnswer(connection)
        let status = try answer.readHead()
        if status == 200 { return answer }
        var body: [UInt8] = []
        while body.count < 65536, let bytes = try answer.next() { body.append(contentsOf: bytes) }
        let document = JSONValue(body)
        guard let error = document?["error"]?.string else {
            throw broken("what answers there is no covey daemon (it says HTTP \(status))")
        }
        let hint = document?["hint"]?.string.map { "; \($0)" } ?? ""
        throw Failure((400..<500).contains(status) ? .wrongCall : .notWell, error + hint)
    }

    private func connect() throws -> SocketConnection {
        do {
            return try SocketConnection(path: path, patience: patience)
        } catch .pathTooLong {
            throw Failure(.wrongCall, "\(path): a socket's path has 1 to 107 bytes")
        } catch .refused(let number) {
            throw Failure(.noDaemon, SocketTrouble.text(path, errno: number))
        }
    }

    private func broken(_ why: String) -> Failure { Failure(.noDaemon, "no daemon answers at \(path): \(why)") }
}

/// Text as a query's value: all but letters, digits and a few marks as `%XX`.
func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        let scalar = Unicode.Scalar(byte)
        let isPlain =
            scalar.isASCII
            && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || "-._~*/".utf8.contains(byte))
        encoded += isPlain ? String(scalar) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
    return encoded
}

/// The target with its parameters: `/v1/tail?glob=soil-*`.
func target(_ path: String, globs: [String], _ others: [(name: String, value: String)] = []) -> String {
    let parts = globs.map { "glob=" + percentEncoded($0) } + others.map { $0.name + "=" + percentEncoded($0.value) }
    return parts.isEmpty ? path : path + "?" + parts.joined(separator: "&")
}
