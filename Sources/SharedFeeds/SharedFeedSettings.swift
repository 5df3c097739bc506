// Pure.

/// Bounds, each with its reason.
package enum SharedFeedLimits {
    /// Messages that a gateway remembers for others: at some 100 B of bookkeeping each this is 3 MiB.
    package static let messages = 32_768
    /// Their topics and payloads: what a board with 512 MiB can spare. At 100 B a message it outlasts a death that is found out in
    /// 10 s at 4,000 messages a second.
    package static let bytes = 4 << 20
    /// Reports of what was taken that are kept for a gateway that returns: 256 KiB. More than what most brokers keep for one that is away
    /// (mosquitto: 1,000 messages).
    package static let reports = 16_384
    /// Message ids that stood by and may come again: as many as a broker may have outstanding by default.
    package static let seen = 4096
    /// Reports in one frame: some 24 KiB.
    static let frameReports = 2048
    /// 2,048 reports of at most 18 bytes and the header; what a frame of the covey's takes easily.
    package static let frameBytes = 40 << 10
    /// Messages that are taken over at a time: a batch that commits in one go.
    static let takenAtOnce = 512
    /// Credits for messages that have not come yet: what the owner is ahead by in ``SharedFeedSettings/slack``.
    static let credits = 32_768
    /// Gateways whose end is remembered; a covey is smaller.
    static let absentees = 256
    /// Routes in one entry of the gossiped state, which has 900 bytes.
    static let routesPerPage = 100
    /// 3,200 routes of one broker; those beyond are not shared.
    package static let pages = 32
}

/// Times, each with its reason.
package struct SharedFeedSettings: Sendable {
    /// How long a gateway that starts waits for others, before it believes that it is alone: a member that is found by a seed takes a
    /// second or two.
    package var solitude: Duration = .seconds(10)
    /// How long after the first other gateway is seen it is believed that what they say is known.
    package var acquaintance: Duration = .seconds(3)
    /// How long a gateway that finds others reading only listens: the broker gives it meanwhile what came while it was away.
    package var grace: Duration = .seconds(10)
    /// How long a gateway that has just said that it reads does nothing else: others may say so at the same time.
    package var hush: Duration = .seconds(2)
    /// How long those that are there are waited for to hand over.
    package var patience: Duration = .seconds(10)
    /// How long a connection may be lost before others take over.
    package var linger: Duration = .seconds(1)
    /// Between two reports to others: doubles after a death are the messages of this time, and of the last commit.
    package var reportEvery: Duration = .milliseconds(250)
    /// A message that nobody has reported for so long is taken here. Much longer than a death takes to be found out and any commit takes.
    package var age: Duration = .seconds(60)
    /// … and by the next in rank so much later, that not all take it.
    package var rankStep: Duration = .seconds(10)
    /// How much earlier than here a message may have come to its owner. Beyond, the report is about another one that is alike.
    package var slack: Duration = .seconds(10)
    /// What came so shortly before this gateway took its share may not have reached those that had it before.
    package var tail: Duration = .seconds(5)

    package init() {}
}
