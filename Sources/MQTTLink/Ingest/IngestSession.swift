import CMosquitto
import Devices
import Environment
import Model
import Synchronization

/// The thread's side of an ``IngestLink``: connects, serves, waits, again and again. Everything in here belongs to that one thread.
final class IngestSession: ConnectionOwner {
    let link: IngestLink
    let thread: LinkThread
    let settings: BrokerSettings
    var policy: BatchPolicy
    var watch: RedeliveryWatch
    var book: SubscriptionBook
    var bookEdition = -1
    var topics = TopicCache()
    var connection: Connection?

    /// The open batch.
    var messages: [InboundMessage] = []
    var messageBytes = 0
    var acknowledgeable = 0
    var redeliveries: UInt64 = 0
    var oversize: UInt64 = 0

    var lastHeard = MonotonicInstant(nanoseconds: 0)
    var isSilent = false
    var lastTick = MonotonicInstant(nanoseconds: 0)
    private var attempts: Attempts

    init(link: IngestLink, thread: LinkThread) {
        self.link = link
        self.thread = thread
        settings = link.settings
        policy = BatchPolicy(
            BatchPolicy.Settings(
                window: settings.commitWindow, keepAlive: settings.keepAlive, receiveMaximum: settings.receiveMaximum))
        watch = RedeliveryWatch(clientID: settings.clientID, receiveMaximum: settings.receiveMaximum)
        book = SubscriptionBook(wanted: [], held: link.held)
        attempts = Attempts(settings, seed: link.seed)
    }

    func run() throws {
        defer { link.update { $0.state = .idle } }
        while !thread.isStopping {
            var connectedAt: MonotonicInstant?
            do {
                try connect()
                connectedAt = monotonicNow()
                try serve()
            } catch {
                dropBatch()
                connection = nil
                switch error {
                case .stopped: return
                case .configuration(let error):
                    link.update { $0.lastFailure = LinkFailure(.refused, error.message) }
                    throw error
                case .failure(let failure): wait(after: failure, connectedAt: connectedAt)
                }
            }
        }
    }

    private func connect() throws(LinkEnd) {
        link.update {
            $0.state = .connecting
            $0.since = monotonicNow()
        }
        link.events(.connecting(attempt: attempts.next))
        try attempts.connect(on: thread, prepare: prepare)
    }

    private func prepare(_ version: MQTTVersion) throws(LinkEnd) -> Connection {
        let opened = try Connection(settings: settings, version: version, session: .persistent, will: nil)
        opened.owner = self
        connection = opened
        policy.reset()
        // Before the answer is known: TLS may bring the first messages along with it.
        watch.connected(sessionPresent: true)
        return opened
    }

    private func wait(after failure: LinkFailure, connectedAt: MonotonicInstant?) {
        let now = monotonicNow()
        let delay = attempts.failed(at: now, connectedAt: connectedAt)
        link.update {
            $0.state = .waiting
            $0.since = now
            $0.lastFailure = failure
            $0.failures += 1
            $0.isSilent = false
        }
        isSilent = false
        link.events(.disconnected(failure, retryIn: delay))
        thread.pause(until: now.advanced(by: delay))
    }

    /// What was read and not acknowledged is the broker's again.
    private func dropBatch() {
        messages.removeAll()
        messageBytes = 0
        acknowledgeable = 0
        redeliveries = 0
        oversize = 0
        link.update { $0.waiting = 0 }
    }

    // MARK: What the connection tells

    func received(_ message: mosquitto_message) {
        let length = Int(message.payloadlen)
        let isOversize = length > Limits.payloadBytes
        let payload: [UInt8] =
            length == 0 || isOversize ? [] : Array(UnsafeRawBufferPointer(start: message.payload, count: length))
        let topic = topics.string(message.topic)
        let messageID = message.qos > 0 ? UInt16(truncatingIfNeeded: message.mid) : 0
        let isRedelivery = watch.classify(
            messageID: messageID, qos: Int(message.qos), isRetained: message.retain)
        messages.append(
            InboundMessage(
                message: Message(topic: topic, payload: payload, isRetained: message.retain), messageID: messageID,
                qos: UInt8(message.qos), isRedelivery: isRedelivery, oversize: isOversize ? length : 0,
                arrival: monotonicNow()))
        messageBytes += payload.count + topic.utf8.count
        if message.qos > 0 { acknowledgeable += 1 }
        if isRedelivery { redeliveries += 1 }
        if isOversize { oversize += 1 }
    }

    func logged(_ line: UnsafePointer<CChar>) {
        watch.note(line: CString(start: line))
    }

    func subscribed(messageID: Int32, codes: [Int32]) {
        let answers = book.answered(messageID: messageID, codes: codes) { code in
            "the broker says: \(String(cString: mosquitto_reason_string(code)))"
        }
        for answer in answers {
            switch answer {
            case .subscribed(let filter, let qos): link.events(.subscribed(filter: filter, qos: qos))
            case .refused(let filter, let reason): refuse(filter, reason)
            }
        }
    }

    func published(messageID: Int32, code: Int32) {}

    func refuse(_ filter: String, _ reason: String) {
        link.update { status in
            status.refusedFilters.removeAll { $0.filter == filter }
            // As many as anyone reads; the events name them all.
            guard status.refusedFilters.count < 256 else { return }
            status.refusedFilters.append(RefusedFilter(filter: filter, reason: reason))
            status.refusedFilters.sort { $0.filter < $1.filter }
        }
        link.events(.refused(filter: filter, reason: reason))
    }
}

/// The bytes of a C string, without copying it.
struct CString: Sequence, IteratorProtocol {
    private var pointer: UnsafePointer<CChar>

    init(start: UnsafePointer<CChar>) {
        pointer = start
    }

    mutating func next() -> UInt8? {
        let byte = pointer.pointee
        guard byte != 0 else { return nil }
        pointer += 1
        return UInt8(bitPattern: byte)
    }
}
