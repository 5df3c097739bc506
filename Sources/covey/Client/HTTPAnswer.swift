/// Reads one HTTP/1.1 answer as it comes: its status, then its body in the pieces that arrive.
struct HTTPAnswer {
    private enum Body {
        case counted(left: Int)
        case chunked
        case untilClose
        case ended
    }

    /// A daemon's head is a few hundred bytes; a chunk's length line far less.
    private static let headBytes = 64 * 1024
    private static let chunkBytes = 64 << 20

    private let connection: SocketConnection
    private var buffer: [UInt8] = []
    private var position = 0
    private var body = Body.ended

    init(_ connection: SocketConnection) {
        self.connection = connection
    }

    /// The status code.
    mutating func readHead() throws -> Int {
        let words = try line().split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw connection.gone("what answers there is no covey daemon (it speaks no HTTP)")
        }
        body = .untilClose
        while case let field = try line(), !field.isEmpty {
            let halves = field.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else { continue }
            let value = halves[1].filter { $0 != " " }.lowercased()
            switch halves[0].lowercased() {
            case "content-length": body = .counted(left: max(0, Int(value) ?? 0))
            case "transfer-encoding" where value == "chunked": body = .chunked
            default: break
            }
        }
        return status
    }

    /// The next piece of the body; `nil` at its end. Throws where the answer breaks off.
    mutating func next() throws -> [UInt8]? {
        switch body {
        case .ended: return nil
        case .untilClose:
            if position < buffer.count { return take(buffer.count - position) }
            let bytes = try connection.receive()
            return bytes.isEmpty ? nil : bytes
        case .counted(let left):
            if left == 0 { return nil }
            try fill(1)
            let bytes = take(min(left, buffer.count - position))
            body = .counted(left: left - bytes.count)
            return bytes
        case .chunked:
            guard let count = Int(try line().prefix { $0 != ";" }, radix: 16), (0...Self.chunkBytes).contains(count)
            else {
                throw connection.gone("its answer is garbled")
            }
            guard count > 0 else {
                body = .ended
                return nil
            }
            try fill(count + 2)
            let bytes = take(count)
            _ = take(2)
            return bytes
        }
    }

    private mutating func line() throws -> String {
        var length = 0
        while true {
            if let end = buffer[(position + length)...].firstIndex(of: UInt8(ascii: "\n")) {
                let text = String(decoding: take(end + 1 - position).dropLast(), as: UTF8.self)
                return text.hasSuffix("\r") ? String(text.dropLast()) : text
            }
            length = buffer.count - position
            guard length < Self.headBytes else { throw connection.gone("its answer is garbled") }
            try fill(length + 1)
        }
    }

    /// Makes at least `count` bytes wait in the buffer.
    private mutating func fill(_ count: Int) throws {
        while buffer.count - position < count {
            let bytes = try connection.receive()
            guard !bytes.isEmpty else { throw connection.gone("its answer broke off; did it stop?") }
            if position > 0 {
                buffer.removeFirst(position)
                position = 0
            }
            buffer.append(contentsOf: bytes)
        }
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { position += count }
        return Array(buffer[position..<position + count])
    }
}
