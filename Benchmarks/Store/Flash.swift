import BenchmarkKit
import Environment
import GatewayCore
import Glibc
import LogFormat
import Model
import RingLog
import Sinks
import TestKit

/// Hours of a gateway in minutes: its core on a clock of its own and a real file, fed as an MQTT broker feeds it, one
/// commit a second, with a sink that takes everything. Counts what is written.
struct Flash {
    let rate: Int
    let hours: Int

    private static let ringBytes = 64 << 20

    private struct Figures {
        let counts: MeteredDisk.Counts
        let readings: Int

        func perReading(_ bytes: Int) -> String { (Double(bytes) / Double(readings)).text(1) }
    }

    static func run(_ cases: [Flash]) throws {
        var report = Report(
            "flash",
            columns: [
                "what", "bytes per reading", "blocks", "merging", "headers, footers", "with zero-fill",
                "SQLite, same commits",
                "ratio",
            ])
        for flash in cases {
            let own = try flash.measure()
            let peer = try flash.measurePeer()
            let steady = Double(own.counts.steady) / Double(own.readings)
            report.add(
                "\(flash.rate) readings/s, \(flash.hours) h", steady.text(1), own.perReading(own.counts.blocks),
                own.perReading(own.counts.merged), own.perReading(own.counts.frames), own.perReading(own.counts.all),
                peer.text(1), (peer / steady).text(1))
        }
        report.note(
            "One commit a second. Everything that the daemon keeps in its ring is in it: readings, delivery marks, "
                + "counters and upload progress. \(Trace.statistics) Zero-fill is written once in the life "
                + "of a ring, as much as its size "
                + "(here \(ringBytes >> 20) MiB), as readings need the room.")
        try report.publish()
    }

    private func measure() throws -> Figures {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let disk = try MeteredDisk(path: folder + "/ring", size: Self.ringBytes)
        var site = try FlashSite(disk: disk)
        var trace = Trace(devices: rate)
        for second in 0..<hours * 3600 { try site.live(second, trace.next()) }
        guard site.stored == rate * hours * 3600 else {
            throw ChildFailure(description: "\(site.stored) of \(rate * hours * 3600) readings were stored")
        }
        return Figures(counts: disk.counts, readings: site.stored)
    }

    /// Bytes per reading.
    private func measurePeer() throws -> Double {
        let folder = try Files.makeFolder()
        defer { Files.remove(folder) }
        let peer = try SQLitePeer(path: folder + "/peer.db")
        var trace = Trace(devices: rate)
        let commits = min(hours * 3600, 1800)
        let before = try Usage(of: getpid())
        for _ in 0..<commits { try peer.commit(trace.next()) }
        return Double(try Usage(of: getpid()).since(before).bytesWritten) / Double(commits * rate)
    }
}

/// One gateway's core with everything around it done at once.
private struct FlashSite {
    private let disk: MeteredDisk
    private var core: GatewayCore
    private var now = MonotonicInstant(nanoseconds: 100_000_000_000)
    private var wake: MonotonicInstant?
    private var ticket: UInt64 = 0
    private var message: UInt16 = 0
    private(set) var stored = 0

    init(disk: MeteredDisk) throws {
        self.disk = disk
        var random = SeededRandom(seed: 1)
        var options = RingOptions()
        options.marksKept = 4 * 4096
        let ring = try RingLog.open(disk: disk, options: options, using: &random).ring
        core =
            GatewayCore.resume(
                ring: ring, disk: disk,
                sinks: [.init(name: "cloud", isRequired: true, settings: UploadSettings())],
                settings: GatewayCore.Settings(), random: random, now: now
            ).core
    }

    /// One second: what came in it is handed over at its end, as a link does whose window it is.
    mutating func live(_ second: Int, _ readings: [Reading]) throws {
        let end = MonotonicInstant(nanoseconds: Int64(101 + second) * 1_000_000_000)
        while let next = wake, next < end {
            wake = nil
            now = max(now, next)
            try step(.tick)
        }
        now = end
        ticket += 1
        let entries = readings.map { reading in
            message &+= 1
            return Entry([reading], mark: core.mark(broker: "local", message: message, hash: mixed(ticket, message)))
        }
        try step(.submitted(Submission(entries: entries, window: .zero, ticket: Ticket(ticket))))
    }

    private func mixed(_ first: UInt64, _ second: UInt16) -> UInt64 {
        var random = SeededRandom(seed: first << 16 | UInt64(second))
        return random.next()
    }

    private mutating func step(_ event: GatewayEvent) throws {
        var events = [event]
        while let event = events.popLast() {
            for directive in core.step(event, now: now) {
                switch directive {
                case .write(let plan): events.append(.written(plan.id, plan.perform(on: disk)))
                case .maintain(let plan): events.append(.maintained(plan.perform(on: disk)))
                case .tally(let plan): events.append(.tallied(plan.perform(on: disk)))
                case .send(let sink, let request, let source):
                    let devices = SendDevices(source.perform(on: disk).0)
                    events.append(.sent(sink: sink, request.id, .accepted, devices))
                case .stored(let readings): stored += readings.count
                case .wake(let moment): wake = moment
                case .work(let work): events.append(.worked(work.perform(on: disk)))
                case .settle, .datagram, .frame, .left, .keepKeys, .fluent, .brokers, .query: break
                case .report(let report):
                    guard report.severity != .error else { throw ChildFailure(description: report.text) }
                }
            }
        }
    }
}
