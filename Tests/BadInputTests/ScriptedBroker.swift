import Glibc
import TestKit

/// Answers as a broker of MQTT 5 that says one thing to each subscription, and then something else.
final class ScriptedBroker: Sendable {
    let port: Int
    private let listener: Descriptor

    /// - Parameters:
    ///   - code: Its answer to a subscription of one filter, as MQTT 5 has it.
    ///   - packet: What it sends after that.
    init(subscribed code: UInt8, then packet: [UInt8]) throws {
        let listener = Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener.number, $0, length) == 0 && listen(listener.number, 16) == 0
                    && getsockname(listener.number, $0, &length) == 0
            }
        }
        guard isBound else { throw ChildFailure(description: "no port: \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        startThread {
            while case let accepted = accept(listener.number, nil, nil), accepted >= 0 {
                let connection = Descriptor(accepted)
                startThread { Self.serve(connection, code, packet) }
            }
        }
    }

    deinit { listener.shutdown() }

    /// Packets of a small client come whole.
    private static func serve(_ connection: Descriptor, _ code: UInt8, _ after: [UInt8]) {
        var packet = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(connection.number, &packet, packet.count, 0), count > 0 {
            let answer: [UInt8]
            switch packet[0] >> 4 {
            case 1: answer = [0x20, 3, 0, 0, 0]
            case 8: answer = [0x90, 4, packet[2], packet[3], 0, code] + after
            case 12: answer = [0xD0, 0]
            default: continue
            }
            _ = send(connection.number, answer, answer.count, Int32(MSG_NOSIGNAL))
        }
    }
}
