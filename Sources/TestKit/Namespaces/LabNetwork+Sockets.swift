import CCovey
import Glibc

extension LabNetwork {
    /// Runs `body` on a thread that sees the network of `place`; sockets that it makes stay there. Throws where the kernel refuses.
    package func inside<Value: Sendable>(
        _ place: Place, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let path = LabNames.path(of: names.namespace(place.number))
        return try await onThread {
            if place != .outside {
                let space = open(path, O_RDONLY | O_CLOEXEC)
                guard space >= 0 else { throw ChildFailure(path, errno) }
                defer { _ = close(space) }
                let refusal = covey_enter_network_namespace(space)
                guard refusal == 0 else { throw ChildFailure("entering \(path)", refusal) }
            }
            return try body()
        }
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
