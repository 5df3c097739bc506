import Environment
import GatewayCore
import Model
import RingLog

/// Where planted bugs tamper: nothing here happens without one.
extension World {
    func has(_ bug: PlantedBug) -> Bool { options.bug == bug }

    /// One of so many opportunities, the same in every run.
    func isTurn(_ every: Int) -> Bool {
        tampered += 1
        return tampered.isMultiple(of: every)
    }

    /// What a gateway has read, as a gateway with a planted bug has.
    func tamper(read readings: [StoredReading]) -> [StoredReading] {
        guard let last = readings.last, isTurn(5) else { return readings }
        let reading = last.reading
        switch options.bug {
        case .alteredReading:
            let stamp = Stamp(
                boot: reading.stamp.boot, uptime: Microseconds(reading.stamp.uptime.rawValue + 1),
                wallOffset: reading.stamp.wallOffset, isTrusted: reading.stamp.isTrusted)
            let other = Reading(series: reading.series, stamp: stamp, value: reading.value)
            return readings.dropLast() + [StoredReading(log: last.log, offset: last.offset, reading: other)]
        case .rottenBlock:
            let other = Reading(series: reading.series, stamp: reading.stamp, value: .number(1e12))
            return readings.dropLast() + [StoredReading(log: last.log, offset: last.offset, reading: other)]
        case .skippedReading: return readings.dropLast()
        default: return readings
        }
    }

    /// A message between gateways, as it comes through a network with a planted bug; `nil` where it never does.
    func tamper(message bytes: [UInt8], from sender: Int, to receiver: Int) -> [UInt8]? {
        guard let bug = options.bug, let kind = bytes.first.map({ $0 & 0x0F }) else { return bytes }
        switch bug {
        case .deafMember where isHealed && receiver == 0: return nil
        case .lostCopies where kind == 3: return nil
        case .secretUploads where kind == 2 && healedAt > 0: return nil
        case .raisedIncarnation where kind == 1: return raisedIncarnation(in: bytes, for: receiver)
        case .forgedMember where kind == 1 && isTurn(3): return forgedMember(in: bytes)
        case .divergingReplica where kind == 2 && receiver == 0 && bytes.count > 60 && isTurn(4):
            var altered = bytes
            altered[bytes.count - 1] ^= 1
            return altered
        default: return bytes
        }
    }

    /// Where a node id stands in a record about somebody, behind the head that names who sends and who is meant.
    private func place(of node: NodeID, in bytes: [UInt8]) -> Int? {
        var pattern: [UInt8] = []
        pattern.append(fixed: node.high)
        pattern.append(fixed: node.low)
        guard bytes.count > Self.headBytes + pattern.count + 9 else { return nil }
        return (Self.headBytes..<bytes.count - pattern.count - 9).last { start in
            bytes[start] == pattern[0] && bytes[start..<start + pattern.count].elementsEqual(pattern)
        }
    }

    /// Of membership's messages: kind twice, the sender's node and start, the receiver's start.
    private static let headBytes = 34

    /// Behind a node id lie 8 bytes of its start id, then its incarnation.
    private func raisedIncarnation(in bytes: [UInt8], for receiver: Int) -> [UInt8] {
        for other in gateways where other.index != receiver {
            guard let node = other.lastNode, let start = place(of: node, in: bytes), bytes[start + 24] < 100 else {
                continue
            }
            var altered = bytes
            altered[start + 24] += 7
            return altered
        }
        return bytes
    }

    private func forgedMember(in bytes: [UInt8]) -> [UInt8] {
        for other in gateways {
            guard let node = other.lastNode, let start = place(of: node, in: bytes) else { continue }
            var altered = bytes
            altered[start] ^= 0x55
            return altered
        }
        return bytes
    }
}
