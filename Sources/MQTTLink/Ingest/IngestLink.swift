import Synchronization
import Threads

/// The reading connection to one broker. A PUBACK leaves only after `deliver` has said that its message is durable.
///
/// One OS thread reads messages into a batch; ``BatchPolicy`` says when it is closed; then the thread stops reading, `deliver` runs as a
/// task, and when it returns `true` all acknowledgements of the batch are written. When it returns `false`, none is: the connection
/// is dropped, and the broker sends everything again to the next one. So nothing lies between the broker and the disk but one batch,
/// and back-pressure is a socket that is not read.
///
/// A commit that outlasts one and a half keep-alives costs the connection, never a message: the broker redelivers.
package final class IngestLink: Sendable {
    package typealias Delivery = @Sendable (LinkBatch) async -> Bool

    struct Shared {
        var filters: [String]
        /// Counts changes of `filters`.
        var edition = 0
        var status = LinkStatus()
        var wakeup: Wakeup?
    }

    package let settings: BrokerSettings
    let seed: UInt64
    let held: [String]
    let events: @Sendable (LinkEvent) -> Void
    let deliver: Delivery
    let shared: Mutex<Shared>

    /// `filters`: MQTT topic filters, subscribed at QoS 1 on every connect. `held`: what earlier links with this client id subscribed to,
    /// which the broker's session may go on sending; what of it is not in `filters` is unsubscribed. `seed`: for the jitter of reconnects, different on every
    /// gateway. `events` is called on the link's thread and must not block.
    package init(
        settings: BrokerSettings, filters: [String], held: [String] = [], seed: UInt64,
        events: @escaping @Sendable (LinkEvent) -> Void, deliver: @escaping Delivery
    ) {
        self.settings = settings
        self.seed = seed
        self.held = held
        self.events = events
        self.deliver = deliver
        shared = Mutex(Shared(filters: filters))
    }

    /// Subscribes what is new and unsubscribes what is gone, as soon as the connection is between two batches. Any thread; does not wait.
    package func setFilters(_ filters: [String]) {
        let wakeup = shared.withLock { shared in
            shared.filters = filters
            shared.edition += 1
            return shared.wakeup
        }
        wakeup?.signal()
    }

    package var status: LinkStatus { shared.withLock { $0.status } }

    /// Keeps the link up until the task is cancelled; then returns within a second, with what was read either acknowledged
    /// or left to the broker. Throws ``LinkConfigurationError`` where no retry can help, and ``LinkFailure`` where the system gives no thread.
    /// May be called again after it returned. `heartbeat` is called at least every second but for name resolution, which can take
    /// the system half a minute.
    package func run(heartbeat: @escaping @Sendable () -> Void) async throws {
        try settings.validate()
        try await LinkThread.run(name: "mqtt-\(settings.name)", heartbeat: heartbeat) { thread in
            self.shared.withLock { $0.wakeup = thread.wakeup }
            try IngestSession(link: self, thread: thread).run()
        }
    }

    func update(_ change: (inout LinkStatus) -> Void) {
        shared.withLock { change(&$0.status) }
    }
}
