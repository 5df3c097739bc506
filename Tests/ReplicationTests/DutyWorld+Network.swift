import Environment
import Model
import Sinks

@testable import Replication

/// Gossip, copies, sinks and time.
extension DutyWorld {
    mutating func put(_ index: Int, _ fact: WorldFact, _ bytes: [UInt8]) {
        nodes[index].version += 1
        keep(
            index, WorldName(writer: nodes[index].id, fact: fact),
            WorldEntry(version: nodes[index].version, bytes: bytes))
    }

    private mutating func keep(_ index: Int, _ name: WorldName, _ entry: WorldEntry) {
        nodes[index].store[name] = entry
        nodes[index].changes.append(name)
    }

    /// One node learns all that another knows, and the other learns that it does.
    mutating func sync(_ index: Int, from other: Int) {
        let changes = nodes[other].changes
        let from = nodes[index].seen[nodes[other].id] ?? 0
        guard from != changes.count else { return }
        nodes[index].seen[nodes[other].id] = changes.count
        for name in changes[min(from, changes.count)...] {
            guard let entry = nodes[other].store[name], entry.version > nodes[index].store[name]?.version ?? 0 else {
                continue
            }
            keep(index, name, entry)
            learn(index, name, entry.bytes)
        }
        step(other, .acknowledged(nodes[index].id, version: nodes[other].version))
    }

    private mutating func learn(_ index: Int, _ name: WorldName, _ bytes: [UInt8]) {
        do throws(FormatError) {
            switch name.fact {
            case .sinks: step(index, .sinks(of: name.writer, try SinkStatus.decode(bytes)))
            case .uploads(let key): step(index, .uploads(of: name.writer, key, try UploadClaim(bytes: bytes)))
            case .holdings(let log):
                var reader = ByteReader(bytes, 0..<bytes.count)
                step(index, .peerHolds(name.writer, log, try OffsetRanges(from: &reader, limit: 16)))
            }
        } catch { fail("\(error)") }
    }

    /// One node copies some of what another holds.
    private mutating func copy(_ index: Int, from other: Int) {
        for log in nodes[other].held.keys.sorted() where Int.random(in: 0..<3, using: &random) > 0 {
            guard let theirs = nodes[other].held[log] else { continue }
            let missing = theirs.subtracting(nodes[index].held[log] ?? OffsetRanges())
            guard let range = missing.ranges.randomElement(using: &random) else { continue }
            let most = UInt64.random(in: 1...60, using: &random)
            let end = min(range.upperBound.rawValue, range.lowerBound.rawValue + most)
            hold(index, log, range.lowerBound..<Offset(end))
        }
    }

    func reaches(_ index: Int, _ sink: Int) -> Bool { !blocked.contains([index, sink]) }

    mutating func take(_ sink: Int, _ request: SendRequest) {
        var has = taken[key(sink, request.log)] ?? []
        let end = Int(request.range.upperBound.rawValue)
        if has.count < end { has += Array(repeating: 0, count: end - has.count) }
        for offset in Int(request.range.lowerBound.rawValue)..<end { has[offset] &+= 1 }
        taken[key(sink, request.log)] = has
    }

    private mutating func finishSends(_ index: Int) {
        while let place = nodes[index].sends.firstIndex(where: { $0.at <= now }) {
            let send = nodes[index].sends.remove(at: place)
            let isTaken = reaches(index, send.sink)
            if isTaken { take(send.sink, send.request) }
            upload(
                index, send.sink,
                .sendFinished(send.request.id, isTaken ? .accepted : .unavailable(reason: "no way", retryAfter: nil)))
        }
    }

    private mutating func answerDigests(_ index: Int) {
        while let place = nodes[index].digests.firstIndex(where: { $0.at <= now }) {
            let asked = nodes[index].digests.remove(at: place)
            let isHeld = nodes[index].held[asked.log]?.contains(asked.range) ?? false
            step(index, .digested(asked.log, asked.range, isHeld ? digest(asked.range) : nil))
        }
    }

    /// 50 ms of everything but faults.
    mutating func advance(isReading: Bool) {
        now = now.advanced(by: .milliseconds(50))
        while let place = memberships.firstIndex(where: { $0.at <= now }) {
            let index = memberships.remove(at: place).node
            let others = nodes.indices.filter { $0 != index }
            let alive = others.filter { isConnected(index, $0) }.map { nodes[$0].id }
            if nodes[index].isUp { step(index, .members(alive: alive, known: others.map { nodes[$0].id })) }
        }
        while let place = restarts.firstIndex(where: { $0.at <= now }) { start(restarts.remove(at: place).node) }
        for index in nodes.indices where nodes[index].isUp {
            finishSends(index)
            answerDigests(index)
            for sink in sinks.indices {
                if let wake = nodes[index].uploadWakes[sink], wake <= now {
                    nodes[index].uploadWakes[sink] = nil
                    upload(index, sink, .tick)
                }
            }
            if let wake = nodes[index].wake, wake <= now {
                nodes[index].wake = nil
                step(index, .tick)
            }
            if isReading, let log = nodes[index].current, Int.random(in: 0..<10, using: &random) == 0 {
                let low = nodes[index].held[log]?.end ?? .zero
                let end = low.advanced(by: Int.random(in: 1...20, using: &random))
                for sink in sinks.indices { upload(index, sink, .extended(log.log, end: end, ready: end)) }
                hold(index, log, low..<end)
            }
            for other in nodes.indices where isConnected(index, other) && knows(index, other) && knows(other, index) {
                if Int.random(in: 0..<4, using: &random) == 0 { sync(index, from: other) }
                if Int.random(in: 0..<8, using: &random) == 0 { copy(index, from: other) }
            }
        }
    }

    /// Gossip and copies go between members alone.
    private func knows(_ index: Int, _ other: Int) -> Bool { nodes[index].roster.alive.contains(nodes[other].id) }

    /// A fault now and then.
    mutating func hurt(partitions: Bool) {
        let victim = Int.random(in: 0..<nodes.count, using: &random)
        switch Int.random(in: 0..<600, using: &random) {
        case 0..<2 where nodes[victim].isUp && nodes.count(where: \.isUp) > 1:
            crash(victim)
            let seconds = Int.random(in: 1..<25, using: &random)
            restarts.append((now.advanced(by: .seconds(seconds)), victim))
        case 2..<6: blocked.insert([victim, Int.random(in: 0..<2, using: &random)])
        case 6..<14: blocked = []
        case 14..<16 where partitions:
            for index in groups.indices { groups[index] = Int.random(in: 0..<2, using: &random) }
            noticeMembers()
        case 16..<19 where partitions:
            groups = Array(repeating: 0, count: nodes.count)
            noticeMembers()
        default: break
        }
    }

    mutating func heal() {
        blocked = []
        groups = Array(repeating: 0, count: nodes.count)
        for index in restarts.map(\.node) { start(index) }
        restarts = []
        noticeMembers()
    }

    /// Logs times sinks on which more than one gateway says to work.
    var contested: [UploadKey] {
        var contested: [UploadKey] = []
        for log in logs.values.sorted() {
            for sink in sinks where nodes.count(where: { $0.isUp && $0.roster.isWorking(sink, log) }) > 1 {
                contested.append(UploadKey(sink: sink, log: log))
            }
        }
        return contested
    }

    /// Readings that some disk holds and the sink has not, or that not every gateway knows to be there.
    func missing(_ sink: Int, _ log: LogName) -> OffsetRanges {
        var all = OffsetRanges()
        for node in nodes { all.formUnion(node.held[log] ?? OffsetRanges()) }
        for node in nodes where !(node.roster.proved(sinks[sink], log).contains(all)) { return all }
        let has = taken[UploadKey(sink: sinks[sink], log: log)] ?? []
        for (offset, count) in has.enumerated() where count > 0 {
            all.remove(Offset(UInt64(offset))..<Offset(UInt64(offset) + 1))
        }
        return all
    }

    func doubles(_ key: UploadKey) -> Int { (taken[key] ?? []).reduce(0) { $0 + max(Int($1) - 1, 0) } }
}
