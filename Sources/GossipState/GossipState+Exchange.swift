// Pure.
import Environment
import Model

/// Anti-entropy: a root on every ping; where roots differ, sums by bucket (left out while one page holds all), pages of
/// versions, deltas.
extension GossipState {
    mutating func hear(
        _ bytes: [UInt8], from node: NodeID, _ now: MonotonicInstant, _ directives: inout [GossipDirective]
    ) {
        guard node != self.node else { return }
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard let root = try? reader.fixed(UInt64.self) else {
            statistics.malformed += 1
            return
        }
        guard let peer = openPeer(node) else { return }
        if root == store.root {
            peers[peer].fruitless = 0
            if newsCount >= GossipLimits.crowd { dropNews() }
            return
        }
        if let until = peers[peer].inFlightUntil, now < until { return }
        // One that knows nothing yet does not wait for its turn.
        let isNewcomer = store.writers.count <= 2
        guard peers[peer].nextExchange <= now, nextExchange <= now || isNewcomer else { return }
        exchange(with: peer, now, &directives)
    }

    /// Begins an exchange.
    mutating func exchange(with peer: Int, _ now: MonotonicInstant, _ directives: inout [GossipDirective]) {
        statistics.exchanges += 1
        peers[peer].inFlightUntil = now.advanced(by: settings.exchangeTimeout)
        pace(peer, now)
        nextExchange = now.advanced(by: gapBetweenExchanges)
        let pages = pages(of: 0...UInt64.max)
        let node = peers[peer].node
        if pages.count == 1 {
            directives.append(.datagram(pages[0], to: node))
        } else {
            directives.append(.datagram(GossipWire.encode(.summary(life, buckets: store.buckets)), to: node))
        }
    }

    /// No exchange with that peer for a while, twice as long while they bring nothing, as when pushes bring it all or
    /// there is no room.
    private mutating func pace(_ peer: Int, _ now: MonotonicInstant) {
        let wait = settings.exchangeEvery * (max(1, bits / 2) << min(peers[peer].fruitless, 1))
        peers[peer].nextExchange = now.advanced(by: wait)
        peers[peer].fruitless += 1
    }

    /// The binary logarithm of the number of members, rounded up.
    var bits: Int { Int.bitWidth - alive.count.leadingZeroBitCount }

    /// Between two exchanges with whomsoever: nothing for up to 7 others, whose paces bound it well enough.
    private var gapBetweenExchanges: Duration { bits <= 3 ? .zero : .milliseconds(500 * bits) }

    /// Pages for all writers with tags in that range, each a datagram; one without lines where there are none.
    private func pages(of tags: ClosedRange<UInt64>) -> [[UInt8]] {
        var pages: [[UInt8]] = []
        var lines: [Known] = []
        var size = 0
        var first = tags.lowerBound
        var index = store.firstWriter(from: first)
        let room = GossipLimits.datagramBytes - GossipWire.messageHeaderBytes - 16
        while index < store.writers.count, store.writers[index].tag <= tags.upperBound {
            let record = store.writers[index]
            let line = record.line
            let bytes = GossipWire.size(line)
            // Writers with one tag stay together, as a page stands for all tags in its range.
            if size + bytes > room, let last = lines.last, last.writer.tag < record.tag {
                pages.append(GossipWire.encode(.page(life, tags: first...(record.tag - 1), lines)))
                first = record.tag
                lines = []
                size = 0
            }
            lines.append(line)
            size += bytes
            index += 1
        }
        pages.append(GossipWire.encode(.page(life, tags: first...tags.upperBound, lines)))
        return pages
    }

    mutating func answer(
        summary: [UInt64], _ peer: Int, _ now: MonotonicInstant, _ directives: inout [GossipDirective]
    ) {
        pace(peer, now)
        let width = 64 - GossipLimits.buckets.trailingZeroBitCount
        for bucket in 0..<GossipLimits.buckets where summary[bucket] != store.buckets[bucket] {
            let first = UInt64(bucket) << UInt64(width)
            for page in pages(of: first...(first | (1 << UInt64(width) - 1))) {
                directives.append(.datagram(page, to: peers[peer].node))
            }
        }
    }

    /// Sends what the peer lacks, and asks for what it has more.
    mutating func answer(
        page lines: [Known], _ tags: ClosedRange<UInt64>, _ peer: Int, _ now: MonotonicInstant,
        _ directives: inout [GossipDirective]
    ) {
        if peers[peer].inFlightUntil == nil { pace(peer, now) }
        let lines = lines.filter { tags.contains($0.writer.tag) }.sorted { $0.writer.tag < $1.writer.tag }
        let node = peers[peer].node
        var wants: [Known] = []
        for line in lines {
            guard let index = admit(line.writer, now, &directives) else { continue }
            let record = store.writers[index]
            if record.id != own, record.version < line.version { wants.append(record.line) }
        }
        let needs = needs(of: lines, tags)
        // While writes are missing on either side, ends may come with them: a value is not to vanish before the one that replaces it.
        let isEven =
            !wants.contains(where: \.writer.isShared) && !needs.contains { store.writers[$0.index].id.isShared }
        for line in lines where isEven || !line.writer.isShared {
            let (index, isThere) = store.find(line.writer)
            guard isThere else { continue }
            let record = store.writers[index]
            if store.lacksEnds(index, line) { list(index, to: node, &directives) }
            let isOther = line.version == record.version && line.alive != record.alive
            if isOther, record.id != own { wants.append(record.line) }
        }
        if wants.isEmpty { peers[peer].inFlightUntil = nil }
        if wants.isEmpty || !needs.isEmpty { send(needs, .answers, to: node, &directives) }
        for part in parts(wants) { directives.append(.datagram(GossipWire.encode(.wants(life, part)), to: node)) }
    }

    /// Says which entries of a stream stand.
    private func list(_ index: Int, to node: NodeID, _ directives: inout [GossipDirective]) {
        let parts = store.listings(index, room: GossipLimits.datagramBytes - GossipWire.messageHeaderBytes)
        if parts.count == 1 {
            directives.append(.datagram(GossipWire.encode(.alive(life, parts)), to: node))
            return
        }
        for part in store.listings(index, room: GossipLimits.frameBytes - GossipWire.messageHeaderBytes) {
            directives.append(.frame(GossipWire.encode(.alive(life, [part])), to: node))
        }
    }

    /// What a peer lacks that knows just these writers among all with those tags.
    private func needs(of lines: [Known], _ tags: ClosedRange<UInt64>) -> [StateStore.Need] {
        var needs: [StateStore.Need] = []
        var next = 0
        var index = store.firstWriter(from: tags.lowerBound)
        while index < store.writers.count, store.writers[index].tag <= tags.upperBound {
            let record = store.writers[index]
            while next < lines.count, lines[next].writer.tag < record.tag { next += 1 }
            let line = lines[next...].prefix { $0.writer.tag == record.tag }.first { $0.writer == record.id }
            if let need = store.need(index, version: line?.version ?? 0) {
                needs.append(need)
            } else if line == nil, record.version == 0 {
                needs.append(StateStore.Need(index: index, from: 0, upTo: 0))
            }
            index += 1
        }
        return needs
    }

    mutating func answer(wants lines: [Known], _ peer: Int, _ directives: inout [GossipDirective]) {
        var needs: [StateStore.Need] = []
        for line in lines {
            let (index, isThere) = store.find(line.writer)
            guard isThere else { continue }
            if store.lacksEnds(index, line) { list(index, to: peers[peer].node, &directives) }
            if let need = store.need(index, version: line.version) { needs.append(need) }
        }
        let isOurs = needs.contains { store.writers[$0.index].id.node == node }
        send(needs, isOurs ? [.answers, .wantsAck] : .answers, to: peers[peer].node, &directives)
    }

    /// Lines of which each part fits a datagram.
    private func parts(_ lines: [Known]) -> [[Known]] {
        let room = GossipLimits.datagramBytes - GossipWire.messageHeaderBytes
        var parts: [[Known]] = []
        var size = room
        for line in lines {
            let bytes = GossipWire.size(line)
            if size + bytes > room {
                parts.append([])
                size = 0
            }
            parts[parts.count - 1].append(line)
            size += bytes
        }
        return parts
    }

    /// Sends deltas: a few datagrams, or one frame where they would not do. Without needs just the word that there is
    /// none.
    func send(
        _ needs: [StateStore.Need], _ flags: DeltaFlags, to node: NodeID, _ directives: inout [GossipDirective]
    ) {
        let limit = settings.deltaDatagrams * (GossipLimits.datagramBytes / 2)
        var cost = 0
        for need in needs where cost <= limit { cost += store.cost(need, limit: limit) }
        if cost <= limit, let datagrams = deltas(needs, flags, most: GossipLimits.datagramBytes) {
            for datagram in datagrams { directives.append(.datagram(datagram, to: node)) }
        } else if let frames = deltas(needs, flags, most: GossipLimits.frameBytes), let frame = frames.first {
            directives.append(.frame(frame, to: node))
        }
    }

    /// Messages of at most `most` bytes with all needs, or with one frame of them. `nil` where one fits no
    /// datagram.
    private func deltas(_ needs: [StateStore.Need], _ flags: DeltaFlags, most: Int) -> [[UInt8]]? {
        let room = most - GossipWire.messageHeaderBytes
        var messages: [[UInt8]] = []
        var sections: [UInt8] = []
        var left = needs[...]
        while let need = left.first {
            let mayCut = sections.isEmpty && most == GossipLimits.frameBytes
            if let (bytes, rest) = store.section(need, room: room - sections.count, mayCut: mayCut) {
                sections += bytes
                left = left.dropFirst()
                if rest == nil { continue }
            } else if sections.isEmpty {
                return nil
            }
            if most == GossipLimits.frameBytes {
                return [GossipWire.delta(life, flags.union(.hasMore), sections: sections)]
            }
            messages.append(GossipWire.delta(life, flags, sections: sections))
            sections = []
        }
        messages.append(GossipWire.delta(life, flags, sections: sections))
        return messages
    }
}
