import NIOCore
import Synchronization

/// The streams that peers opened, by the key whose certificate they showed: none outlives its key.
final class InboundStreams: Sendable {
    private let streams = Mutex<[ObjectIdentifier: (key: UInt32, channel: any Channel)]>([:])

    /// Until the channel is closed.
    func enter(_ channel: any Channel, key: UInt32) {
        let id = ObjectIdentifier(channel)
        streams.withLock { $0[id] = (key, channel) }
        channel.closeFuture.whenComplete { [self] _ in streams.withLock { $0[id] = nil } }
    }

    /// Closes those of keys that are known no more.
    func end(besides ring: KeyRing) {
        let over = streams.withLock { streams in streams.values.filter { ring.key($0.key) == nil }.map(\.channel) }
        for channel in over { channel.close(promise: nil) }
    }
}
