import CMosquitto
import Glibc
import Synchronization

/// Publishes, at QoS 1 unless told otherwise, and knows what the broker has acknowledged. (`mosquitto_pub -l` loses lines at speed.)
package final class CountingPublisher: Sendable {
    /// One message: the publisher asks for it by its number, 0 and up.
    package typealias Maker = @Sendable (Int) -> (topic: String, payload: [UInt8])

    private struct State {
        /// By number, across all calls of ``publish(count:rate:message:)``.
        var acknowledged: [Bool] = []
        var acknowledgedCount = 0
    }

    /// An address, or the path of a socket.
    private let host: String
    /// 0: ``host`` is a path.
    private let port: Int
    private let clientID: String
    private let inFlight: Int
    private let credentials: (username: String, password: String)?
    private let state = Mutex(State())
    private let acknowledgedNumber: (@Sendable (Int) -> Void)?

    /// `inFlight`: messages sent and not yet acknowledged, at most.
    package init(port: Int, clientID: String, inFlight: Int = 200, credentials: (String, String)? = nil) {
        acknowledgedNumber = nil
        host = "127.0.0.1"
        self.port = port
        self.clientID = clientID
        self.inFlight = inFlight
        self.credentials = credentials
    }

    /// - Parameters:
    ///   - socket: The path of a socket that the broker listens on; no cut of a network is between the two.
    ///   - acknowledged: Is told the number of each message as soon as the broker has acknowledged it.
    package init(
        socket: String, clientID: String, inFlight: Int = 200, acknowledged: (@Sendable (Int) -> Void)? = nil
    ) {
        acknowledgedNumber = acknowledged
        (host, port, credentials) = (socket, 0, nil)
        self.clientID = clientID
        self.inFlight = inFlight
    }

    /// How many messages the broker has acknowledged.
    package var acknowledged: Int { state.withLock { $0.acknowledgedCount } }

    /// How many numbers are given away: the next message's.
    package var published: Int { state.withLock { $0.acknowledged.count } }

    /// The numbers of those that it has, in order.
    package var acknowledgedNumbers: [Int] {
        state.withLock { state in state.acknowledged.indices.filter { state.acknowledged[$0] } }
    }

    /// Connects, publishes the next `count` messages, and returns when the broker has acknowledged all of them. `rate`: messages per second,
    /// evenly spread; `nil`: as fast as the broker takes them. Throws when the connection is lost; then some were acknowledged
    /// (``acknowledgedNumbers``) and the others are not sent again.
    package func publish(
        count: Int, rate: Double? = nil, qos: Int32 = 1, retain: Bool = false, message: @escaping Maker
    ) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            startThread {
                done.resume(
                    with: Result {
                        try PublisherRun(
                            self, count: count, rate: rate, qos: qos, retain: retain, message: message
                        ).run()
                    })
            }
        }
    }

    fileprivate func reserve(_ count: Int) -> Int {
        state.withLock { state in
            defer { state.acknowledged += Array(repeating: false, count: count) }
            return state.acknowledged.count
        }
    }

    fileprivate func took(_ number: Int) {
        state.withLock { state in
            state.acknowledged[number] = true
            state.acknowledgedCount += 1
        }
        acknowledgedNumber?(number)
    }

    /// One connection, on one thread.
    fileprivate final class PublisherRun {
        let publisher: CountingPublisher
        let count: Int
        let rate: Double?
        let qos: Int32
        let retain: Bool
        let message: Maker
        var isConnected = false
        var refusal: Int32 = 0
        var outstanding: [Int32: Int] = [:]
        var sent = 0
        var done = 0

        init(
            _ publisher: CountingPublisher, count: Int, rate: Double?, qos: Int32, retain: Bool,
            message: @escaping Maker
        ) {
            self.publisher = publisher
            self.count = count
            self.rate = rate
            self.qos = qos
            self.retain = retain
            self.message = message
        }

        func run() throws {
            signal(SIGPIPE, SIG_IGN)
            mosquitto_lib_init()
            guard let client = mosquitto_new(publisher.clientID, true, Unmanaged.passUnretained(self).toOpaque()) else {
                throw MosquittoFailure(description: "no client")
            }
            defer { mosquitto_destroy(client) }
            setCallbacks(client)
            mosquitto_threaded_set(client, true)
            if publisher.port != 0 { mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1) }
            mosquitto_max_inflight_messages_set(client, UInt32(publisher.inFlight))
            if let credentials = publisher.credentials {
                mosquitto_username_pw_set(client, credentials.username, credentials.password)
            }
            try check(mosquitto_connect(client, publisher.host, Int32(publisher.port), 60))
            let first = publisher.reserve(count)
            let start = Self.now()
            while done < count {
                try sendDue(client, first: first, elapsed: Self.now() - start)
                try turn(client, start: start)
            }
            mosquitto_disconnect(client)
            _ = mosquitto_loop_write(client, 1)
        }

        private func sendDue(_ client: OpaquePointer, first: Int, elapsed: Double) throws {
            guard isConnected else { return }
            let due = rate.map { min(count, Int(elapsed * $0) + 1) } ?? count
            while sent < due, outstanding.count < publisher.inFlight {
                let (topic, payload) = message(first + sent)
                var messageID: Int32 = 0
                try check(mosquitto_publish(client, &messageID, topic, Int32(payload.count), payload, qos, retain))
                outstanding[messageID] = first + sent
                sent += 1
            }
        }

        private func turn(_ client: OpaquePointer, start: Double) throws {
            var polled = pollfd(fd: mosquitto_socket(client), events: Int16(POLLIN), revents: 0)
            if mosquitto_want_write(client) { polled.events |= Int16(POLLOUT) }
            var milliseconds: Int32 = 1000
            if let rate, sent < count, outstanding.count < publisher.inFlight {
                let wait = start + Double(sent) / rate - Self.now()
                milliseconds = min(1000, max(0, Int32((wait * 1000).rounded(.up))))
            }
            _ = poll(&polled, 1, milliseconds)
            if Int32(polled.revents) & POLLOUT != 0 { try check(mosquitto_loop_write(client, 1)) }
            if polled.revents != 0 {
                // One call reads about as many packets as messages are outstanding.
                try check(mosquitto_loop_read(client, 1))
            }
            try check(mosquitto_loop_misc(client))
        }

        private func setCallbacks(_ client: OpaquePointer) {
            mosquitto_connect_callback_set(client) { _, pointer, code in
                guard let run = PublisherRun.from(pointer) else { return }
                run.refusal = code
                run.isConnected = code == 0
            }
            mosquitto_publish_callback_set(client) { _, pointer, messageID in
                guard let run = PublisherRun.from(pointer), let number = run.outstanding.removeValue(forKey: messageID)
                else { return }
                run.done += 1
                run.publisher.took(number)
            }
        }

        private func check(_ result: Int32) throws {
            guard result != 0 else { return }
            let code = refusal == 0 ? "" : " (the broker refused: \(refusal))"
            throw MosquittoFailure(description: "publisher: \(String(cString: mosquitto_strerror(result)))\(code)")
        }

        private static func from(_ pointer: UnsafeMutableRawPointer?) -> PublisherRun? {
            pointer.map { Unmanaged<PublisherRun>.fromOpaque($0).takeUnretainedValue() }
        }

        private static func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }
}
