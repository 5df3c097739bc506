import Environment
import Model

/// The question that is under way. There is one at a time; the next begins when this one's interval is over.
///
/// | moment | what happens |
/// |---|---|
/// | 0 | ping by datagram |
/// | timeout | ping-req to three others by datagram, ping by stream |
/// | any ack before the end | well: local health improves |
/// | the interval's end | suspicion; local health worsens by the missing nacks, or by 1 where none were wanted |
struct Probe: Hashable, Sendable {
    let node: NodeID
    let start: StartID
    let sequence: UInt64
    let indirectAt: MonotonicInstant
    var isIndirect = false
    var nacksExpected = 0
    var nacks = 0
}

extension Membership {
    private var stretch: Int { 1 + localHealth }

    mutating func nextSequence() -> UInt64 {
        sequence += 1
        return sequence
    }

    // MARK: Order

    /// A new member takes a random place among those still to come, so that it waits for one round at most.
    mutating func enterProbeOrder(
        _ node: NodeID, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        // One that comes and goes within a round is in it more than once; at the limit it waits for the next round.
        if probeOrder.count < 2 * MembershipLimits.members {
            probeOrder.insert(node, at: Int.random(in: probePosition...probeOrder.count, using: &rng))
        }
        if nextProbeAt == .never { nextProbeAt = now.advanced(by: spread(settings.probeInterval / 2, &rng)) }
    }

    private mutating func nextTarget(_ rng: inout some RandomNumberGenerator) -> Member? {
        for _ in 0..<2 {
            while probePosition < probeOrder.count {
                probePosition += 1
                if let member = member(probeOrder[probePosition - 1]), member.state.isPresent { return member }
            }
            probeOrder = members.filter { $0.state.isPresent }.map(\.node)
            probeOrder.shuffle(using: &rng)
            probePosition = 0
        }
        return nil
    }

    // MARK: Asking

    mutating func startProbe(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard let target = nextTarget(&rng) else {
            nextProbeAt = .never
            return
        }
        counts.probes += 1
        let probe = Probe(
            node: target.node, start: target.identity.start, sequence: nextSequence(),
            indirectAt: now.advanced(by: settings.probeTimeout * stretch))
        self.probe = probe
        nextProbeAt = now.advanced(by: settings.probeInterval * stretch)
        ping(target, sequence: probe.sequence, now)
    }

    /// Pings by datagram; a member that is not held for alive is told so (the buddy rule), that it can contradict at
    /// once.
    private mutating func ping(_ member: Member, sequence: UInt64, _ now: MonotonicInstant) {
        sendWithRumours(
            .ping(sequence: sequence, passenger: passenger, buddyRecords(about: member, now)),
            to: member.identity.start, at: member.address)
    }

    private mutating func pingByStream(_ member: Member, sequence: UInt64, _ now: MonotonicInstant) {
        send(
            .ping(sequence: sequence, passenger: passenger, buddyRecords(about: member, now)),
            to: member.identity.start, at: member.address, by: .frame)
    }

    func buddyRecords(about member: Member, _ now: MonotonicInstant) -> [MemberRecord] {
        guard member.state != .alive else { return [] }
        return [member.record(accuser: accuser(of: member.node), now: now, withProfile: false)]
    }

    mutating func probeIndirectly(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard var probe, let target = member(probe.node) else {
            self.probe = nil
            return
        }
        let helpers = randomPresent(settings.indirectProbes, besides: probe.node, using: &rng)
        probe.isIndirect = true
        probe.nacksExpected = helpers.count
        self.probe = probe
        for helper in helpers {
            sendWithRumours(
                .pingRequest(
                    sequence: probe.sequence, node: probe.node, start: probe.start, address: target.address, []),
                to: helper.identity.start, at: helper.address)
        }
        pingByStream(target, sequence: probe.sequence, now)
    }

    mutating func endProbe(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard let probe else { return }
        self.probe = nil
        counts.failedProbes += 1
        worsenHealth(by: probe.nacksExpected > 0 ? probe.nacksExpected - probe.nacks : 1)
        guard phase == .running, let index = index(of: probe.node), members[index].identity.start == probe.start else {
            return
        }
        switch members[index].state {
        case .alive:
            var record = members[index].record(accuser: nil, now: now, withProfile: false)
            record.state = .suspect
            record.accuser = identity.node
            take(record, at: index, now, &rng)
            // Told by both ways at once: a stream that was slow to open brings the contradiction long before the time
            // is over.
            ping(members[index], sequence: nextSequence(), now)
            pingByStream(members[index], sequence: nextSequence(), now)
        case .suspect: confirm(probe.node, by: identity.node, now)
        case .dead, .left, .forgotten: break
        }
    }

    // MARK: Answering

    mutating func receivePing(
        _ sequence: UInt64, _ passenger: [UInt8], _ records: [MemberRecord], _ envelope: Envelope,
        _ from: PeerAddress, _ way: Way, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        let source = Source(sender: envelope.sender, start: envelope.start, address: from, isState: false)
        var tellsOurs = phase == .leaving || (envelope.recipient != nil && envelope.recipient != identity.start)
        for record in records where merge(record, source, now, &rng) { tellsOurs = true }
        var answer = tellsOurs ? [ownRecord(now)] : []
        if let sender = member(envelope.sender) {
            let isThisRun = sender.identity.start == envelope.start
            if !isThisRun || sender.state != .alive {
                answer.append(sender.record(accuser: accuser(of: sender.node), now: now, withProfile: !isThisRun))
            }
            if isThisRun { deliver(passenger, from: sender.node) }
        } else if envelope.sender != identity.node {
            introduce(to: from, start: envelope.start, now)
        }
        let ack = Message.ack(sequence: sequence, passenger: self.passenger, answer)
        if way == .datagram {
            sendWithRumours(ack, to: envelope.start, at: from)
        } else {
            send(ack, to: envelope.start, at: from, by: .frame)
        }
    }

    mutating func receiveAck(
        _ sequence: UInt64, _ passenger: [UInt8], _ envelope: Envelope, _ now: MonotonicInstant
    ) {
        if let probe, probe.sequence == sequence, probe.node == envelope.sender, probe.start == envelope.start {
            self.probe = nil
            improveHealth()
            deliver(passenger, from: envelope.sender)
        } else if let position = relays.firstIndex(where: { $0.sequence == sequence && $0.node == envelope.sender }) {
            let relay = relays.remove(at: position)
            send(
                .relayedAck(sequence: relay.originSequence, start: envelope.start),
                to: relay.originStart, at: relay.origin, by: .datagram)
        } else {
            counts.stale += 1
        }
    }

    mutating func receiveRelayedAck(_ sequence: UInt64, _ start: StartID) {
        guard let probe, probe.sequence == sequence, probe.start == start, probe.isIndirect else {
            counts.stale += 1
            return
        }
        self.probe = nil
        improveHealth()
    }

    mutating func receiveNack(_ sequence: UInt64) {
        guard var probe, probe.sequence == sequence, probe.nacks < probe.nacksExpected else {
            counts.stale += 1
            return
        }
        probe.nacks += 1
        self.probe = probe
    }

    private mutating func deliver(_ passenger: [UInt8], from node: NodeID) {
        if !passenger.isEmpty { directives.append(.passenger(passenger, from: node)) }
    }

    // MARK: The dead

    /// Asks one of the dead, in turn: what ends a partition is that somebody asks across it.
    mutating func probeDead(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        nextDeadProbeAt = now.advanced(by: spread(settings.deadProbeInterval, &rng))
        guard deadCount > 0, phase == .running else { return }
        for _ in members.indices {
            deadCursor = (deadCursor + 1) % members.count
            guard members[deadCursor].state == .dead else { continue }
            deadProbes += 1
            let target = members[deadCursor]
            if deadProbes % settings.deadProbesPerStream == 0 {
                pingByStream(target, sequence: nextSequence(), now)
            } else {
                ping(target, sequence: nextSequence(), now)
            }
            return
        }
    }
}
