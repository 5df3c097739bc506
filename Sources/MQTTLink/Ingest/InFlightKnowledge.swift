import Environment

/// What the batches so far have shown of the sender's in-flight limit. Part of ``BatchPolicy``; pure.
///
/// | seen | means |
/// |---|---|
/// | QoS 1 messages came in before the batch's acknowledgements had left | the limit is higher than that batch |
/// | silence before the close, and as many again at once after the acknowledgements | that batch was the limit |
/// | silence before the close, and nothing special after them | a lull: close no batch early for a while |
/// | a known limit was reached again and again, and nothing came at once after | forget it: it is not, or no longer, true |
/// | a known limit was reached, acknowledgements were held back on trial, and more came | it was chance: bursts in the rhythm of our commits |
///
/// Neither mistake is dear. A limit that is assumed too low is refuted by the first message that arrives during a commit; one that is not
/// known costs one window.
struct InFlightKnowledge: Sendable {
    /// The experiment that a closed batch is.
    private struct Experiment {
        let reason: CloseReason
        let size: Int
        /// Set when the acknowledgements have left: how long an answer may take.
        var end: MonotonicInstant?
        var arrived = 0
    }

    /// A sender that was waiting answers within the round trip and what a busy small board adds to it.
    static let answerTime = Duration.milliseconds(25)
    /// Windows without early closes after one that was mistaken: from few to many, so that bursts that look like stalls cost
    /// next to no commits.
    static let pauseWindows = 4...256
    /// A sender that needs its limit only now and then looks like one that has none.
    static let missesToForget = 16
    /// How long, and how often at most, a batch at the known limit is held back to see that nothing more comes: a hundredth of the throughput.
    static let trialTime = Duration.milliseconds(50)
    static let trialInterval = Duration.seconds(5)

    private(set) var learned: Int?
    private var experiment: Experiment?
    /// Confirmations in a row of one size that is too small to be believed at once.
    private var confirmations = (size: 0, count: 0)
    private var misses = 0
    private var pause = 0
    private var pauseLength = 0
    private var nextTrial = MonotonicInstant(nanoseconds: .min)

    func isTrialDue(now: MonotonicInstant) -> Bool { now >= nextTrial }

    /// More came although the known limit was reached and nothing was acknowledged.
    mutating func refuted() {
        learned = nil
        experiment = nil
        confirmations = (0, 0)
        mistaken()
    }

    var maySpeculate: Bool { pause == 0 }

    mutating func arrived(_ count: Int, now: MonotonicInstant) {
        guard var running = experiment, let end = running.end else { return }
        if now > end { return settleMiss(running) }
        running.arrived += count
        experiment = running
        if running.arrived >= max(1, (running.size + 1) / 2) { settleConfirmed(running) }
    }

    mutating func closed(_ reason: CloseReason, size: Int, wasSilent: Bool, now: MonotonicInstant) {
        if let running = experiment, running.end != nil { settleMiss(running) }
        experiment = nil
        if reason == .window { pause = max(0, pause - 1) }
        let isTelling = reason == .inFlight || reason == .stalled || (reason == .window && wasSilent)
        guard isTelling, size > 0 else { return }
        if reason == .inFlight, let known = learned {
            learned = max(known, size)
            if isTrialDue(now: now) {
                nextTrial = now.advanced(by: Self.trialInterval)
                pauseLength = 0
            }
        }
        experiment = Experiment(reason: reason, size: size)
    }

    mutating func acknowledged(moreWaited: Bool, roundTrip: Duration, countLimit: Int, now: MonotonicInstant) {
        guard var running = experiment else { return }
        guard !moreWaited else {
            experiment = nil
            confirmations = (0, 0)
            switch running.reason {
            case .inFlight:
                // At least that many, then; found out in few steps where it is much more.
                learned = running.size * 2 < countLimit ? running.size * 2 : nil
            case .stalled: mistaken()
            default: break
            }
            return
        }
        running.end = now.advanced(by: max(Self.answerTime, roundTrip * 4))
        experiment = running
    }

    private mutating func settleConfirmed(_ settled: Experiment) {
        experiment = nil
        misses = 0
        guard settled.reason != .inFlight else { return }
        confirmations = (settled.size, confirmations.size == settled.size ? confirmations.count + 1 : 1)
        // One or two messages right after an acknowledgement may be chance.
        let needed = settled.size >= BatchPolicy.smallestStall ? 1 : settled.size >= 4 ? 2 : 3
        guard confirmations.count >= needed else { return }
        learned = settled.size
        nextTrial = MonotonicInstant(nanoseconds: .min)
        pause = 0
    }

    private mutating func settleMiss(_ settled: Experiment) {
        experiment = nil
        confirmations = (0, 0)
        switch settled.reason {
        case .inFlight:
            misses += 1
            if misses >= Self.missesToForget {
                learned = nil
                misses = 0
            }
        case .stalled: mistaken()
        default: break
        }
    }

    private mutating func mistaken() {
        pauseLength = min(max(pauseLength * 2, Self.pauseWindows.lowerBound), Self.pauseWindows.upperBound)
        pause = pauseLength
    }
}
