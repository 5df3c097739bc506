// Pure.
import Environment
import Model

/// News travels by pushes: at once to those that the owner names, and in rounds to a few random members.
extension GossipState {
    /// Sends what this process wrote and the peer is not known to have, in one message that asks for an
    /// acknowledgement.
    mutating func push(to node: NodeID, _ now: MonotonicInstant, _ directives: inout [GossipDirective]) {
        guard node != self.node, let peer = openPeer(node) else { return }
        // What is on its way is not sent again before its acknowledgement had time to come, the longer the more often
        // it did not.
        let patience = settings.pushTimeout * (1 << min(peers[peer].pushTries, 5))
        let isWaiting = peers[peer].pushedAt.nanoseconds != .min && now < peers[peer].pushedAt.advanced(by: patience)
        var needs: [StateStore.Need] = []
        for (writer, acknowledged, pushed) in [
            (own, peers[peer].own, peers[peer].pushedOwn), (shared, peers[peer].shared, peers[peer].pushedShared),
        ] {
            let (index, isThere) = store.find(writer)
            guard isThere else { continue }
            let base = isWaiting ? max(acknowledged, pushed) : acknowledged
            guard base < store.writers[index].version else { continue }
            if let need = store.need(index, version: base) { needs.append(need) }
        }
        guard !needs.isEmpty else { return }
        let isRepeated = !isWaiting && peers[peer].pushedOwn > peers[peer].own
        peers[peer].pushTries = isRepeated ? peers[peer].pushTries + 1 : peers[peer].pushTries
        peers[peer].pushedAt = now
        for need in needs {
            if store.writers[need.index].id == own {
                peers[peer].pushedOwn = need.upTo
            } else {
                peers[peer].pushedShared = need.upTo
            }
        }
        send(needs, .wantsAck, to: node, &directives)
    }

    /// Whether news of others is passed on: among few members its writer reaches everyone itself.
    var relays: Bool { alive.count > 2 * settings.fanOut + 2 }

    /// Has a stream's entries above `version` spread for some rounds.
    mutating func spread(_ index: Int, above version: UInt64, now: MonotonicInstant) {
        guard !alive.isEmpty else { return }
        let isOurs = store.writers[index].id.node == node
        let usual = isOurs ? bits + 1 : max(1, bits - 2)
        let window = settings.spreadEvery * (2 * usual)
        // With news of a crowd, rounds lag behind and bring everyone everything many times over; exchanges bring it once.
        let rounds = isOurs || newsCount < GossipLimits.crowd ? usual : 1
        let record = store.writers[index]
        let isNew = record.roundsLeft == 0
        if isNew {
            if newsCount == 0 { nextSpread = max(nextSpread, now.advanced(by: settings.spreadEvery)) }
            newsCount += 1
        }
        let isOld = isNew || now > record.newsSince.advanced(by: window)
        store.note(index) {
            $0.roundsLeft = rounds
            if isOld {
                $0.newsAbove = version
                $0.newsSince = now
            }
        }
    }

    /// The news of a crowd has got around, as somebody else knows it all: to go on would take minutes and tell nobody.
    mutating func dropNews() {
        for index in store.writers.indices where store.writers[index].roundsLeft > 0 {
            store.note(index) { $0.roundsLeft = 0 }
        }
        newsCount = 0
    }

    /// One datagram with the news, the same to a few random members.
    mutating func spreadRound(
        _ now: MonotonicInstant, _ random: inout some RandomNumberGenerator, _ directives: inout [GossipDirective]
    ) {
        nextSpread = now.advanced(by: settings.spreadEvery)
        var sections: [UInt8] = []
        var isOursAlone = true
        var hasOurs = false
        let room = GossipLimits.datagramBytes - GossipWire.messageHeaderBytes
        let count = store.writers.count
        let first = Int.random(in: 0..<max(count, 1), using: &random)
        var unseen = newsCount
        var misfits = 0
        for offset in 0..<count where unseen > 0 && misfits < GossipLimits.misfits {
            let index = (first + offset) % count
            guard store.writers[index].roundsLeft > 0 else { continue }
            unseen -= 1
            let record = store.writers[index]
            var left = record.roundsLeft
            let need = StateStore.Need(index: index, from: record.newsAbove, upTo: record.version)
            if let (bytes, _) = store.section(need, room: room - sections.count, mayCut: false) {
                sections += bytes
                left -= 1
                let isOurs = record.id == own || record.id == shared
                isOursAlone = isOursAlone && isOurs
                hasOurs = hasOurs || isOurs
            } else if sections.isEmpty {
                // What fits no datagram is left to pushes and exchanges.
                left = 0
            } else {
                misfits += 1
            }
            store.note(index) { $0.roundsLeft = left }
            if left == 0 { newsCount -= 1 }
        }
        guard !sections.isEmpty else { return }
        let message = GossipWire.delta(life, hasOurs ? .wantsAck : [], sections: sections)
        for node in chosen(&random) where !(isOursAlone && hasNews(node, now)) {
            directives.append(.datagram(message, to: node))
        }
    }

    /// Some members at random, each at most once.
    private func chosen(_ random: inout some RandomNumberGenerator) -> [NodeID] {
        var nodes = alive
        let count = min(settings.fanOut, nodes.count)
        for index in 0..<count {
            nodes.swapAt(index, Int.random(in: index..<nodes.count, using: &random))
        }
        return Array(nodes[..<count])
    }

    /// Whether that member has, or was just sent, all that this process wrote.
    private func hasNews(_ node: NodeID, _ now: MonotonicInstant) -> Bool {
        let (peer, isThere) = findPeer(node)
        guard isThere else { return false }
        let isFresh =
            peers[peer].pushedAt.nanoseconds != .min
            && now < peers[peer].pushedAt.advanced(by: settings.pushTimeout)
        let (index, hasShared) = store.find(shared)
        let sharedVersion = hasShared ? store.writers[index].version : 0
        return max(peers[peer].own, isFresh ? peers[peer].pushedOwn : 0) >= version
            && max(peers[peer].shared, isFresh ? peers[peer].pushedShared : 0) >= sharedVersion
    }
}
