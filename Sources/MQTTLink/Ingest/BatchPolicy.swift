package import Environment
import Model

/// Why a batch was closed.
package enum CloseReason: String, Hashable, Sendable, CaseIterable {
    /// The commit window was over.
    case window
    /// Half of what the broker may have outstanding had come.
    case count
    case bytes
    /// The sender fell silent in the middle of a stream, as one does that has reached its in-flight limit.
    case stalled
    /// As many messages waited as the sender is known to keep in flight.
    case inFlight = "in-flight"
    /// The link is being stopped.
    case stop
}

/// Says when a batch of messages has waited long enough to be committed and acknowledged.
///
/// A pure state machine: no I/O and no clock; every call is told the time. It weighs two wishes that pull apart. Flash wears with every
/// commit, so a batch should last its whole window; but a broker sends only so many messages unacknowledged (20 by default with
/// mosquitto, whatever the subscriber allows), so that against such a sender a whole window gives 20 messages and then silence.
///
/// What is known of the sender's limit rests on one fact: **a sender at its limit is silent until it gets acknowledgements, and then
/// speaks at once.** So every closed batch is also an experiment; see `InFlightKnowledge`.
package struct BatchPolicy: Sendable {
    package struct Settings: Hashable, Sendable {
        /// How long the first message of a batch may wait for its commit; capped at a quarter of the keep-alive, because
        /// the keep-alive's packets queue behind the acknowledgements.
        package var window: Duration
        package var keepAlive: Duration
        /// What the link tells an MQTT 5 broker: 1 to 65,535.
        package var receiveMaximum: Int
        /// Payload and topic bytes of one batch: 1 MiB keeps a batch within a few blocks of the ring, and memory small.
        package var maximumBytes = 1 << 20

        package init(window: Duration, keepAlive: Duration, receiveMaximum: Int) {
            self.window = window
            self.keepAlive = keepAlive
            self.receiveMaximum = receiveMaximum
        }
    }

    package enum Decision: Hashable, Sendable {
        /// Nothing waits.
        case idle
        /// Ask again when more has come, or at this time.
        case collect(until: MonotonicInstant)
        case close(CloseReason)
    }

    /// Shorter silences happen to every sender: scheduling, a slow link, a lost segment.
    static let shortestStall = Duration.milliseconds(20)
    /// Silence counts as a stall when it is this much longer than the gaps before it; with random (Poisson) arrivals that
    /// happens by chance once in e^8 = 3,000 gaps.
    static let stallGaps = 8
    /// Fewer messages say too little about their rate to close a batch on it.
    static let smallestStall = 8

    let window: Duration
    let countLimit: Int
    let byteLimit: Int

    /// Messages in the open batch, and how many of them the broker wants acknowledged.
    package private(set) var count = 0
    private(set) var acknowledgeable = 0
    private(set) var bytes = 0
    private(set) var first = MonotonicInstant(nanoseconds: 0)
    private(set) var last = MonotonicInstant(nanoseconds: 0)

    var knowledge = InFlightKnowledge()

    package init(_ settings: Settings) {
        precondition((1...65_535).contains(settings.receiveMaximum), "receiveMaximum \(settings.receiveMaximum)")
        window = min(settings.window, settings.keepAlive / 4)
        countLimit = max(1, settings.receiveMaximum / 2)
        byteLimit = settings.maximumBytes
    }

    /// How many messages the sender keeps in flight, where that was found out.
    package var learnedInFlight: Int? { knowledge.learned }

    /// The most messages that a batch takes; reading on past it is harmless but pointless.
    package var room: Int { max(0, countLimit - count) }

    /// Messages were read: `acknowledgeable` of QoS 1, `others` of QoS 0, `bytes` of topic and payload in all.
    package mutating func arrived(
        acknowledgeable added: Int, others: Int = 0, bytes addedBytes: Int, now: MonotonicInstant
    ) {
        guard added + others > 0 else { return }
        if count == 0 { first = now }
        last = now
        if let learned = knowledge.learned, acknowledgeable >= learned, added > 0 { knowledge.refuted() }
        count += added + others
        acknowledgeable += added
        bytes += addedBytes
        knowledge.arrived(added, now: now)
    }

    /// What to do with the open batch.
    package func decision(now: MonotonicInstant) -> Decision {
        guard count > 0 else { return .idle }
        if count >= countLimit { return .close(.count) }
        if bytes >= byteLimit { return .close(.bytes) }
        let windowEnd = first.advanced(by: window)
        if let learned = knowledge.learned, acknowledgeable >= learned {
            let trialEnd = last.advanced(by: InFlightKnowledge.trialTime)
            guard knowledge.isTrialDue(now: now), now < min(trialEnd, windowEnd) else { return .close(.inFlight) }
            return .collect(until: min(trialEnd, windowEnd))
        }
        if now >= windowEnd { return .close(.window) }
        guard knowledge.maySpeculate, acknowledgeable >= Self.smallestStall else { return .collect(until: windowEnd) }
        let stallEnd = last.advanced(by: stallThreshold)
        return now >= stallEnd ? .close(.stalled) : .collect(until: min(windowEnd, stallEnd))
    }

    /// The batch was taken away to be committed.
    package mutating func closed(_ reason: CloseReason, now: MonotonicInstant) {
        let wasSilent = last.duration(to: now) >= stallThreshold
        knowledge.closed(reason, size: acknowledgeable, wasSilent: wasSilent, now: now)
        count = 0
        acknowledgeable = 0
        bytes = 0
    }

    /// The acknowledgements of the closed batch have left. `moreWaited`: before they left, further QoS 1 messages of this sender had come
    /// in. `roundTrip`: the connection's, as far as it is known.
    package mutating func acknowledged(moreWaited: Bool, roundTrip: Duration, now: MonotonicInstant) {
        knowledge.acknowledged(moreWaited: moreWaited, roundTrip: roundTrip, countLimit: countLimit, now: now)
    }

    /// A new connection: perhaps another broker, surely another beginning.
    package mutating func reset() {
        knowledge = InFlightKnowledge()
        count = 0
        acknowledgeable = 0
        bytes = 0
    }

    private var stallThreshold: Duration {
        let gap = count > 1 ? first.duration(to: last) / (count - 1) : .zero
        return max(Self.shortestStall, gap * Self.stallGaps)
    }
}
