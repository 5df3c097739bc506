import Environment
import Model

/// A question to one who claims a node id that a present member has at another address: it must prove that it lives,
/// then the other one.
///
/// | newcomer proves | known one proves | verdict |
/// |---|---|---|
/// | no | not asked | an old or false message: passed over |
/// | yes | no | a restart elsewhere: taken over |
/// | yes | yes (or it is us) | a clone: the younger process is told to go on under another id, alarm |
///
/// Younger is who was born later by its own account of its uptime; within the tolerance, who has the greater start.
/// All who judge judge the same.
struct Challenge: Hashable, Sendable {
    struct Proof: Hashable {
        let birth: MonotonicInstant
        let nonce: UInt64
    }

    /// The newcomer's claim.
    let record: MemberRecord
    let address: PeerAddress
    var nonce: UInt64
    var tries = 0
    var nextAt: MonotonicInstant
    /// When the newcomer was born, once it has proved itself, and the nonce that it proved.
    var newcomer: Proof?
}

/// A start that was judged lately, so that the same claim, heard again, costs nothing.
struct Verdict: Hashable, Sendable {
    let start: StartID
    let until: MonotonicInstant
}

extension Membership {
    func isJudged(_ start: StartID, _ now: MonotonicInstant) -> Bool {
        verdicts.contains { $0.start == start && $0.until > now }
    }

    private mutating func judge(_ start: StartID, _ now: MonotonicInstant) {
        verdicts.removeAll { $0.until <= now || $0.start == start }
        if verdicts.count == MembershipLimits.verdicts { verdicts.removeFirst() }
        verdicts.append(Verdict(start: start, until: now.advanced(by: MembershipLimits.verdictTime)))
    }

    /// Opens a challenge; the first question goes out in this same step.
    mutating func challenge(_ record: MemberRecord, _ now: MonotonicInstant) {
        guard phase == .running, let profile = record.profile, challenges.count < MembershipLimits.challenges,
            !isJudged(record.start, now), !challenges.contains(where: { $0.record.start == record.start })
        else { return }
        challenges.append(Challenge(record: record, address: profile.address, nonce: 0, nextAt: now))
        nextChallengeAt = now
    }

    mutating func serveChallenges(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        for var challenge in challenges where now >= challenge.nextAt {
            guard let position = challenges.firstIndex(where: { $0.record.start == challenge.record.start }) else {
                continue
            }
            guard challenge.tries < settings.challengeTries else {
                challenges.remove(at: position)
                endUnanswered(challenge, now, &rng)
                continue
            }
            // One nonce per question and party: an answer to an earlier try is as good.
            if challenge.tries == 0 { challenge.nonce = rng.next() }
            challenge.tries += 1
            challenge.nextAt = now.advanced(by: settings.challengeInterval)
            challenges[position] = challenge
            ask(challenge)
        }
        nextChallengeAt = .never
        for challenge in challenges { nextChallengeAt = min(nextChallengeAt, challenge.nextAt) }
    }

    private mutating func ask(_ challenge: Challenge) {
        let node = challenge.record.node
        let isForNewcomer = challenge.newcomer == nil
        guard let address = isForNewcomer ? challenge.address : member(node)?.address else { return }
        let start = isForNewcomer ? challenge.record.start : member(node)?.identity.start
        let question = Message.challenge(nonce: challenge.nonce, node: node)
        send(question, to: start, at: address, by: .datagram)
        // Every second time by stream as well, for networks that lose datagrams.
        if challenge.tries % 2 == 1 { send(question, to: start, at: address, by: .frame) }
    }

    /// Answers for this very run only, and remembers the nonce: who later tells us that we are a clone must know it.
    mutating func prove(
        _ nonce: UInt64, _ node: NodeID, _ envelope: Envelope, _ from: PeerAddress, _ way: Way, _ now: MonotonicInstant
    ) {
        guard node == identity.node, envelope.recipient == identity.start, phase == .running else {
            counts.stale += 1
            return
        }
        if !provenNonces.contains(nonce) {
            if provenNonces.count == MembershipLimits.verdicts { provenNonces.removeFirst() }
            provenNonces.append(nonce)
        }
        let uptime = UInt64(max(startedAt.duration(to: now).nanoseconds / 1_000_000, 0))
        send(.proof(nonce: nonce, uptime: uptime), to: envelope.start, at: from, by: way)
    }

    mutating func receiveProof(
        _ nonce: UInt64, _ uptime: UInt64, _ envelope: Envelope, _ now: MonotonicInstant,
        _ rng: inout some RandomNumberGenerator
    ) {
        guard let position = challenges.firstIndex(where: { $0.nonce == nonce && $0.tries > 0 }),
            challenges[position].record.node == envelope.sender
        else {
            counts.stale += 1
            return
        }
        let birth = now.advanced(by: .milliseconds(-Int64(uptime)))
        var challenge = challenges[position]
        if let newcomer = challenge.newcomer {
            guard let known = member(envelope.sender), known.identity.start == envelope.start else { return }
            challenges.remove(at: position)
            judgeClones(challenge, newcomer, birth, nonce, now, &rng)
        } else if challenge.record.start == envelope.start {
            guard envelope.sender != identity.node else {
                challenges.remove(at: position)
                judgeOurClone(challenge, birth, nonce, now)
                return
            }
            challenge.newcomer = .init(birth: birth, nonce: nonce)
            challenge.tries = 0
            challenge.nextAt = now
            challenges[position] = challenge
            nextChallengeAt = now
        }
    }

    private mutating func endUnanswered(
        _ challenge: Challenge, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        guard challenge.newcomer != nil else {
            judge(challenge.record.start, now)
            return
        }
        guard let index = index(of: challenge.record.node), challenge.record.order > members[index].order else {
            return
        }
        take(challenge.record, at: index, now, &rng)
    }

    private func isYounger(
        _ birth: MonotonicInstant, _ start: StartID, than other: MonotonicInstant, _ otherStart: StartID
    )
        -> Bool
    {
        let difference = other.duration(to: birth)
        if difference > settings.birthTolerance { return true }
        if difference < .zero - settings.birthTolerance { return false }
        return start > otherStart
    }

    /// Both live, and neither is us.
    private mutating func judgeClones(
        _ challenge: Challenge, _ newcomer: Challenge.Proof, _ knownBirth: MonotonicInstant,
        _ knownNonce: UInt64, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        guard let index = index(of: challenge.record.node) else { return }
        let known = members[index]
        raiseCloneAlarm(known.node, known.address, challenge.address)
        if isYounger(newcomer.birth, challenge.record.start, than: knownBirth, known.identity.start) {
            judge(challenge.record.start, now)
            dismiss(challenge.record.start, at: challenge.address, newcomer.nonce, elder: known.address)
        } else {
            judge(known.identity.start, now)
            dismiss(known.identity.start, at: known.address, knownNonce, elder: challenge.address)
            if challenge.record.order > known.order { take(challenge.record, at: index, now, &rng) }
        }
    }

    /// Both live, and one is us.
    private mutating func judgeOurClone(
        _ challenge: Challenge, _ birth: MonotonicInstant, _ nonce: UInt64, _ now: MonotonicInstant
    ) {
        raiseCloneAlarm(identity.node, address, challenge.address)
        if isYounger(startedAt, identity.start, than: birth, challenge.record.start) {
            directives.append(.cloned(challenge.address))
            phase = .ended
        } else {
            judge(challenge.record.start, now)
            dismiss(challenge.record.start, at: challenge.address, nonce, elder: address)
        }
    }

    private mutating func dismiss(_ start: StartID, at address: PeerAddress, _ nonce: UInt64, elder: PeerAddress) {
        for way in [Way.datagram, .frame] {
            send(.cloned(nonce: nonce, elder: elder), to: start, at: address, by: way)
        }
    }

    mutating func receiveCloned(_ nonce: UInt64, _ elder: PeerAddress) {
        guard phase == .running, provenNonces.contains(nonce) else {
            counts.stale += 1
            return
        }
        raiseCloneAlarm(identity.node, address, elder)
        directives.append(.cloned(elder))
        phase = .ended
    }

    private mutating func raiseCloneAlarm(_ node: NodeID, _ one: PeerAddress, _ other: PeerAddress) {
        directives.append(
            .alarm("two live gateways have the node id \(node): \(one) and \(other); the younger one takes a new id"))
    }
}
