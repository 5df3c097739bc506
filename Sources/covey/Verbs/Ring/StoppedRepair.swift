import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog

/// `covey ring repair --data-dir`: the ring of a gateway that does not run, kept off it by the lock that a gateway takes.
struct StoppedRepair {
    private let path: String
    private let lock: InstanceLock
    private let disk: WatchedDisk
    private var repair: RingRepair
    private var random = SystemRandomNumberGenerator()
    private let began = ContinuousClock.now

    init(directory: String) throws(Failure) {
        let file = RingFile(directory: directory)
        path = file.path
        Progress.begin("opening \(path)")
        // What is no data directory gets no lock file, and no ring.
        let size = try Self.openDisk(path, readOnly: true).size
        guard size > 0 else { throw Failure(.wrongCall, "\(path) is empty: there is nothing to repair") }
        lock = try Self.lock(directory)
        disk = WatchedDisk(try Self.openDisk(path, readOnly: false))
        do {
            repair = try RingRepair(disk: disk, options: RingOptions(), using: &random)
        } catch {
            throw Failure(.notWell, "\(path): \(error.description)" + Self.hint(error))
        }
    }

    private static func openDisk(_ path: String, readOnly: Bool) throws(Failure) -> FileDisk {
        do {
            return try FileDisk(path: path, size: 0, readOnly: readOnly)
        } catch {
            throw Failure(.wrongCall, error.description + (readOnly ? "; is that a gateway's data_dir?" : ""))
        }
    }

    private static func lock(_ directory: String) throws(Failure) -> InstanceLock {
        do {
            let lock = try InstanceLock(directory: directory)
            lock.leave(toOwnerOf: directory + "/ring")
            return lock
        } catch {
            guard case .held = error else { throw Failure(.wrongCall, error.description) }
            throw Failure(.wrongCall, "a gateway runs on \(directory): ask it, without --data-dir, or stop it first")
        }
    }

    private static func hint(_ error: RingError) -> String {
        guard case .notARing = error else { return "" }
        return "; the next start of the gateway sets it aside and makes a new one"
    }

    /// Whether no reading is missing at the end.
    mutating func run() throws -> Bool {
        let output = Output()
        var findings = RingFindings(opening: repair.report.findings)
        for line in findings.opening { try output.line(line) }
        try readAll(&findings, output)
        try waitForTheRest(output)
        do {
            try repair.record(now: now, using: &random)
        } catch .ringFull {
            throw Failure(.notWell, "\(path): there is no room to write down what is gone; a gateway makes some")
        } catch {
            throw Failure(.notWell, error.description)
        }
        Progress.end()
        let missing = missing
        for line in summary(findings, missing) { try output.line(line) }
        try output.flush()
        return missing.isEmpty && repair.notGiven.isEmpty
    }

    private mutating func readAll(_ findings: inout RingFindings, _ output: Output) throws {
        disk.count()
        let plans = repair.ring.segmentChecks
        Progress.begin("reading \(plans.count) segments")
        for (index, plan) in plans.enumerated() {
            Progress.say {
                "\(index) of \(plans.count) segments read, \(grouped(findings.readings)) readings, "
                    + "\(grouped(repair.newlyLost)) of them found damaged"
            }
            let check: SegmentCheck
            do {
                check = try repair.look(at: plan, now: now)
            } catch {
                throw Failure(.notWell, error.message)
            }
            for line in findings.take(check, isLive: false) { try output.line(line) }
            Progress.tick()
        }
    }

    /// What the disk did not give may be there after all.
    private mutating func waitForTheRest(_ output: Output) throws {
        guard !repair.notGiven.isEmpty else { return }
        try output.flush()
        let end = now.advanced(by: RingRepair.patience)
        let count = repair.notGiven.count
        tell("the disk did not give something in \(count) segment\(count == 1 ? "" : "s"); asked for again in a minute")
        while now < end {
            Progress.say { "asking again in \(now.duration(to: end).components.seconds + 1) s" }
            usleep(Self.pause)
        }
        for loss in repair.lookAgain(now: now) {
            let (first, end) = (loss.range.lowerBound, loss.range.upperBound)
            try output.line(
                "\(first.distance(to: end)) readings of log \(loss.log) are not given, from offset \(first) on")
        }
    }

    private func summary(_ findings: RingFindings, _ missing: [MissingReadings]) -> [String] {
        var lines = [findings.extent]
        for segment in repair.mendedHeaders {
            lines.append("segment \(segment): the spoiled copy of its header was written anew")
        }
        if repair.newlyLost > 0 {
            lines.append(
                "written down: \(repair.newlyLost) reading\(repair.newlyLost == 1 ? " is" : "s are") gone; "
                    + "the next start knows it")
        }
        let back = repair.ring.logs.reduce(0) { sum, log in
            sum + repair.ring.returned(of: log.log).reduce(0) { $0 + $1.lowerBound.distance(to: $1.upperBound) }
        }
        if back > 0 { lines.append("\(back) readings that were damaged once can be read again") }
        let copies = repair.ring.copies.reduce(0) { $0 + Self.damaged($1.lost).reduce(0) { $0 + Self.count($1) } }
        if copies > 0 { lines.append(MissingReadings.copies(copies)) }
        if !repair.notGiven.isEmpty {
            lines.append("\(repair.notGiven.count) segments were not given by the disk: what is in them is not known")
        }
        lines += MissingReadings.lines(missing)
        if !missing.isEmpty {
            lines.append("once it runs, peers that hold copies bring them back: covey ring repair")
        }
        let written = ByteCount(Int64(repair.bytesWritten))
        lines.append(repair.bytesWritten == 0 ? "not a byte was written" : "\(written) were written")
        return lines
    }

    /// Of own logs, in whatever process they went.
    private var missing: [MissingReadings] {
        repair.ring.logs.flatMap { log in
            Self.damaged(repair.ring.gaps(of: log.log)).map {
                MissingReadings(
                    log: log.log.description, first: Int64(clamping: $0.range.lowerBound.rawValue),
                    count: Int64(Self.count($0)))
            }
        }
    }

    private static func damaged(_ gaps: [Gap]) -> [Gap] { gaps.filter { $0.reason == .damaged } }

    private static func count(_ gap: Gap) -> Int { gap.range.lowerBound.distance(to: gap.range.upperBound) }

    private var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: began.duration(to: .now).nanoseconds)
    }

    private static let pause: useconds_t = 200_000
}
