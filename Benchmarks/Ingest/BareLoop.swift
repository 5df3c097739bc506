import BenchmarkKit
import CMosquitto
import Glibc
import TestKit

/// The limit of what a subscriber can do that acknowledges only what is synced: libmosquitto, told that it is
/// threaded so that it queues its acknowledgements, a batch, one write and one `fdatasync`, and then the
/// acknowledgements. Nothing is parsed, and the payloads are written as they are.
///
/// Usage: `--bare PORT MESSAGES FILE`; prints `subscribed`, then `done`, and waits to be ended.
final class BareLoop {
    private let port: Int32
    private let messages: Int
    private let file: Int32
    private var taken = 0
    private var batch: [UInt8] = []
    private var batched = 0
    private var position = 0
    private var isSubscribed = false
    private var batchBegan = 0.0

    /// As a gateway takes by default: so many may be unacknowledged, so long may one wait.
    private static let receiveMaximum: Int32 = 2000
    private static let window = 1.0
    /// A file of fixed size, overwritten in place, as the ring is.
    private static let fileBytes = 16 << 20

    init(_ words: [String]) throws {
        guard words.count == 3, let port = Int32(words[0]), let messages = Int(words[1]) else {
            throw ChildFailure(description: "--bare PORT MESSAGES FILE")
        }
        self.port = port
        self.messages = messages
        file = open(words[2], O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ChildFailure(description: "\(words[2]) cannot be made") }
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for place in stride(from: 0, to: Self.fileBytes, by: zeros.count) {
            _ = pwrite(file, zeros, zeros.count, off_t(place))
        }
        guard fsync(file) == 0 else { throw ChildFailure(description: "\(words[2]) cannot be synced") }
    }

    func run() throws {
        mosquitto_lib_init()
        guard let client = mosquitto_new("bare", true, Unmanaged.passUnretained(self).toOpaque()) else {
            throw ChildFailure(description: "no client")
        }
        mosquitto_threaded_set(client, true)
        mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5)
        mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1)
        mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, Self.receiveMaximum)
        setCallbacks(client)
        try check(mosquitto_connect(client, "127.0.0.1", port, 60))
        while true { try turn(client) }
    }

    private func setCallbacks(_ client: OpaquePointer) {
        mosquitto_connect_callback_set(client) { client, _, _ in
            _ = mosquitto_subscribe(client, nil, "bench/#", 1)
        }
        mosquitto_subscribe_callback_set(client) { _, pointer, _, _, _ in
            guard let loop = BareLoop.from(pointer) else { return }
            loop.isSubscribed = true
            say("subscribed")
        }
        mosquitto_message_callback_set(client) { _, pointer, message in
            guard let loop = BareLoop.from(pointer), let message = message?.pointee else { return }
            loop.batch.append(
                contentsOf: UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen)))
            loop.batched += 1
        }
    }

    /// Reads until as much has come as may be unacknowledged or the window is over, syncs, and lets the
    /// acknowledgements out.
    private func turn(_ client: OpaquePointer) throws {
        var polled = pollfd(fd: mosquitto_socket(client), events: Int16(POLLIN), revents: 0)
        if batched == 0, mosquitto_want_write(client) { polled.events |= Int16(POLLOUT) }
        _ = poll(&polled, 1, 20)
        if Int32(polled.revents) & POLLOUT != 0 { try check(mosquitto_loop_write(client, 1)) }
        if Int32(polled.revents) & POLLIN != 0 {
            if batched == 0 { batchBegan = monotonicSeconds() }
            var before = -1
            while batched < Int(Self.receiveMaximum), batched != before {
                before = batched
                try check(mosquitto_loop_read(client, 1))
            }
        }
        try check(mosquitto_loop_misc(client))
        let isLast = taken + batched >= messages
        guard batched > 0,
            isLast || batched >= Int(Self.receiveMaximum) || monotonicSeconds() - batchBegan >= Self.window
                || polled.revents == 0
        else { return }
        try sync(client)
        if taken >= messages { say("done") }
    }

    private func sync(_ client: OpaquePointer) throws {
        if position + batch.count > Self.fileBytes { position = 0 }
        guard pwrite(file, batch, batch.count, off_t(position)) == batch.count, fdatasync(file) == 0 else {
            throw ChildFailure(description: "the batch cannot be written")
        }
        position += batch.count
        batch.removeAll(keepingCapacity: true)
        taken += batched
        batched = 0
        while mosquitto_want_write(client) { try check(mosquitto_loop_write(client, 1)) }
    }

    private func check(_ result: Int32) throws {
        guard result != 0 else { return }
        throw ChildFailure(description: "the bare loop: \(String(cString: mosquitto_strerror(result)))")
    }

    private static func from(_ pointer: UnsafeMutableRawPointer?) -> BareLoop? {
        pointer.map { Unmanaged<BareLoop>.fromOpaque($0).takeUnretainedValue() }
    }
}
