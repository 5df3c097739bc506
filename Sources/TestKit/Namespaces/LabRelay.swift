import Glibc
import Synchronization

/// Carries the packets between two links, each after a time of its own: the kernel has no such delay everywhere.
final class LabRelay: Sendable {
    /// Packets under way; beyond, one is lost, as in any queue.
    private static let mostWaiting = 10_000

    private struct Packet {
        let due: ContinuousClock.Instant
        /// The socket that it leaves by.
        let exit: Int
        let bytes: [UInt8]
    }

    private struct State {
        var delay: Duration = .zero
        var jitter: Duration = .zero
        var isOver = false
    }

    private let ends: [Descriptor]
    private let state = Mutex(State())

    /// Between the links of these names in the network of the calling thread.
    init(_ one: String, _ other: String) throws(ChildFailure) {
        ends = [try Self.socket(on: one), try Self.socket(on: other)]
        startThread { [self] in carry() }
    }

    func set(delay: Duration, jitter: Duration) {
        state.withLock { ($0.delay, $0.jitter) = (delay, jitter) }
    }

    /// Carries nothing more, soon.
    func stop() {
        state.withLock { $0.isOver = true }
    }

    private func carry() {
        var waiting: [Packet] = []
        var random = SystemRandomNumberGenerator()
        while true {
            let state = state.withLock(\.self)
            if state.isOver { return }
            wait(until: waiting.first?.due)
            for entry in ends.indices {
                while let bytes = Self.read(ends[entry]) {
                    let extra = state.jitter * Double.random(in: 0..<1, using: &random)
                    let due = ContinuousClock.now.advanced(by: state.delay + extra)
                    guard waiting.count < Self.mostWaiting else { continue }
                    let place = waiting.lastIndex { $0.due <= due }.map { $0 + 1 } ?? 0
                    waiting.insert(Packet(due: due, exit: 1 - entry, bytes: bytes), at: place)
                }
            }
            let now = ContinuousClock.now
            let due = waiting.prefix { $0.due <= now }
            for packet in due { _ = send(ends[packet.exit].number, packet.bytes, packet.bytes.count, 0) }
            waiting.removeFirst(due.count)
        }
    }

    /// Returns when a packet has come, or at `moment`, and after 50 ms at the latest.
    private func wait(until moment: ContinuousClock.Instant?) {
        var milliseconds: Int64 = 50
        if let rest = moment.map({ $0 - ContinuousClock.now })?.components {
            milliseconds = min(50, max(0, rest.seconds * 1000 + rest.attoseconds / 1_000_000_000_000_000 + 1))
        }
        var polled = ends.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
    }

    private static func read(_ end: Descriptor) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 70_000)
        let count = recv(end.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    // Of <linux/if_packet.h>, which Swift does not see.
    private static let everyProtocol = UInt16(3).bigEndian
    private static let packetLevel: Int32 = 263
    /// Checksums that the kernel has put off travel with the packet, or they would be wrong at the other end.
    private static let withHeader: Int32 = 15
    private static let ignoreOutgoing: Int32 = 23

    private static func socket(on link: String) throws(ChildFailure) -> Descriptor {
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(AF_PACKET, kind, 0)
        guard number >= 0 else { throw ChildFailure("a packet socket", errno) }
        let descriptor = Descriptor(number)
        var (yes, size): (Int32, Int32) = (1, 16 << 20)
        let length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &size, length)
        guard setsockopt(number, packetLevel, withHeader, &yes, length) == 0,
            setsockopt(number, packetLevel, ignoreOutgoing, &yes, length) == 0
        else { throw ChildFailure("options of a packet socket", errno) }
        let index = if_nametoindex(link)
        guard index != 0 else { throw ChildFailure(link, errno) }
        // Family, protocol, index, then 12 bytes that are not looked at.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
            bytes.storeBytes(of: everyProtocol, toByteOffset: 2, as: UInt16.self)
            bytes.storeBytes(of: index, toByteOffset: 4, as: UInt32.self)
        }
        let result = address.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { bind(number, $0.baseAddress, socklen_t(bytes.count)) }
        }
        guard result == 0 else { throw ChildFailure("a packet socket on \(link)", errno) }
        return descriptor
    }
}
