import BenchmarkKit
import Glibc
import Synchronization
import TestKit

/// Stands between a gateway and its broker, passes on every byte, and sees when the gateway acknowledges which message: its PUBACK says that
/// the reading is on as many disks as the stream asks for.
final class AckTap: Sendable {
    /// On the loop of the gateway's place.
    let port: Int
    private let listener: Descriptor

    /// - Parameters:
    ///   - socket: Of the broker.
    ///   - acknowledged: Is given the number that is the message's payload, and the second of the monotonic clock.
    init(
        in network: LabNetwork, at place: LabNetwork.Place, to socket: String,
        acknowledged: @escaping @Sendable (Int, Double) -> Void
    ) async throws {
        let (listener, port) = try await network.inside(place) { try Self.listen() }
        (self.listener, self.port) = (listener, port)
        try await onThread { () throws(ChildFailure) in
            startThread {
                while case let accepted = accept(listener.number, nil, nil), accepted >= 0 {
                    let near = Descriptor(accepted)
                    guard let far = Self.connect(to: socket) else { continue }
                    let session = Session()
                    startThread { Self.carry(far, near) { session.fromBroker($0) } }
                    startThread {
                        Self.carry(near, far) { bytes in
                            let now = monotonicSeconds()
                            for number in session.fromGateway(bytes) { acknowledged(number, now) }
                        }
                    }
                }
            }
        }
    }

    deinit { listener.shutdown() }

    /// One connection: which message has which packet number.
    private final class Session: Sendable {
        private struct State {
            var fromBroker = MQTTPackets()
            var fromGateway = MQTTPackets()
            /// Version 5 has properties before the payload.
            var hasProperties = false
            var numbers: [UInt16: Int] = [:]
        }

        private let state = Mutex(State())

        func fromBroker(_ bytes: ArraySlice<UInt8>) {
            state.withLock { state in
                for packet in state.fromBroker.take(bytes) {
                    guard let (packetID, number) = packet.publication(withProperties: state.hasProperties) else {
                        continue
                    }
                    state.numbers[packetID] = number
                }
            }
        }

        /// The numbers of the messages that these bytes acknowledge.
        func fromGateway(_ bytes: ArraySlice<UInt8>) -> [Int] {
            state.withLock { state in
                var numbers: [Int] = []
                for packet in state.fromGateway.take(bytes) {
                    if let version = packet.protocolVersion { state.hasProperties = version >= 5 }
                    if let packetID = packet.acknowledged, let number = state.numbers.removeValue(forKey: packetID) {
                        numbers.append(number)
                    }
                }
                return numbers
            }
        }
    }

    /// What is seen is noted before it goes on: the answer cannot be earlier.
    private static func carry(_ from: Descriptor, _ to: Descriptor, _ see: (ArraySlice<UInt8>) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(from.number, &buffer, buffer.count, 0), count > 0 {
            see(buffer[..<count])
            guard send(to.number, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        to.shutdown()
    }

    private static let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    private static func listen() throws(ChildFailure) -> (Descriptor, port: Int) {
        let listener = Descriptor(socket(AF_INET, kind, 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(listener.number, address, length) == 0 && Glibc.listen(listener.number, 4) == 0
                    && getsockname(listener.number, address, &length) == 0
            }
        }
        guard isListening else { throw ChildFailure(description: "a port for the tap: error \(errno)") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func connect(to path: String) -> Descriptor? {
        let descriptor = Descriptor(socket(AF_UNIX, kind, 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? descriptor : nil
    }
}
