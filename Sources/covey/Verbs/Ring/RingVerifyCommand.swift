import ArgumentParser
import Environment
import Glibc
import LogFormat
import Model
import RingLog

struct RingVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read every block of a ring, and say what is damaged. Exits with 1 where anything is.",
        discussion: """
            Checks every checksum and the chain of blocks, and decodes every reading. It writes nothing, holds one segment of 4 MiB \
            in memory, and may read the file of a running gateway.
            """)

    @OptionGroup var ring: RingFileOptions

    func validate() throws {
        if ring.file == nil {
            throw ValidationError(
                "--data-dir DIR (or --ring FILE) names the ring; that of a running gateway can be read, too")
        }
    }

    func run() throws {
        guard let file = ring.file else { return }
        defer { Progress.end() }
        let stopped = try StoppedRing(file)
        let isInUse = file.isInUse
        if isInUse {
            tell("a gateway runs on it: what changed while it was read is not taken for damage, nor looked at")
        }
        var findings = RingFindings(opening: try Self.opening(stopped, file, isInUse: isInUse))
        let output = Output()
        for line in findings.opening { try output.line(line) }
        // What lies in memory says nothing about the card.
        stopped.disk.dropCache()
        stopped.disk.count()
        let plans = stopped.ring.segmentChecks
        Progress.begin("reading \(plans.count) segments")
        for (index, plan) in plans.enumerated() {
            Progress.say {
                "\(index) of \(plans.count) segments read, \(grouped(findings.readings)) readings, "
                    + "\(findings.places) damaged places"
            }
            var check = plan.perform(on: stopped.disk)
            if check.isDamaged, isInUse {
                usleep(Self.pause)
                check = check.confirmed(by: plan.perform(on: stopped.disk))
            }
            for line in findings.take(check, isLive: isInUse) { try output.line(line) }
            Progress.tick()
        }
        Progress.end()
        for line in findings.summary(stopped.ring.inventory) { try output.line(line) }
        try output.flush()
        if findings.isDamaged { throw ExitCode(Failure.Code.notWell.rawValue) }
    }

    /// What opening it found; of a running gateway's ring what a second opening finds as well.
    private static func opening(
        _ stopped: StoppedRing, _ file: RingFile, isInUse: Bool
    ) throws -> [RecoveryReport.Finding] {
        guard isInUse, !stopped.seen.findings.isEmpty else { return stopped.seen.findings }
        usleep(pause)
        let again = try StoppedRing(file).seen.findings
        return stopped.seen.findings.filter(again.contains)
    }

    /// Before a second look at what a running gateway may have been writing: a commit takes less on any card that works.
    private static let pause: useconds_t = 1_000_000
}

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

    func summary(_ inventory: RingInventory) -> [String] {
        let known = inventory.logs.flatMap(\.gaps).filter { $0.reason == .damaged }
            .reduce(0) { $0 + $1.range.lowerBound.distance(to: $1.range.upperBound) }
        var lines = [
            "\(segments) segments, \(used) of them in use: \(blocks) blocks with \(readings) readings were read"
        ]
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
