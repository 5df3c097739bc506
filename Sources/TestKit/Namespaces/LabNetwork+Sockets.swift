import CCovey
import Glibc

extension LabNetwork {
    /// Runs `body` on a thread that sees the network of `place`; sockets that it makes stay there. Throws where the kernel refuses.
    package func inside<Value: Sendable>(
        _ place: Place, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let space = names.namespace(place.number)
        return try await onThread { [self] in
            if place != .outside { try enter(space) }
            return try body()
        }
    }

    /// Lets the calling thread, which must be one of the caller's own, see the network of `space` from now on.
    func enter(_ space: String) throws(ChildFailure) {
        let path = LabNames.path(of: space)
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ChildFailure(path, errno) }
        defer { _ = close(file) }
        let refusal = covey_enter_network_namespace(file)
        guard refusal == 0 else { throw ChildFailure("entering \(path)", refusal) }
    }

    /// A datagram socket in `place`, at its IPv4 address, that waits 100 ms for what is read from it.
    package func datagramSocket(at place: Place, port: Int) async throws -> Descriptor {
        let address = address(place)
        return try await inside(place) {
            let socket = RawSocket.datagramSocket()
            var pause = timeval(tv_sec: 0, tv_usec: 100_000)
            setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &pause, socklen_t(MemoryLayout<timeval>.size))
            let result = RawSocket.withAddress(port, of: address) { bind(socket.number, $0, $1) }
            guard result == 0 else { throw ChildFailure("bind \(address):\(port)", errno) }
            return socket
        }
    }
}
