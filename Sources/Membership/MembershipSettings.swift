/// How membership behaves. N is the number of present members with this one.
package struct MembershipSettings: Hashable, Sendable {
    /// One member is probed in each; times (1 + local health). SWIM's first figure for detection: a crashed member is
    /// probed within
    /// 1.6 of these on average, since each of N members picks it with 1/N. Shorter costs datagrams, longer costs
    /// detection.
    package var probeInterval: Duration = .seconds(1)
    /// Waited for an ack before others and a stream are asked; times (1 + local health). Half of the interval, so
    /// that the second way
    /// has as long as the first; ten times a slow wireless round trip.
    package var probeTimeout: Duration = .milliseconds(500)
    /// Members asked to ping for us. With 3, at 30 % loss each way, one round of indirect pings fails in 44 % of
    /// cases rather than 76 % with 1.
    package var indirectProbes = 3
    /// The highest local health score: intervals stretch at most 9 times. Lifeguard's figure.
    package var mostLocalHealth = 8
    /// The least time to contradict is this · max(1, log10 N) s: it grows as rumours need longer. memberlist's figure
    /// for a LAN.
    package var suspicionMultiplier = 4
    /// The most time to contradict is this many times the least; confirmations shrink it. Lifeguard's figure.
    package var suspicionStretch = 6
    /// Independent accusers after which the least time holds; where N leaves fewer than this besides accused and
    /// accuser, none are awaited.
    package var suspicionConfirmations = 2
    /// Time to contradict with N ≤ 3, where nobody can confirm: twice the least time, and a stream probe has failed
    /// too.
    package var smallSuspicion: Duration = .seconds(8)
    /// Every rumour is sent this · ⌈log10(N + 1)⌉ times by each member: enough that all hear it, with high
    /// probability. memberlist's figure.
    package var retransmitMultiplier = 4
    /// While rumours wait, they go to ``gossipFanout`` members this often; with none waiting nothing is sent.
    package var gossipInterval: Duration = .milliseconds(200)
    package var gossipFanout = 3
    /// A random member is asked whether it knows the same; times ⌈log2 N − 5⌉ + 1 above 32 members, as memberlist
    /// does, so that the cost
    /// stays level as the state grows.
    package var pushPullInterval: Duration = .seconds(30)
    /// The next push-pull after one that more than doubled what was known: after a power cut all gateways arrive
    /// within seconds.
    package var arrivalPause: Duration = .seconds(3)
    /// One dead member is pinged this often, so that a partition that ends heals without any seed.
    package var deadProbeInterval: Duration = .seconds(5)
    /// Every so many of those go by stream instead, for networks that pass nothing else.
    package var deadProbesPerStream: UInt64 = 6
    /// The first pause between attempts to reach seeds; grows 1.5 times per attempt, ± 20 %, up to ``joinMost``.
    package var joinFirst: Duration = .seconds(1)
    package var joinMost: Duration = .seconds(30)
    /// A challenge to prove who one is goes out this often, at most ``challengeTries`` times: 3 s without an answer
    /// is none.
    package var challengeInterval: Duration = .milliseconds(500)
    package var challengeTries = 6
    /// Births closer than this count as one, since an answer's way takes time.
    package var birthTolerance: Duration = .seconds(1)
    /// How long leaving may take if the word has not been passed on often enough before.
    package var leaveTime: Duration = .seconds(2)
    /// Gone members are known this long: a board may be repaired within a week.
    package var forgetAfter: Duration = .seconds(7 * 24 * 3600)
    /// A step this much later than it was asked for means that this process stood still: it blames nobody for what it
    /// missed.
    package var latenessAllowed: Duration = .seconds(1)

    package init() {}
}

/// Bounds on everything that others can make this machine hold or send.
package enum MembershipLimits {
    /// One datagram: fits an Ethernet or IPv6 minimum MTU of 1280 with headers and a seal.
    package static let datagramBytes = 1100
    /// One frame; pages of state stop a little earlier, see ``pageBytes``.
    package static let frameBytes = 128 * 1024
    /// A page is closed once it is this long, so that one more record always fits.
    static let pageBytes = 120 * 1024
    package static let nameBytes = 64
    /// What rides on every ping and ack.
    package static let passengerBytes = 64
    /// Fields of newer versions in one record, carried on.
    static let extraBytes = 64
    /// Head 56, name 65, address 65, versions 12, extra 64, and room to spare.
    static let recordBytes = 400
    /// Known members, gone ones among them. Above a thousand the design has not been measured.
    package static let members = 4096
    /// Members forgotten by hand, remembered so that nobody brings them back.
    static let tombstones = 256
    package static let seeds = 64
    /// Seeds tried at once.
    static let seedsPerAttempt = 3
    /// Pings under way for others; more requests are passed over, as from a helper that is not there.
    static let relays = 64
    /// More strangers in one page than this part of the known ones are many.
    static let arrivalPart = 16
    /// Challenges open at once; further newcomers are challenged when they speak again.
    static let challenges = 16
    /// Starts that were judged lately, and answered nonces.
    static let verdicts = 32
    /// How long a judged start is not judged again.
    static let verdictTime: Duration = .seconds(60)
    /// Members told directly, by stream, that this one leaves.
    static let farewells = 3
    /// A sync that nobody planned (a stranger's ping, a member back from the dead) starts at most this often.
    static let introductionPause: Duration = .seconds(1)
    /// Above this a peer's incarnation is not believed: no member contradicts that often, and counting on must not
    /// overflow.
    static let incarnation: UInt64 = 1 << 48
}
