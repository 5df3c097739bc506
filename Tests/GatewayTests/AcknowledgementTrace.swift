/// What a gateway's system calls say about the one rule of its ingest: a message that the broker gave is acknowledged after the commit that
/// holds it.
struct AcknowledgementTrace {
    struct Commit {
        /// Of the ring, by number: where its blocks were written.
        let segments: Set<Int>
        /// The line where its first write began.
        let began: Int
        let sync: StraceLog.Call

        var isDurable: Bool { sync.result == 0 }
    }

    struct Acknowledgement {
        let message: Int
        /// The line where the broker's message was read to its end; `nil` where it never was.
        let received: Int?
        let call: StraceLog.Call
    }

    private(set) var commits: [Commit] = []
    /// Zeros at the end of a segment, which only show whether the disk answers again.
    private(set) var probes: [Commit] = []
    private(set) var acknowledgements: [Acknowledgement] = []
    /// The lines where something was read from the sink.
    private(set) var receipts: [Int] = []

    private static let segmentBytes = 4 << 20

    init(_ log: StraceLog, ring: String, brokerPort: Int, sinkPort: Int) {
        var writes: [StraceLog.Call] = []
        var incoming: [String: PacketStream] = [:]
        var outgoing: [String: PacketStream] = [:]
        var received: [String: [Int: Int]] = [:]
        for call in log.calls {
            if call.target == ring {
                switch call.name {
                case "pwrite64": writes.append(call)
                case "fdatasync":
                    let made = Commit(
                        segments: Set(writes.compactMap { $0.position.map { $0 / Self.segmentBytes } }),
                        began: writes.first?.firstLine ?? call.firstLine, sync: call)
                    if Self.isProbe(writes) { probes.append(made) } else { commits.append(made) }
                    writes.removeAll()
                default: break
                }
            } else if call.target.hasSuffix("->127.0.0.1:\(sinkPort)]"), call.result > 0, call.name.hasPrefix("re") {
                receipts.append(call.lastLine)
            } else if call.target.hasSuffix("->127.0.0.1:\(brokerPort)]"), call.result > 0 {
                let bytes = Array(call.bytes.prefix(call.result))
                if call.name.hasPrefix("re") {
                    if call.arguments.contains("MSG_PEEK") { continue }
                    for packet in incoming[call.target, default: PacketStream()].take(bytes) {
                        if let id = packet.publishedID { received[call.target, default: [:]][id] = call.lastLine }
                    }
                } else {
                    for packet in outgoing[call.target, default: PacketStream()].take(bytes) {
                        guard let id = packet.acknowledgedID else { continue }
                        acknowledgements.append(
                            Acknowledgement(message: id, received: received[call.target]?[id], call: call))
                    }
                }
            }
        }
    }

    private static func isProbe(_ writes: [StraceLog.Call]) -> Bool {
        guard writes.count == 1, let write = writes.first, let position = write.position else { return false }
        return position % segmentBytes == segmentBytes - 4096 && write.bytes.allSatisfy { $0 == 0 }
    }

    /// Acknowledgements that left before a commit which began after their message had come was durable.
    var early: [Acknowledgement] {
        acknowledgements.filter { acknowledgement in
            guard let received = acknowledgement.received else { return true }
            return !commits.contains {
                $0.isDurable && $0.began > received && $0.sync.lastLine < acknowledgement.call.firstLine
            }
        }
    }

    /// Those among the early ones before which nothing came from the sink either.
    var unfounded: [Acknowledgement] {
        early.filter { acknowledgement in
            guard let received = acknowledgement.received else { return true }
            return !receipts.contains { $0 > received && $0 < acknowledgement.call.firstLine }
        }
    }

    var failed: [Commit] { commits.filter { !$0.isDurable } }

    /// Commits that wrote to a segment in which one had failed before.
    var intoFailedSegments: [Commit] {
        var bad: Set<Int> = []
        return commits.filter { commit in
            defer { if !commit.isDurable { bad.formUnion(commit.segments) } }
            return !bad.isDisjoint(with: commit.segments)
        }
    }
}

/// MQTT packets out of the pieces in which a connection carries them.
private struct PacketStream {
    struct Packet {
        let head: UInt8
        let body: ArraySlice<UInt8>

        /// The id of a PUBLISH that wants to be acknowledged.
        var publishedID: Int? {
            guard head & 0xF6 == 0x32, body.count >= 2 else { return nil }
            let topic = Int(body[body.startIndex]) << 8 | Int(body[body.startIndex + 1])
            return id(at: 2 + topic)
        }

        var acknowledgedID: Int? { head == 0x40 ? id(at: 0) : nil }

        private func id(at place: Int) -> Int? {
            guard body.count >= place + 2 else { return nil }
            return Int(body[body.startIndex + place]) << 8 | Int(body[body.startIndex + place + 1])
        }
    }

    private var rest: [UInt8] = []

    mutating func take(_ bytes: [UInt8]) -> [Packet] {
        rest += bytes
        var packets: [Packet] = []
        while let (packet, count) = first() {
            packets.append(packet)
            rest.removeFirst(count)
        }
        return packets
    }

    private func first() -> (Packet, count: Int)? {
        guard let head = rest.first else { return nil }
        var length = 0
        for (index, byte) in rest.dropFirst().prefix(4).enumerated() {
            length |= Int(byte & 0x7F) << (7 * index)
            guard byte & 0x80 == 0 else { continue }
            let start = 2 + index
            guard rest.count >= start + length else { return nil }
            return (Packet(head: head, body: rest[start..<(start + length)]), start + length)
        }
        return nil
    }
}
