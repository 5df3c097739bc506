import ControlAPI
import Environment
import GatewayCore
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import Synchronization

/// Where a ring lies that is read without a daemon.
struct RingFile {
    /// The data directory of a gateway; `nil` for a file that was set aside, or copied.
    let directory: String?
    let path: String

    init(directory: String) {
        self.directory = directory
        path = directory + "/ring"
    }

    init(path: String) {
        directory = nil
        self.path = path
    }

    /// Whether a gateway holds the lock of its data directory. Asking changes nothing.
    var isInUse: Bool {
        guard let directory else { return false }
        let descriptor = open(directory + "/lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}

/// The ring of a gateway that does not run, read without changing a byte of it.
struct StoppedRing {
    let ring: RingLog
    let disk: WatchedDisk
    let node: String
    let gateway: String
    let seen: RecoveryReport
    let file: RingFile
    /// Whether copies of other gateways' readings are told, too.
    private let withCopies: Bool
    private let formerNodes: [LogID: NodeID]
    private let series = SeenSeries()

    init(_ file: RingFile, withCopies: Bool = false) throws(Failure) {
        let path = file.path
        Progress.begin("opening \(path)")
        do {
            disk = WatchedDisk(try FileDisk(path: path, size: 0, readOnly: true))
        } catch {
            let question = file.directory.map { "; is \($0) a gateway's data_dir?" } ?? ""
            throw Failure(.wrongCall, error.description + question)
        }
        do {
            (ring, seen) = try RingLog.openReadOnly(disk: disk, options: RingOptions())
        } catch {
            throw Failure(.notWell, "\(path): \(error.description)")
        }
        node = GatewayCore.keptNode(in: ring)?.description ?? ""
        gateway = GatewayCore.keptName(in: ring) ?? ""
        formerNodes = GatewayCore.formerNodes(in: ring)
        self.file = file
        self.withCopies = withCopies
    }

    /// Says that the answer may lack what is being written.
    func tellIfInUse() {
        guard let directory = file.directory, file.isInUse else { return }
        tell("a gateway runs on \(directory): what it is writing now may be missing here; ask it without --data-dir")
    }

    /// Tells the person beside the readings what is missing.
    func read(_ request: QueryRequest, begin: () throws -> Void, _ line: (ArraySlice<UInt8>) throws -> Void) throws {
        tellIfInUse()
        // What the ring's own recovery has to say.
        seen.sentences.forEach(tell)
        try begin()
        disk.count()
        if let limit = request.limit {
            if limit > QueryResult.newestReadings {
                tell("no more than the newest \(QueryResult.newestReadings) readings are told")
            }
            let result = perform(
                request, from: request.since, newestFirst: true, limit: min(limit, QueryResult.newestReadings))
            for reading in result.readings.reversed() { try line(json(reading)) }
            return report(result)
        }
        var pager = QueryPager(from: request.since)
        while !pager.isDone {
            let result = perform(request, from: pager.from, newestFirst: false, limit: pager.limit)
            for reading in pager.take(result) { try line(json(reading)) }
            report(result)
        }
    }

    private func perform(_ request: QueryRequest, from: Milliseconds?, newestFirst: Bool, limit: Int) -> QueryResult {
        ring.queryPlan(from: from, to: request.until, newestFirst: newestFirst, limit: limit, copies: withCopies)
            .perform(on: disk) { found in
                series.note(found)
                return request.globs.isEmpty || request.globs.contains { $0.matches(found) }
            }
    }

    private func report(_ result: QueryResult) {
        for note in result.notes { tell(note) }
    }

    /// In the form of the contract.
    private func json(_ reading: TimedReading) -> ArraySlice<UInt8> {
        let stored = reading.stored.reading
        let isUnsynced = !reading.isTrusted && stored.quality == .good
        let item = NativeBatch.Item(
            offset: reading.stored.offset, series: stored.series, time: reading.time, value: stored.value,
            quality: isUnsynced ? .clockUnsynced : stored.quality, deviceTime: stored.deviceTime)
        let owner = owner(of: reading.stored.log)
        var json = JSONWriter(reserving: 256)
        json.object { json in
            item.write(to: &json)
            let names = [("gateway", owner.gateway), ("node", owner.node), ("log", reading.stored.log.description)]
            for (name, text) in names {
                json.key(name)
                json.string(text)
            }
        }
        return json.bytes[...]
    }

    /// Whose a log is. A ring knows the ids of other gateways, not their names; and of a copy that damage left without a name, nothing.
    func owner(of log: LogID) -> (node: String, gateway: String) {
        if ring.isCopy(log) {
            guard let owner = ring.owner(ofCopy: log)?.description else { return ("", "") }
            return (owner, owner == node ? gateway : "")
        }
        return (formerNodes[log]?.description ?? node, gateway)
    }
}

extension StoppedRing: ReadingSource {
    /// Those of the range that was read.
    func names() -> KnownNames { KnownNames(series: series.all) }

    func isAlone() -> Bool { true }

    func oldest() -> Milliseconds? { ring.statistics.oldest }

    func progress(_ printer: any ReadingConsumer, _ request: QueryRequest, now: Milliseconds) -> String {
        disk.progress
    }
}

/// The series that a query came by, wanted or not.
private final class SeenSeries: Sendable {
    private let seen = Mutex<Set<Series>>([])

    var all: Set<Series> { seen.withLock { $0 } }

    func note(_ series: Series) {
        seen.withLock { seen in
            if seen.count < Limits.series { seen.insert(series) }
        }
    }
}

/// A disk that tells the person how much of it has been read.
struct WatchedDisk: Disk {
    private final class Seen: Sendable {
        let segments = Mutex<Set<Int>>([])
    }

    private let disk: FileDisk
    private let seen = Seen()

    init(_ disk: FileDisk) {
        self.disk = disk
    }

    var size: Int { disk.size }

    var progress: String {
        let all = size / Geometry.standard.segmentBytes
        return "\(seen.segments.withLock { $0.count }) of \(all) segments read"
    }

    /// Begins anew.
    func count() { seen.segments.withLock { $0.removeAll() } }

    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] {
        seen.segments.withLock { _ = $0.insert(position / Geometry.standard.segmentBytes) }
        Progress.say { progress }
        return try disk.read(at: position, count: count)
    }

    func write(_ bytes: [UInt8], at position: Int) throws(DiskError) { try disk.write(bytes, at: position) }

    func dropCache() { disk.dropCache() }
    func sync() throws(DiskError) { try disk.sync() }
}
