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
