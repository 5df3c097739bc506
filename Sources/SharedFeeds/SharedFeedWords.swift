// Pure.
package import Environment
package import Model

/// One broker, the same on every gateway that names it alike.
package struct BrokerID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: BrokerID, right: BrokerID) -> Bool { left.rawValue < right.rawValue }
}

/// One way from topics of a broker to devices: filter, device name and decoder. Gateways with the same route read the same messages and make
/// the same readings of them, so one of them is enough.
package struct RouteID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: RouteID, right: RouteID) -> Bool { left.rawValue < right.rawValue }
}

/// What one message is to one route, the same on every gateway: a hash of topic, payload and route. Messages that are alike have it in
/// common, and are told apart by their order alone.
package struct MessageKey: Hashable, Sendable {
    package let rawValue: UInt64

    /// - Parameters:
    ///   - hash: Of topic and payload.
    ///   - isKept: Whether the broker keeps the message for those that are away (QoS 1), so that it reaches every reader some time.
    package init(hash: UInt64, route: RouteID, isKept: Bool) {
        let mixed = (hash ^ (route.rawValue &* 0x9E37_79B9_7F4A_7C15)) &* 0xC2B2_AE3D_27D4_EB4F
        rawValue = ((mixed ^ (mixed >> 29)) & ~1) | (isKept ? 1 : 0)
    }

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    var isKept: Bool { rawValue & 1 == 1 }
}

/// A message on one of its routes, as it came here.
package struct SharedMessage<Payload: Sendable>: Sendable {
    package let route: RouteID
    /// Of the topic, the same on every gateway: one topic has one owner.
    package let topic: UInt64
    package let key: MessageKey
    /// Of topic and payload, for the memory's limit.
    package let bytes: Int
    package let arrival: MonotonicInstant
    /// MQTT's packet identifier; 0 with QoS 0.
    package let messageID: UInt16
    /// The broker may have sent it before.
    package let isRedelivery: Bool
    package let payload: Payload
    /// Since when it is remembered for another gateway.
    var keptAt: MonotonicInstant?

    package init(
        route: RouteID, topic: UInt64, key: MessageKey, bytes: Int, arrival: MonotonicInstant, messageID: UInt16,
        isRedelivery: Bool, payload: Payload
    ) {
        self.route = route
        self.topic = topic
        self.key = key
        self.bytes = bytes
        self.arrival = arrival
        self.messageID = messageID
        self.isRedelivery = isRedelivery
        self.payload = payload
    }
}

/// Names messages that this gateway took together: it says so when they are durable.
package struct TakenID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package static func < (left: TakenID, right: TakenID) -> Bool { left.rawValue < right.rawValue }
}

/// What is to be done with a message that came in.
package enum SharedDecision: Hashable, Sendable {
    /// Decode it, make it durable, and acknowledge it then.
    case take
    /// Another gateway does that; this one remembers the message and may acknowledge it.
    case standBy
    /// It was dealt with before.
    case known
}

package enum SharedFeedEvent: Sendable {
    /// Who this gateway is, and which others are present.
    case members(own: NodeID, present: [NodeID])
    /// What another gateway says that it reads; `nil` where it says so no more.
    case entry(SharedFeedEntry?, of: NodeID)
    /// What this gateway reads, from now on.
    case routes([RouteID])
    /// Connected. `epoch`: random, never used before.
    case linkUp(epoch: UInt64)
    case linkDown
    case frame([UInt8], from: NodeID)
    /// Frames to that node may have been lost.
    case lost(NodeID)
    /// All of these are durable, or have come to another end that is counted.
    case durable(TakenID)
    case tick
}

package enum SharedFeedDirective<Payload: Sendable>: Sendable {
    /// Tell the covey; `nil`: take back what was told.
    case announce(SharedFeedEntry?)
    /// At most ``SharedFeedLimits/frameBytes``; in order.
    case frame([UInt8], to: NodeID)
    /// Take these as if they had just come; they are acknowledged already.
    case take(TakenID, [SharedMessage<Payload>])
}

/// What became of messages that this gateway stood by for. `stoodBy = waiting + confirmed + takenOver + rescued + dropped`.
package struct SharedFeedCounts: Hashable, Sendable {
    package internal(set) var stoodBy: UInt64 = 0
    /// Their owner made them durable, or had while this gateway was away.
    package internal(set) var confirmed: UInt64 = 0
    /// Their owner went before it said that they are durable: this gateway took them.
    package internal(set) var takenOver: UInt64 = 0
    /// Their owner is there and did not say for long that they are durable: this gateway took them.
    package internal(set) var rescued: UInt64 = 0
    /// Fell out of the memory, which is full, or is of no use without a connection: nothing here protects them any more.
    package internal(set) var dropped: UInt64 = 0
    /// Came here, and another gateway had taken them already.
    package internal(set) var known: UInt64 = 0
    /// Frames that could not be read.
    package internal(set) var malformed: UInt64 = 0
}
