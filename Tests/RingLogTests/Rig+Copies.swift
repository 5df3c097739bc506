import LogFormat
import Model
import RingLog
import Testing

let peer = NodeID(high: 70, low: 71)
let otherPeer = NodeID(high: 80, low: 81)
let peerLog = LogName(node: peer, log: LogID(0xAAAA))
let otherLog = LogName(node: otherPeer, log: LogID(0xBBBB))

/// What another gateway's log holds at an offset: the same whoever asks, and different everywhere.
func peerReading(_ name: LogName, _ offset: UInt64) -> Reading {
    let mixed = (name.log.rawValue &* 0x9E37_79B9 &+ offset) &* 0xBF58_476D_1CE4_E5B9
    let value: Value
    switch mixed >> 60 {
    case 0: value = .flag(mixed & 1 == 1)
    case 1: value = .text(String(mixed & 0xFFFF, radix: 16))
    default: value = .number(Double(Int64(mixed >> 48)) / 100)
    }
    return Reading(
        series: Series(device: DeviceID("p\(name.log.rawValue % 7)-\(offset % 5)"), metric: "value"),
        // A clock that wavers by less than a millisecond: copies must not be steadied.
        stamp: Stamp(
            boot: BootID(high: name.node.high, low: 5), uptime: Microseconds(Int64(offset) * 1000),
            wallOffset: Microseconds(wallBase + Int64(offset % 3)), isTrusted: offset % 11 != 0),
        value: value, quality: offset % 13 == 0 ? .stale : .good,
        deviceTime: offset % 4 == 0 ? Milliseconds(Int64(offset)) : nil)
}

func peerReadings(_ name: LogName, _ range: Range<UInt64>) -> [Reading] { range.map { peerReading(name, $0) } }

func offsets(_ range: Range<UInt64>) -> Range<Offset> { Offset(range.lowerBound)..<Offset(range.upperBound) }

extension Rig {
    @discardableResult
    func store(_ name: LogName, _ range: Range<UInt64>, anchors: [ClockAnchor] = []) throws -> [Range<Offset>] {
        let taken = try ring.store(
            name, first: Offset(range.lowerBound), readings: peerReadings(name, range), anchors: anchors)
        offered[name, default: []].formUnion(range)
        return taken
    }

    /// Takes the range out of what is promised; `false` where the log is no copy.
    func lose(_ log: LogID, _ range: Range<Offset>) -> Bool {
        guard let name = offered.keys.first(where: { $0.log == log }) else { return false }
        copied[name]?.subtract(range.lowerBound.rawValue..<range.upperBound.rawValue)
        return true
    }

    /// What is read back of a log, wherever it has holes.
    func readCopy(_ log: LogID) -> [StoredReading] {
        ring.ranges(of: log).flatMap { range in
            var found: [StoredReading] = []
            var next = range.lowerBound
            while next < range.upperBound {
                let result = ring.readPlan(log: log, range: next..<range.upperBound, limit: 700).perform(on: disk)
                #expect(result.damage.isEmpty && !result.overwritten && result.failure == nil, "\(result.damage)")
                found += result.readings
                guard result.next > next else { break }
                next = result.next
            }
            return found
        }
    }

    /// Everything that was reported copied is read back bit for bit; nothing is held that was never offered; no hole is a gap.
    func checkCopies() {
        for name in offered.keys.sorted() {
            let promised = copied[name] ?? []
            guard let copy = ring.copiedLog(name.log) else {
                #expect(promised.isEmpty, "\(name) is forgotten with \(promised.count) readings")
                continue
            }
            #expect(copy.name == name)
            let found = readCopy(name.log)
            let held = Set(found.map { $0.offset.rawValue })
            #expect(held.count == found.count && copy.stored == held.count)
            #expect(promised.isSubset(of: held), "\(name) lacks \(promised.subtracting(held).sorted().prefix(5))")
            #expect(held.isSubset(of: offered[name] ?? []))
            let isSame = found.allSatisfy { $0.reading == peerReading(name, $0.offset.rawValue) }
            #expect(isSame, "\(name) is not what was given")
            for gap in copy.lost {
                let lost = gap.range.lowerBound.rawValue..<gap.range.upperBound.rawValue
                #expect(held.isDisjoint(with: lost) && (offered[name] ?? []).isSuperset(of: lost), "\(gap)")
            }
            #expect(!ring.logs.contains { $0.log == name.log })
        }
    }
}
