import Environment
package import Model

/// An address from the configuration that may lead to the covey. Tried for ever, unless a present member is known to
/// be there.
struct Seed: Hashable, Sendable {
    let address: PeerAddress
    /// Of the last attempt, by which the answer is known.
    var sequence: UInt64 = 0
    /// Who answered there last.
    var node: NodeID?
    var isOurselves = false
}

extension Membership {
    mutating func replaceSeeds(_ addresses: [PeerAddress]) {
        var kept: [Seed] = []
        for address in addresses.prefix(MembershipLimits.seeds)
        where address != self.address && !kept.contains(where: { $0.address == address }) {
            kept.append(seeds.first { $0.address == address } ?? Seed(address: address))
        }
        seeds = kept
        seedPosition = 0
    }

    mutating func takeSeeds(_ addresses: [PeerAddress], _ now: MonotonicInstant) {
        replaceSeeds(addresses)
        joinPause = settings.joinFirst
        nextJoinAt = seeds.isEmpty ? .never : now
    }

    /// Speaks to a few of the seeds where nobody is known: with our state while alone, else with its digest.
    mutating func join(_ now: MonotonicInstant, _ rng: inout some RandomNumberGenerator) {
        guard phase == .running, !seeds.isEmpty else {
            nextJoinAt = .never
            return
        }
        let open = seeds.indices.filter { needsJoin(seeds[$0]) }
        for offset in open.indices.prefix(MembershipLimits.seedsPerAttempt) {
            let index = open[(seedPosition + offset) % open.count]
            let sequence = nextSequence()
            seeds[index].sequence = sequence
            let address = seeds[index].address
            if presentCount == 0 {
                sendState(sequence: sequence, wantsAnswer: true, to: nil, at: address, now)
            } else {
                // A seed that never comes back must not cost a whole state each time.
                send(.sync(sequence: sequence, digest: digest), to: nil, at: address, by: .frame)
            }
        }
        seedPosition = open.isEmpty ? 0 : (seedPosition + MembershipLimits.seedsPerAttempt) % open.count
        let fifth = joinPause.nanoseconds / 5
        nextJoinAt = now.advanced(by: joinPause + .nanoseconds(Int64.random(in: -fifth...fifth, using: &rng)))
        joinPause = min(joinPause * 3 / 2, settings.joinMost)
    }

    /// Who answered last at one of the seeds; `nil` where nobody did.
    package func seedNode(at address: PeerAddress) -> NodeID? { seeds.first { $0.address == address }?.node }

    private func needsJoin(_ seed: Seed) -> Bool {
        if seed.isOurselves { return false }
        if let node = seed.node, let member = member(node), member.state.isPresent { return false }
        return !members.contains { $0.address == seed.address && $0.state.isPresent }
    }

    mutating func seedAnswered(_ sequence: UInt64, _ node: NodeID, _ now: MonotonicInstant) {
        for index in seeds.indices where seeds[index].sequence == sequence && sequence != 0 {
            seeds[index].node = node
        }
    }
}
