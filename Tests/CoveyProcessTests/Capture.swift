import Glibc
import Synchronization
import TestKit

/// What goes over the loop to or from some ports, as a stranger on the wire sees it. Needs root.
final class Capture: Sendable {
    private let socket: Descriptor
    private let packets = Mutex<[[UInt8]]>([])
    private let isOver = Atomic(false)
    private static let everyProtocol: UInt16 = 3

    static var isAllowed: Bool { geteuid() == 0 }

    init() throws {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(AF_PACKET, kind, Int32(Self.everyProtocol.bigEndian))
        guard number >= 0 else { throw ChildFailure(description: "no capture: \(String(cString: strerror(errno)))") }
        socket = Descriptor(number)
        var size: Int32 = 32 << 20
        setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
        var pause = timeval(tv_sec: 0, tv_usec: 100_000)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &pause, socklen_t(MemoryLayout<timeval>.size))
        startThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 70_000)
            while !isOver.load(ordering: .acquiring) {
                let count = recv(socket.number, &buffer, buffer.count, 0)
                if count > 0 { packets.withLock { $0.append(Array(buffer[..<count])) } }
            }
        }
    }

    func stop() { isOver.store(true, ordering: .releasing) }

    /// Whole IPv4 packets of which one end has one of `ports`.
    func packets(of ports: Set<Int>) -> [Packet] {
        packets.withLock { $0 }.compactMap(Packet.init).filter {
            ports.contains($0.source) || ports.contains($0.destination)
        }
    }

    struct Packet {
        let source: Int
        let destination: Int
        let isDatagram: Bool
        let payload: ArraySlice<UInt8>

        init?(_ bytes: [UInt8]) {
            guard bytes.count >= 28, bytes[0] >> 4 == 4 else { return nil }
            let head = Int(bytes[0] & 15) * 4
            guard bytes.count >= head + 8, bytes[9] == 17 || bytes[9] == 6 else { return nil }
            isDatagram = bytes[9] == 17
            source = Int(bytes[head]) << 8 | Int(bytes[head + 1])
            destination = Int(bytes[head + 2]) << 8 | Int(bytes[head + 3])
            guard isDatagram || bytes.count >= head + 20 else { return nil }
            let body = head + (isDatagram ? 8 : Int(bytes[head + 12] >> 4) * 4)
            guard body <= bytes.count else { return nil }
            payload = bytes[body...]
        }

        func holds(_ text: String) -> Bool {
            let wanted = Array(text.utf8)
            guard payload.count >= wanted.count else { return false }
            return payload.indices.dropLast(wanted.count - 1).contains { place in
                payload[place] == wanted[0] && payload[place..<(place + wanted.count)].elementsEqual(wanted)
            }
        }
    }
}
