package import Devices
package import Environment
package import Model

/// One message as the broker sent it.
package struct InboundMessage: Sendable {
    /// Its payload is empty where ``oversize`` is not 0.
    package let message: Message
    /// MQTT's packet identifier, which names the message within its session until it is acknowledged; 0 with QoS 0.
    package let messageID: UInt16
    package let qos: UInt8
    /// The broker has sent it before, or may have: compare it with what is remembered.
    package let isRedelivery: Bool
    /// The payload's size where it was beyond ``Limits/payloadBytes``; else 0. Such a message is to be rejected and
    /// counted; it is acknowledged like the others, or the broker would send it for ever.
    package let oversize: Int
    /// When it was read: a batch is handed on up to a commit window later.
    package let arrival: MonotonicInstant
}

/// Messages that are committed, and then acknowledged, together; in the order of arrival.
package struct LinkBatch: Sendable {
    package let messages: [InboundMessage]
    package let reason: CloseReason
}

/// What a link has to tell. Events come on the link's own thread: whoever takes them must not block.
package enum LinkEvent: Hashable, Sendable {
    case connecting(attempt: Int)
    /// Without a session the broker has forgotten what it sent: message ids begin anew, and marks of old deliveries mean nothing.
    case connected(sessionPresent: Bool, version: MQTTVersion)
    case disconnected(LinkFailure, retryIn: Duration)
    /// Connected anew, and the broker has forgotten the session of the connection before: what it kept for us meanwhile is gone.
    case sessionForgotten
    case subscribed(filter: String, qos: Int)
    case refused(filter: String, reason: String)
    /// Connected, but without a message for this long. Once per silence.
    case silent(Duration)
    /// The first message after ``silent(_:)``.
    case heard
    /// A batch was acknowledged. `window`: from its first message to then, the achieved commit window; `commit`: the part of
    /// it that the gateway took to make it durable.
    case batch(count: Int, reason: CloseReason, window: Duration, commit: Duration)
}

package enum LinkState: String, Hashable, Sendable {
    case idle, connecting, connected, waiting
}

/// How a link is doing. Counts are since the link was made.
package struct LinkStatus: Sendable {
    package internal(set) var state = LinkState.idle
    package internal(set) var since: MonotonicInstant?
    package internal(set) var version: MQTTVersion?
    package internal(set) var isSessionPresent = false
    /// Connections that came about.
    package internal(set) var connects: UInt64 = 0
    /// Attempts that failed, and connections that broke.
    package internal(set) var failures: UInt64 = 0
    /// Connections at which the broker knew nothing any more of a session that it had promised to keep.
    package internal(set) var sessionsForgotten: UInt64 = 0
    package internal(set) var lastFailure: LinkFailure?
    /// Acknowledged, or of QoS 0 and handed on.
    package internal(set) var messages: UInt64 = 0
    package internal(set) var bytes: UInt64 = 0
    package internal(set) var redeliveries: UInt64 = 0
    package internal(set) var oversize: UInt64 = 0
    package internal(set) var batches: UInt64 = 0
    /// Batches that could not be made durable and were left to the broker.
    package internal(set) var abandonedBatches: UInt64 = 0
    /// Messages that wait for their batch to be closed or committed.
    package internal(set) var waiting = 0
    /// What the broker was seen to keep in flight, where that limits it.
    package internal(set) var learnedInFlight: Int?
    package internal(set) var lastMessageAt: MonotonicInstant?
    package internal(set) var isSilent = false
    /// Filters that the broker refused on the present or the last connection, sorted.
    package internal(set) var refusedFilters: [RefusedFilter] = []

    package init() {}
}

package struct RefusedFilter: Hashable, Sendable {
    package let filter: String
    package let reason: String
}
