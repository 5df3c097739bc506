import Glibc
import Synchronization
import TestKit

/// One MQTT packet: the first byte and all after its length.
struct Packet: Hashable, Sendable {
    enum Kind: UInt8 {
        case connect = 1
        case publish = 3
        case puback = 4
        case subscribe = 8
        case unsubscribe = 10
        case pingreq = 12
        case disconnect = 14
    }

    let first: UInt8
    let body: [UInt8]

    var kind: Kind? { Kind(rawValue: first >> 4) }
    /// Of a packet that begins with it.
    var messageID: Int { Int(body[0]) << 8 | Int(body[1]) }

    /// In a CONNECT.
    var protocolLevel: UInt8 { body[6] }
    var connectFlags: UInt8 { body[7] }

    /// In a PUBLISH of QoS 1.
    var publishID: Int {
        let topic = Int(body[0]) << 8 | Int(body[1])
        return Int(body[2 + topic]) << 8 | Int(body[3 + topic])
    }

    static func connack(sessionPresent: Bool = false, code: UInt8 = 0, version: UInt8 = 5) -> [UInt8] {
        let head: [UInt8] = [sessionPresent ? 1 : 0, code]
        return encode(0x20, version == 5 ? head + [0] : head)
    }

    static func suback(_ messageID: Int, codes: [UInt8], version: UInt8 = 5) -> [UInt8] {
        encode(0x90, number(messageID) + (version == 5 ? [0] : []) + codes)
    }

    static func puback(_ messageID: Int, code: UInt8 = 0) -> [UInt8] {
        encode(0x40, number(messageID) + (code == 0 ? [] : [code, 0]))
    }

    static func publish(
        _ topic: String, _ payload: [UInt8], messageID: Int, isDuplicate: Bool = false, version: UInt8 = 5
    ) -> [UInt8] {
        let text = Array(topic.utf8)
        let head = number(text.count) + text + number(messageID) + (version == 5 ? [0] : [])
        return encode(0x32 | (isDuplicate ? 8 : 0), head + payload)
    }

    private static func number(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    private static func encode(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length = body.count
        var bytes = [first]
        repeat {
            let byte = UInt8(length % 128)
            length /= 128
            bytes.append(length > 0 ? byte | 128 : byte)
        } while length > 0
        return bytes + body
    }
}

/// A listener on a loopback port whose connections a test answers by hand.
final class FakeBroker: Sendable {
    let port: Int
    private let listener: Descriptor
    private let connections = Log<FakeConnection>()

    init() {
        let listener = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener.number
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        precondition(isBound, "no port: \(errno)")
        port = Int(UInt16(bigEndian: address.sin_port))
        let connections = connections
        runOnThread {
            while true {
                let accepted = accept(listener.number, nil, nil)
                guard accepted >= 0 else { return }
                connections.append(FakeConnection(Descriptor(accepted)))
            }
        }
    }

    deinit { listener.shutdown() }

    /// The n-th connection, counted from 1.
    func connection(_ number: Int) async -> FakeConnection {
        await connections.wait(count: number)[number - 1]
    }
}

/// One connection to a ``FakeBroker``.
final class FakeConnection: Sendable {
    /// All packets that came; nothing more comes after the `nil`.
    let packets = Log<Packet?>()
    private let socket: Descriptor

    init(_ socket: Descriptor) {
        self.socket = socket
        runOnThread { [packets] in
            while let packet = Self.read(socket.number) { packets.append(packet) }
            packets.append(nil)
        }
    }

    deinit { cut() }

    func send(_ bytes: [UInt8]) {
        _ = Glibc.send(socket.number, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func cut() {
        socket.shutdown()
    }

    /// The n-th packet of a kind, counted from 1; `nil` where the connection ends without.
    func packet(_ kind: Packet.Kind, number: Int = 1) async -> Packet? {
        let all = await packets.wait { packets in
            packets.last == .some(nil) || packets.compactMap { $0 }.filter { $0.kind == kind }.count >= number
        }
        return all.compactMap { $0 }.filter { $0.kind == kind }.dropFirst(number - 1).first
    }

    /// Returns when the other side has closed: then every packet it will ever send is in ``packets``.
    func waitForEnd() async {
        await packets.wait { $0.last == .some(nil) }
    }

    /// Takes CONNECT and one SUBSCRIBE, granting QoS 1 to `filters` filters.
    func accept(sessionPresent: Bool = false, filters: Int = 1) async {
        _ = await packet(.connect)
        send(Packet.connack(sessionPresent: sessionPresent))
        guard let subscribe = await packet(.subscribe) else { return }
        send(Packet.suback(subscribe.messageID, codes: Array(repeating: 1, count: filters)))
    }

    private static func read(_ descriptor: Int32) -> Packet? {
        guard let first = bytes(1, descriptor)?[0] else { return nil }
        var length = 0
        var shift = 0
        while true {
            guard let byte = bytes(1, descriptor)?[0] else { return nil }
            length |= Int(byte & 127) << shift
            shift += 7
            if byte & 128 == 0 { break }
        }
        guard let body = bytes(length, descriptor) else { return nil }
        return Packet(first: first, body: body)
    }

    private static func bytes(_ count: Int, _ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + filled, count - filled, 0) }
            guard got > 0 else { return nil }
            filled += got
        }
        return buffer
    }
}
