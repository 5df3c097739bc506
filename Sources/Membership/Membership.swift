// Pure: no clock, no I/O, no randomness of its own, no walk through a Set or a Dictionary.
package import Environment
package import Model

/// Who is there: SWIM with Lifeguard's additions, as one stepped machine. Documentation/Membership.md tells the rules.
package struct Membership: Sendable {
    package let identity: MemberIdentity
    /// Where others reach this member.
    package let address: PeerAddress
    package let settings: MembershipSettings
    /// Rises only here, by this machine itself.
    package internal(set) var incarnation: Incarnation
    /// The others, ascending by node; gone ones too until they are forgotten.
    package internal(set) var members: [Member] = []
    /// Those of ``members`` with `state.isPresent`, and those that have not left; ascending.
    package internal(set) var presentNodes: [NodeID] = []
    package internal(set) var lastingNodes: [NodeID] = []
    /// Rides on every ping and ack; at most ``MembershipLimits/passengerBytes`` bytes.
    package var passenger: [UInt8] = [] {
        didSet {
            precondition(
                passenger.count <= MembershipLimits.passengerBytes,
                "a passenger of \(passenger.count) bytes is too long")
        }
    }
    /// 0 (well) to ``MembershipSettings/mostLocalHealth``: how far this member's own answers are late.
    package internal(set) var localHealth = 0
    package internal(set) var counts = MembershipCounts()

    enum Phase { case new, running, leaving, ended }
    var phase = Phase.new
    var startedAt = MonotonicInstant(nanoseconds: 0)
    var directives: [MembershipDirective] = []
    var wakeAt = MonotonicInstant.never

    /// Members with `state.isPresent`.
    var presentCount = 0
    var deadCount = 0
    /// Sum over all members of a mix of node, start, incarnation and state: equal where two know the same.
    var digest: UInt64
    /// Derived from N, worked out anew where N changes.
    var scale: Scale
    var tombstones: [Tombstone] = []
    var forgetAt = MonotonicInstant.never

    // Probing.
    var sequence: UInt64 = 0
    var probe: Probe?
    var nextProbeAt = MonotonicInstant.never
    var probeOrder: [NodeID] = []
    var probePosition = 0
    var nextDeadProbeAt = MonotonicInstant.never
    var deadCursor = 0
    var deadProbes: UInt64 = 0
    var relays: [Relay] = []
    var nextRelayAt = MonotonicInstant.never

    // Suspicions, ascending by node.
    var suspicions: [Suspicion] = []
    var nextSuspicionAt = MonotonicInstant.never

    // Telling.
    var rumours = RumourQueue()
    var nextGossipAt = MonotonicInstant.never
    var lastGossipAt: MonotonicInstant?
    var nextPushPullAt = MonotonicInstant.never
    var pushPullWith: PeerAddress?
    /// Asked by datagram, and by stream from then on.
    var openSync: OpenSync?
    var syncByStreamAt = MonotonicInstant.never
    /// Of a state whose first page made us a newcomer, until its last page.
    var newcomerSequence: UInt64?
    var lastIntroductionAt: MonotonicInstant?

    // Joining and leaving.
    var seeds: [Seed] = []
    var seedPosition = 0
    var joinPause: Duration
    var nextJoinAt = MonotonicInstant.never
    var leaveBy = MonotonicInstant.never

    // Clones.
    var challenges: [Challenge] = []
    var nextChallengeAt = MonotonicInstant.never
    var verdicts: [Verdict] = []
    var provenNonces: [UInt64] = []
    var hasWarnedOfSize = false

    /// `incarnation` is the one last asked to ``MembershipDirective/keep(_:)``, 0 at the very first start; this run
    /// takes the next.
    package init(
        identity: MemberIdentity, address: PeerAddress, incarnation: Incarnation, seeds: [PeerAddress],
        settings: MembershipSettings = .init()
    ) {
        self.identity = identity
        self.address = address
        self.settings = settings
        self.incarnation = Incarnation(min(incarnation.rawValue, MembershipLimits.incarnation - 1) + 1)
        scale = Scale(members: 1, settings: settings)
        joinPause = settings.joinFirst
        digest = 0
        replaceSeeds(seeds)
        digest = Self.mix(identity.node, identity.start, self.incarnation, .alive)
    }

    /// N: the present members with this one.
    package var presentMembers: Int { presentCount + 1 }

    package mutating func step(
        _ event: MembershipEvent, now: MonotonicInstant, using rng: inout some RandomNumberGenerator
    ) -> [MembershipDirective] {
        var isTick = false
        if phase == .new {
            switch event {
            case .started: start(now, &rng)
            case .seeds(let addresses):
                replaceSeeds(addresses)
                return []
            default: return []
            }
        } else {
            guard phase != .ended else { return [] }
            forgiveLateness(now)
            switch event {
            case .started: break
            case .tick: isTick = true
            case .datagram(let bytes, let from): receive(bytes, from: from, by: .datagram, now, &rng)
            case .frame(let bytes, let from): receive(bytes, from: from, by: .frame, now, &rng)
            case .unreachable(let address): missed(address, now)
            case .leave: leave(now, &rng)
            case .forget(let node): forget(node, now)
            case .seeds(let addresses): takeSeeds(addresses, now)
            }
        }
        runTimers(now, &rng)
        announceWake(isTick: isTick)
        defer { directives = [] }
        return directives
    }

    private mutating func start(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        phase = .running
        startedAt = now
        directives.append(.keep(incarnation))
        nextPushPullAt = now.advanced(by: spread(scale.pushPullInterval, &rng))
        nextDeadProbeAt = now.advanced(by: spread(settings.deadProbeInterval, &rng))
        if !seeds.isEmpty { nextJoinAt = now }
    }
}

// MARK: Time

extension Membership {
    var earliest: MonotonicInstant {
        guard phase == .running || phase == .leaving else { return .never }
        var earliest = min(nextProbeAt, nextDeadProbeAt, nextRelayAt, nextSuspicionAt)
        earliest = min(earliest, nextGossipAt, nextPushPullAt, nextJoinAt, syncByStreamAt)
        earliest = min(earliest, leaveBy, nextChallengeAt, forgetAt)
        if let probe, !probe.isIndirect { earliest = min(earliest, probe.indirectAt) }
        return earliest
    }

    private mutating func runTimers(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard now >= earliest else { return }
        if now >= nextRelayAt { serveRelays(now) }
        if let probe, !probe.isIndirect, now >= probe.indirectAt { probeIndirectly(now, &rng) }
        if now >= nextProbeAt { endProbe(now, &rng); startProbe(now, &rng) }
        if now >= nextSuspicionAt { endSuspicions(now, using: &rng) }
        if now >= nextChallengeAt { serveChallenges(now, &rng) }
        if now >= nextDeadProbeAt { probeDead(now, &rng) }
        if now >= syncByStreamAt { syncByStream() }
        if now >= nextPushPullAt { pushPull(now, &rng) }
        if now >= nextJoinAt { join(now, &rng) }
        if now >= forgetAt { forgetOld(now) }
        if now >= nextGossipAt { gossip(now, &rng) }
        if phase == .leaving, now >= leaveBy || rumours.isEmpty || presentCount == 0 { endLeaving() }
    }

    private mutating func announceWake(isTick: Bool) {
        let earliest = earliest
        defer { wakeAt = earliest }
        guard earliest != .never, isTick || earliest != wakeAt else { return }
        directives.append(.wake(at: earliest))
    }

    /// A process that stood still has missed the answers of others: it takes nobody's silence in that time for a death.
    private mutating func forgiveLateness(_ now: MonotonicInstant) {
        guard wakeAt != .never, now > wakeAt.advanced(by: settings.latenessAllowed) else { return }
        let late = wakeAt.duration(to: now)
        counts.late += 1
        worsenHealth(by: 1)
        probe = nil
        relays = []
        nextRelayAt = .never
        for index in suspicions.indices { suspicions[index].since = suspicions[index].since.advanced(by: late) }
        if nextSuspicionAt != .never { nextSuspicionAt = nextSuspicionAt.advanced(by: late) }
    }

    /// Between half of `duration` and one and a half, so that members that start together do not act together.
    func spread(_ duration: Duration, _ rng: inout some RandomNumberGenerator) -> Duration {
        let nanoseconds = duration.nanoseconds
        return .nanoseconds(nanoseconds / 2 + Int64.random(in: 0...max(nanoseconds, 0), using: &rng))
    }
}

extension MonotonicInstant {
    static let never = MonotonicInstant(nanoseconds: .max)
}
