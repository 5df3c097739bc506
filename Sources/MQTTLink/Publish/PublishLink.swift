package import Environment
package import Model
import Synchronization
import Threads

/// How a publishing link is doing. Counts are since the link was made.
package struct PublishStatus: Sendable {
    package internal(set) var state = LinkState.idle
    package internal(set) var version: MQTTVersion?
    package internal(set) var connects: UInt64 = 0
    package internal(set) var lastFailure: LinkFailure?
    package internal(set) var since: MonotonicInstant?
    /// Messages that the broker acknowledged, latest values among them.
    package internal(set) var acknowledged: UInt64 = 0
    package internal(set) var refused: UInt64 = 0
    package internal(set) var timedOut: UInt64 = 0
    package internal(set) var queueFull: UInt64 = 0
    package internal(set) var waiting = 0
    package internal(set) var inFlight = 0
    package internal(set) var latestWaiting = 0
    /// Latest values that a newer one replaced before they went out.
    package internal(set) var latestSuperseded: UInt64 = 0
    /// Latest values of topics beyond ``PublishLimits/latestTopics``.
    package internal(set) var latestDropped: UInt64 = 0

    package init() {}
}

/// The writing connection to one broker: batches of the `mqtt` sink, which wait for the broker's acknowledgement, and retained latest
/// values, which do not. A connection of its own, so that neither waits behind withheld acknowledgements of ``IngestLink``.
package final class PublishLink: Sendable {
    /// A retained topic that says whether the gateway is there.
    package struct Presence: Hashable, Sendable {
        package let topic: String
        /// Published whenever the link connects.
        package let online: [UInt8]
        /// Published by the broker as last will when the gateway is lost, and by the link when it is stopped.
        package let offline: [UInt8]

        package init(topic: String, online: [UInt8], offline: [UInt8]) {
            self.topic = topic
            self.online = online
            self.offline = offline
        }
    }

    struct Shared {
        var queue: PublishQueue
        var waiters: [PublishQueue.Ticket: CheckedContinuation<PublishOutcome, Never>] = [:]
        /// Why nothing can be published now; `nil` while connected.
        var absence: String? = "the link has not connected yet"
        var status = PublishStatus()
        var wakeup: Wakeup?
    }

    let settings: BrokerSettings
    let presence: Presence?
    let seed: UInt64
    let events: @Sendable (LinkEvent) -> Void
    let shared: Mutex<Shared>

    /// `settings.clientID` must differ from the ingest link's. `seed`: for the jitter of reconnects. `events` is called on the link's
    /// thread and must not block; of ``LinkEvent`` come connecting, connected and disconnected.
    package init(
        settings: BrokerSettings, presence: Presence?, limits: PublishLimits = PublishLimits(), seed: UInt64,
        events: @escaping @Sendable (LinkEvent) -> Void
    ) {
        self.settings = settings
        self.presence = presence
        self.seed = seed
        self.events = events
        shared = Mutex(Shared(queue: PublishQueue(limits: limits)))
    }

    /// Publishes at QoS 1 and returns when the broker has acknowledged it, or it is known not to; at the latest after the
    /// limit's timeout. Without a connection it fails at once.
    package func publish(topic: String, payload: [UInt8], retain: Bool = false) async -> PublishOutcome {
        let ticket = shared.withLock { $0.queue.makeTicket() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let refusal = shared.withLock { shared -> PublishOutcome? in
                    if Task.isCancelled { return .cancelled }
                    if let absence = shared.absence { return .disconnected(absence) }
                    guard
                        shared.queue.add(ticket, topic: topic, payload: payload, retain: retain, now: monotonicNow())
                    else {
                        shared.status.queueFull += 1
                        return .queueFull
                    }
                    shared.waiters[ticket] = waiter
                    return nil
                }
                if let refusal { waiter.resume(returning: refusal) } else { wake() }
            }
        } onCancel: {
            answer([ticket], .cancelled) { queue in _ = queue.answered(ticket) }
        }
    }

    /// Publishes a retained value at QoS 1 when its turn comes; a newer one for the same topic takes its place. Kept while there is no
    /// connection. Any thread; does not wait.
    package func offerLatest(topic: String, payload: [UInt8]) {
        shared.withLock { $0.queue.offer(topic: topic, payload: payload) }
        wake()
    }

    package var status: PublishStatus {
        shared.withLock { shared in
            var status = shared.status
            status.waiting = shared.queue.waitingCount
            status.inFlight = shared.queue.inFlightCount
            status.latestWaiting = shared.queue.latestCount
            status.latestSuperseded = shared.queue.superseded
            status.latestDropped = shared.queue.droppedLatest
            return status
        }
    }

    /// Keeps the link up until the task is cancelled; then says good-bye and returns within a second. Throws as ``IngestLink/run(heartbeat:)``
    /// does, and may be called again after it returned.
    package func run(heartbeat: @escaping @Sendable () -> Void) async throws {
        try settings.validate()
        try await LinkThread.run(name: "mqtt-\(settings.name)-pub", heartbeat: heartbeat) { thread in
            self.shared.withLock { $0.wakeup = thread.wakeup }
            try PublishSession(link: self, thread: thread).run()
        }
    }

    func wake() {
        shared.withLock { $0.wakeup }?.signal()
    }

    /// Ends the wait of those whose tickets these are, after `change` has closed them in the queue.
    func answer(
        _ tickets: [PublishQueue.Ticket], _ outcome: PublishOutcome,
        closing change: (inout PublishQueue) -> Void = { _ in }
    ) {
        let waiters = shared.withLock { shared in
            change(&shared.queue)
            return tickets.compactMap { shared.waiters.removeValue(forKey: $0) }
        }
        for waiter in waiters { waiter.resume(returning: outcome) }
    }
}
