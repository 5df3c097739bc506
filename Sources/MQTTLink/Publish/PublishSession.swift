import CMosquitto
import Environment
import Glibc
import Model
import Synchronization
import Threads

/// The thread's side of a ``PublishLink``. Everything in here belongs to that one thread.
final class PublishSession: ConnectionOwner {
    private let link: PublishLink
    private let thread: LinkThread
    private let settings: BrokerSettings
    private var connection: Connection?
    private var attempts: Attempts
    private var lastTick = MonotonicInstant(nanoseconds: 0)
    /// The presence message that a stop waits for.
    private var farewellID: Int32?

    init(link: PublishLink, thread: LinkThread) {
        self.link = link
        self.thread = thread
        settings = link.settings
        attempts = Attempts(settings, seed: link.seed)
    }

    func run() throws {
        defer { absent("the link has been stopped") { $0.state = .idle } }
        while !thread.isStopping {
            var connectedAt: MonotonicInstant?
            do {
                try connect()
                connectedAt = monotonicNow()
                try serve()
            } catch {
                connection = nil
                switch error {
                case .stopped: return
                case .configuration(let error): throw error
                case .failure(let failure): wait(after: failure, connectedAt: connectedAt)
                }
            }
        }
    }

    private func connect() throws(LinkEnd) {
        link.shared.withLock {
            $0.status.state = .connecting
            $0.status.since = monotonicNow()
        }
        link.events(.connecting(attempt: attempts.next))
        try attempts.connect(on: thread, prepare: prepare)
        connection?.listenToLog(false)
    }

    private func prepare(_ version: MQTTVersion) throws(LinkEnd) -> Connection {
        let will = link.presence.map { Connection.Will(topic: $0.topic, payload: $0.offline) }
        let opened = try Connection(settings: settings, version: version, session: .clean, will: will)
        opened.owner = self
        connection = opened
        return opened
    }

    /// From the broker's acceptance to the end of the connection; always ends by throwing.
    private func serve() throws(LinkEnd) {
        guard let connection else { throw .failure(LinkFailure(.lost, "there is no connection")) }
        if let presence = link.presence {
            _ = connection.publish(topic: presence.topic, payload: presence.online, retain: true)
        }
        link.shared.withLock {
            $0.absence = nil
            $0.status.state = .connected
            $0.status.since = monotonicNow()
            $0.status.version = connection.version
            $0.status.connects += 1
        }
        link.events(
            .connected(sessionPresent: connection.answer?.isSessionPresent ?? false, version: connection.version))
        while true {
            thread.beat()
            if thread.isStopping { try finish(connection) }
            pump(connection)
            if connection.wantsWrite { try connection.write() }
            try turn(connection, until: expire())
        }
    }

    private func turn(_ connection: Connection, until deadline: MonotonicInstant) throws(LinkEnd) {
        let ready = thread.wait(
            socket: connection.socket, read: true, write: connection.wantsWrite, until: deadline)
        if ready.isReadable || ready.isBroken { try connection.read() }
        let now = monotonicNow()
        guard lastTick.duration(to: now) >= .milliseconds(500) else { return }
        lastTick = now
        try connection.tick()
    }

    /// Hands the library as many messages as the window has room for.
    private func pump(_ connection: Connection) {
        while let item = link.shared.withLock({ $0.queue.next() }) {
            switch connection.publish(topic: item.topic, payload: item.payload, retain: item.retain) {
            case .success(let messageID): link.shared.withLock { $0.queue.sent(item, messageID: messageID) }
            case .failure(let failure):
                link.shared.withLock { $0.status.refused += 1 }
                guard let ticket = item.ticket else { continue }
                link.answer([ticket], .refused(failure.message)) { queue in _ = queue.answered(ticket) }
            }
        }
    }

    /// Ends the waits that lasted too long; gives the next such time.
    private func expire() -> MonotonicInstant {
        let now = monotonicNow()
        let (late, next) = link.shared.withLock { shared in
            let late = shared.queue.expired(now: now)
            shared.status.timedOut += UInt64(late.count)
            return (late, shared.queue.nextDeadline)
        }
        link.answer(late, .timedOut)
        return next ?? now.advanced(by: .seconds(1))
    }

    private func wait(after failure: LinkFailure, connectedAt: MonotonicInstant?) {
        let now = monotonicNow()
        let delay = attempts.failed(at: now, connectedAt: connectedAt)
        absent(failure.message) {
            $0.state = .waiting
            $0.since = now
            $0.lastFailure = failure
        }
        link.events(.disconnected(failure, retryIn: delay))
        thread.pause(until: now.advanced(by: delay))
    }

    private func absent(_ reason: String, _ change: (inout PublishStatus) -> Void) {
        let tickets = link.shared.withLock { shared in
            // A newer run may be connected already where this thread was left behind.
            guard shared.wakeup === thread.wakeup else { return [PublishQueue.Ticket]() }
            shared.absence = reason
            change(&shared.status)
            return shared.queue.disconnected()
        }
        link.answer(tickets, .disconnected(reason))
    }

    /// A stop publishes what the last will would say, which a regular good-bye cancels.
    private func finish(_ connection: Connection) throws(LinkEnd) {
        do {
            let deadline = monotonicNow().advanced(by: .milliseconds(600))
            if let presence = link.presence {
                let sent = connection.publish(topic: presence.topic, payload: presence.offline, retain: true)
                if case .success(let messageID) = sent { farewellID = messageID }
            }
            while farewellID != nil, monotonicNow() < deadline {
                if connection.wantsWrite { try connection.write() }
                try turn(connection, until: deadline)
            }
            connection.sendDisconnect()
            try connection.write()
        } catch {}
        throw .stopped
    }

    // MARK: What the connection tells

    func received(_ message: mosquitto_message) {}
    func logged(_ line: UnsafePointer<CChar>) {}
    func subscribed(messageID: Int32, codes: [Int32]) {}

    func published(messageID: Int32, code: Int32) {
        if messageID == farewellID { farewellID = nil }
        let isAccepted = code < 128
        let ticket = link.shared.withLock { shared in
            if isAccepted { shared.status.acknowledged += 1 } else { shared.status.refused += 1 }
            return shared.queue.acknowledged(messageID: messageID)
        }
        guard let ticket else { return }
        let outcome = PublishOutcome.refused("the broker says: \(String(cString: mosquitto_reason_string(code)))")
        link.answer([ticket], isAccepted ? .acknowledged : outcome)
    }
}
