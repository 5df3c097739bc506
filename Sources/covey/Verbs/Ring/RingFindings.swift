import LogFormat
import Model
import RingLog

/// What was found wrong with a ring, in words.
struct RingFindings {
    /// What opening it found, as far as reading all of it does not find it as well.
    let opening: [String]
    private(set) var readings = 0
    private(set) var places = 0
    private var segments = 0
    private var used = 0
    private var blocks = 0
    private var reused = 0
    private var lost = 0

    init(opening found: [RecoveryReport.Finding]) {
        opening = found.filter(Self.isOfOpeningAlone).map(\.sentence)
        places = opening.count
    }

    var isDamaged: Bool { places > 0 }

    private static func isOfOpeningAlone(_ finding: RecoveryReport.Finding) -> Bool {
        switch finding {
        case .segmentMoved, .segmentCopied, .foreignSegment, .truncated, .readingsLost, .syncFailed: true
        default: false
        }
    }

    /// The lines of one segment.
    mutating func take(_ check: SegmentCheck, isLive: Bool) -> [String] {
        segments += 1
        guard !check.wasReused else {
            reused += 1
            return []
        }
        used += check.isUsed ? 1 : 0
        blocks += check.blocks
        readings += check.readings
        places += check.isDamaged ? max(check.faults.count, 1) : 0
        var lines = check.faults.map { fault in
            "segment \(check.segment)" + (fault.unit.map { ", unit \($0)" } ?? "") + ": \(fault.what)"
        }
        for loss in check.losses {
            let count = loss.range.lowerBound.distance(to: loss.range.upperBound)
            lost += count
            lines.append(
                "segment \(check.segment): \(count) readings of log \(loss.log) cannot be read, from offset "
                    + "\(loss.range.lowerBound) on")
        }
        // A running gateway may be writing just that.
        if let unit = check.tornTail, !isLive {
            lines.append(
                "segment \(check.segment), unit \(unit): the last write was cut off; nobody was told that it was stored, "
                    + "so this is no damage")
        }
        return lines
    }

    /// What was read.
    var extent: String {
        "\(segments) segments, \(used) of them in use: \(blocks) blocks with \(readings) readings were read"
    }

    func summary(_ inventory: RingInventory) -> [String] {
        let known = inventory.logs.flatMap(\.gaps).filter { $0.reason == .damaged }
            .reduce(0) { $0 + $1.range.lowerBound.distance(to: $1.range.upperBound) }
        var lines = [extent]
        if reused > 0 { lines.append("\(reused) segments were used anew meanwhile, and not read") }
        let all = known + lost
        if isDamaged {
            lines.append("damaged: \(places) place\(places == 1 ? "" : "s"), \(all) reading\(all == 1 ? "" : "s") lost")
        } else {
            if all > 0 { lines.append("\(all) readings were lost to damage before: covey ring info") }
            lines.append("nothing is damaged")
        }
        return lines
    }
}
