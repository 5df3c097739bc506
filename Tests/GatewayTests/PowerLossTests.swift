import Environment
import FoundationEssentials
import Glibc
import LogFormat
import Model
import Replication
import RingLog
import Simulator
import TestKit
import Testing

@Suite("A gateway whose power is cut", .serialized)
struct PowerLossTests {
    /// `COVEY_DAEMON_IMAGES=100000` starts on more.
    private static let images = getenv("COVEY_DAEMON_IMAGES").flatMap { Int(String(cString: $0)) } ?? 200

    @Test(
        "Whatever a power cut leaves of the ring of the real program, every message that the broker was told to forget is in it"
    )
    func keepsWhatWasAcknowledged() async throws {
        let site = try await Site(window: "200 ms")
        let load = Load(site: site, publishers: 2)
        var deeds: [DiskDeeds.Deed] = []
        for life in 0..<2 {
            let output = site.directory + "/strace-\(life).log"
            try await site.start(under: DiskDeeds.command(output: output))
            try await load.run(count: 3000, rate: 1000)
            if life == 0 {
                await site.kill()
            } else {
                await site.receiver.waitForReadings(load.acknowledged)
                #expect(await site.terminate() == .exited(0))
            }
            deeds += try DiskDeeds(
                contentsOf: output, ring: site.directory + "/data/ring", brokerPort: site.broker.port
            ).deeds
        }
        let record = try DaemonRecord(deeds, size: 32 << 20)
        #expect(record.values.count == load.acknowledged)
        #expect(record.acknowledged > load.acknowledged / 2)
        var kit = PowerLoss()
        kit.wanted = Self.images
        kit.variety = 4
        kit.replay(record.trace, record.truth, name: "covey run")
        for failure in kit.tally.failures { Issue.record("moment \(failure.moment): \(failure.failure)") }
        #expect(kit.tally.distinct >= Self.images && kit.tally.continued > 0 && kit.tally.resumed > 0)
        print(
            "covey run: \(record.trace.writes) writes, \(record.trace.syncs) syncs, \(kit.tally.distinct) distinct images"
        )
        await site.end()
    }
}

/// A recorded life of the real program, with what it told its broker, as the kit takes it.
private struct DaemonRecord {
    private(set) var trace: DiskTrace
    private(set) var truth = DiskTruth()
    /// Where each value that was ever published lies.
    private(set) var values: [String: (log: LogID, offset: Offset)] = [:]
    private(set) var acknowledged = 0

    init(_ deeds: [DiskDeeds.Deed], size: Int) throws {
        let options = RingOptions()
        let disk = SimulatedDisk(size: size)
        for case .write(let position, let bytes) in deeds { try disk.write(bytes, at: position) }
        var random = SeededRandom(seed: 1)
        // What the last moment shows is what there ever was: nothing is evicted in so short a life.
        let ring = try RingLog.open(disk: disk, options: options, using: &random).ring
        var ends: [LogID: Offset] = [:]
        for log in ring.logs {
            let found = ring.readPlan(log: log.log, range: .zero..<log.end, limit: .max).perform(on: disk)
            #expect(found.damage.isEmpty && found.readings.count == Int(log.end.rawValue))
            truth.note(log.log, found.readings.map(\.reading))
            ends[log.log] = log.end
            for stored in found.readings {
                guard case .number(let number) = stored.reading.value else { continue }
                values["\(stored.reading.series.device) \(Int(number))"] = (log.log, stored.offset)
            }
        }
        trace = DiskTrace(size: size, options: options)
        var held = ends.mapValues { _ in [Range<Offset>]() }
        trace.append(.promise(Self.promise(held, ends)))
        var isPromised = true
        for deed in deeds {
            if case .acknowledged = deed {
                isPromised = false
            } else if !isPromised {
                isPromised = true
                trace.append(.promise(Self.promise(held, ends)))
            }
            switch deed {
            case .write(let position, let bytes): trace.append(.write(position: position, bytes: bytes))
            case .sync: trace.append(.sync)
            case .acknowledged(let device, let text):
                acknowledged += 1
                let place = try #require(values["\(device) \(text)"], "\(device) \(text) is acknowledged and nowhere")
                var ranges = OffsetRanges(held[place.log] ?? [])
                ranges.insert(place.offset..<place.offset.advanced(by: 1))
                held[place.log] = ranges.ranges
            }
        }
    }

    private static func promise(_ held: [LogID: [Range<Offset>]], _ ends: [LogID: Offset]) -> DiskPromise {
        var promise = DiskPromise()
        promise.isAboutRecords = false
        for log in ends.keys.sorted() {
            promise.logs.append(
                DiskPromise.Log(log: log, isOwn: true, held: held[log] ?? [], end: ends[log] ?? .zero))
        }
        return promise
    }
}
