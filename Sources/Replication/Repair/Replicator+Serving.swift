import Environment
import Model

/// A read for a peer that is being done.
struct PeerRead: Sendable {
    let id: ReadID
    let fetch: FetchID
    let peer: NodeID
    let log: LogName
    let range: Range<Offset>
}

/// Gives peers what they ask for.
extension Replicator {
    mutating func serve(
        _ id: FetchID, _ log: LogName, _ range: Range<Offset>, to peer: NodeID,
        _ directives: inout [ReplicationDirective]
    ) {
        var ofPeer = 0
        for read in reads where read.peer == peer {
            if read.fetch == id { return }
            ofPeer += 1
        }
        let mine = logs[log]?.mine.intersection(range) ?? OffsetRanges()
        guard !mine.isEmpty else {
            let answer = ReplicationFrame.answer(id, covered: range, missing: OffsetRanges(range), bytes: [])
            return directives.append(.frame(answer.encoded, to: peer))
        }
        guard ofPeer < ReplicatorLimits.readsPerPeer, reads.count < ReplicatorLimits.reads else {
            counts.turnedAway += 1
            return directives.append(.frame(ReplicationFrame.busy(id).encoded, to: peer))
        }
        let read = PeerRead(
            id: ReadID(nextRead), fetch: id, peer: peer, log: log, range: range.lowerBound..<mine.end)
        nextRead += 1
        reads.append(read)
        directives.append(.read(read.id, log, read.range, limit: ReplicatorLimits.chunkBytes))
    }

    mutating func serve(_ id: ReadID, _ outcome: ChunkOutcome, _ directives: inout [ReplicationDirective]) {
        guard let index = reads.firstIndex(where: { $0.id == id }) else { return }
        let read = reads.remove(at: index)
        guard case .chunk(var covered, var missing, let bytes) = outcome, bytes.count <= ReplicatorLimits.chunkBytes
        else { return directives.append(.frame(ReplicationFrame.busy(read.fetch).encoded, to: read.peer)) }
        if missing.ranges.count > ReplicatorLimits.ranges {
            // What does not fit is not spoken of.
            covered = covered.lowerBound..<missing.ranges[ReplicatorLimits.ranges].lowerBound
            missing = missing.intersection(covered)
        }
        if !bytes.isEmpty {
            counts.servedChunks += 1
            counts.servedBytes += UInt64(bytes.count)
        }
        let answer = ReplicationFrame.answer(read.fetch, covered: covered, missing: missing, bytes: bytes)
        directives.append(.frame(answer.encoded, to: read.peer))
    }
}
