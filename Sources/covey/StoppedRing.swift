import ControlAPI
import Environment
import GatewayCore
import Glibc
import Model
import Posix
import RingLog

/// The ring of a gateway that does not run, read without changing a byte of it.
struct StoppedRing {
    private let ring: RingLog
    private let disk: FileDisk
    private let node: String
    private let gateway: String
    private let seen: RecoveryReport

    init(directory: String) throws(Failure) {
        let path = directory + "/ring"
        do {
            disk = try FileDisk(path: path, size: 0, readOnly: true)
        } catch {
            throw Failure(.wrongCall, "\(error.description); is \(directory) a gateway's data_dir?")
        }
        do {
            (ring, seen) = try RingLog.openReadOnly(disk: disk, options: RingOptions())
        } catch {
            throw Failure(.notWell, "\(path): \(error.description)")
        }
        node = GatewayCore.keptNode(in: ring)?.description ?? ""
        gateway = GatewayCore.keptName(in: ring) ?? ""
        if Self.isInUse(directory) {
            tell(
                "a gateway runs on \(directory): what it is writing now may be missing here; ask it without --data-dir")
        }
    }

    /// What the ring's own recovery has to say, a sentence each.
    var findings: [String] { seen.sentences }

    /// Calls `line` with the JSON of each reading asked for, oldest first, and tells the person what is missing.
    func read(_ request: QueryRequest, _ line: (ArraySlice<UInt8>) throws -> Void) throws {
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
        ring.queryPlan(from: from, to: request.until, newestFirst: newestFirst, limit: limit).perform(on: disk) {
            series in
            request.globs.isEmpty || request.globs.contains { $0.matches(series) }
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
        var json = JSONWriter(reserving: 256)
        json.object { json in
            item.write(to: &json)
            for (name, text) in [("gateway", gateway), ("node", node), ("log", reading.stored.log.description)] {
                json.key(name)
                json.string(text)
            }
        }
        return json.bytes[...]
    }

    /// Whether a gateway holds the lock of its data directory. Asking changes nothing.
    private static func isInUse(_ directory: String) -> Bool {
        let descriptor = open(directory + "/lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
