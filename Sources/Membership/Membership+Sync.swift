import Environment
import Model

/// Push-pull: two members find out whether they know the same, and if not, tell each other all.
///
/// | message | answer |
/// |---|---|
/// | sync, digest as ours | same, the way that it came |
/// | sync, digest another | all pages of state by stream; the last one wants an answer |
/// | state, the last page, wants an answer | all pages of state |
///
/// The planned one asks by datagram, and by stream where that brings no answer: among many a partner is seldom one to whom a stream
/// stands, and opening it costs more bytes than all that half a minute of probes sends.
struct OpenSync: Hashable, Sendable {
    let sequence: UInt64
    let partner: PeerAddress
    let start: StartID
}

extension Membership {
    mutating func pushPull(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        nextPushPullAt = now.advanced(by: spread(scale.pushPullInterval, &rng))
        guard phase == .running, let partner = randomPresent(1, besides: nil, using: &rng).first else { return }
        pushPullWith = partner.address
        let sync = OpenSync(sequence: nextSequence(), partner: partner.address, start: partner.identity.start)
        openSync = sync
        syncByStreamAt = now.advanced(by: settings.probeTimeout * (1 + localHealth))
        send(.sync(sequence: sync.sequence, digest: digest), to: sync.start, at: sync.partner, by: .datagram)
    }

    /// The datagram or its answer was lost, or none pass there.
    mutating func syncByStream() {
        syncByStreamAt = .never
        guard let sync = openSync else { return }
        openSync = nil
        guard phase == .running else { return }
        send(.sync(sequence: sync.sequence, digest: digest), to: sync.start, at: sync.partner, by: .frame)
    }

    mutating func syncAnswered(_ sequence: UInt64) {
        guard openSync?.sequence == sequence else { return }
        openSync = nil
        syncByStreamAt = .never
    }

    /// Another partner, soon, where this one cannot be reached by stream.
    mutating func missed(_ address: PeerAddress, _ now: MonotonicInstant) {
        guard address == pushPullWith else { return }
        pushPullWith = nil
        nextPushPullAt = min(nextPushPullAt, now.advanced(by: settings.probeInterval))
    }

    /// With somebody who turned up: a stranger, or one back from the dead.
    mutating func introduce(to address: PeerAddress, start: StartID, _ now: MonotonicInstant) {
        if let lastIntroductionAt, lastIntroductionAt.duration(to: now) < MembershipLimits.introductionPause { return }
        guard phase == .running else { return }
        lastIntroductionAt = now
        sync(with: address, start)
    }

    private mutating func sync(with address: PeerAddress, _ start: StartID) {
        send(.sync(sequence: nextSequence(), digest: digest), to: start, at: address, by: .frame)
    }

    mutating func receiveSync(
        _ sequence: UInt64, _ digest: UInt64, _ envelope: Envelope, _ from: PeerAddress, _ way: Way,
        _ now: MonotonicInstant
    ) {
        if digest == self.digest {
            send(.same(sequence: sequence), to: envelope.start, at: from, by: way)
        } else {
            sendState(sequence: sequence, wantsAnswer: true, to: envelope.start, at: from, now)
        }
    }

    mutating func receiveState(
        _ sequence: UInt64, isLast: Bool, wantsAnswer: Bool, _ records: [MemberRecord], _ envelope: Envelope,
        _ from: PeerAddress, _ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator
    ) {
        let source = Source(
            sender: envelope.sender, start: envelope.start, address: from, isState: true,
            bringsNews: !isNewcomer(to: records, sequence, isLast: isLast))
        let before = members.count
        var isWrongAboutUs = false
        for record in records where merge(record, source, now, &rng) { isWrongAboutUs = true }
        seedAnswered(sequence, envelope.sender, now)
        syncAnswered(sequence)
        // A page that told much tells that there is more to come: after a power cut all gateways arrive within seconds.
        if members.count - before > before / MembershipLimits.arrivalPart {
            nextPushPullAt = min(nextPushPullAt, now.advanced(by: spread(settings.arrivalPause, &rng)))
        }
        if isLast, wantsAnswer {
            sendState(sequence: sequence, wantsAnswer: false, to: envelope.start, at: from, now)
        } else if isWrongAboutUs {
            send(.rumours([ownRecord(now)]), to: envelope.start, at: from, by: .frame)
        }
    }

    /// Who learns of more than twice as many as it knew has come to them: all these know each other, and need not be
    /// told again.
    /// Holds for the pages that follow too.
    private mutating func isNewcomer(to records: [MemberRecord], _ sequence: UInt64, isLast: Bool) -> Bool {
        let isNewcomer = sequence == newcomerSequence || records.count > 2 * presentMembers
        newcomerSequence = isNewcomer && !isLast ? sequence : nil
        return isNewcomer
    }

    /// All that we know, ourselves first, in pages of at most a frame.
    mutating func sendState(
        sequence: UInt64, wantsAnswer: Bool, to recipient: StartID?, at address: PeerAddress, _ now: MonotonicInstant
    ) {
        counts.statesSent += 1
        var position = -1
        let total = members.count + tombstones.count
        repeat {
            var page: [MemberRecord] = []
            var size = 0
            while position < total, size < MembershipLimits.pageBytes {
                let record = stateRecord(at: position, now)
                // An estimate from above, that spares encoding twice.
                size +=
                    120 + (record.profile.map { $0.name.utf8.count + $0.address.text.utf8.count + $0.extra.count } ?? 0)
                page.append(record)
                position += 1
            }
            send(
                .state(sequence: sequence, isLast: position >= total, wantsAnswer: wantsAnswer, page),
                to: recipient, at: address, by: .frame)
        } while position < total
    }

    private func stateRecord(at position: Int, _ now: MonotonicInstant) -> MemberRecord {
        if position < 0 { return ownRecord(now) }
        if position < members.count {
            let member = members[position]
            return member.record(accuser: accuser(of: member.node), now: now, withProfile: true)
        }
        return record(of: tombstones[position - members.count], now)
    }
}
