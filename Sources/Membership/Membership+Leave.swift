import Environment
import Model

extension Membership {
    /// The word goes by rumour to all, and by stream to a few at once, so that it survives our own end and lost
    /// datagrams.
    mutating func leave(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard phase == .running else { return }
        phase = .leaving
        leaveBy = presentCount == 0 ? now : now.advanced(by: settings.leaveTime)
        probe = nil
        nextProbeAt = .never
        rumours.removeAll()
        tell(ownRecord(now), now)
        for member in randomPresent(MembershipLimits.farewells, besides: nil, using: &rng) {
            send(.rumours([ownRecord(now)]), to: member.identity.start, at: member.address, by: .frame)
        }
        nextChallengeAt = .never
        challenges = []
    }

    mutating func endLeaving() {
        phase = .ended
        directives.append(.left)
    }
}
