import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator

@testable import GatewayCore

/// A core over a simulated disk that does everything at once, for small scenarios.
final class Bench {
    var disk: SimulatedDisk
    var core: GatewayCore
    var now = MonotonicInstant(nanoseconds: 0)
    let options: RingOptions
    var setups: [GatewayCore.SinkSetup]
    var settings = GatewayCore.Settings()
    var random = SeededRandom(seed: 7)
    var boot = BootID(high: 0, low: 1)
    /// Plans wait in ``writes`` where this is set.
    var holdsWrites = false
    var writes: [WritePlan] = []
    var sends: [(sink: Int, request: SendRequest, source: SendSource)] = []
    var settled: [Ticket] = []
    var stored: [StoredReading] = []
    var wake: MonotonicInstant?

    init(
        segments: Int = 12, sinks: [String] = ["cloud"], required: Bool = true,
        settings: GatewayCore.Settings = GatewayCore.Settings(), geometry: Geometry? = nil
    ) throws {
        self.settings = settings
        var options = RingOptions()
        options.geometry = geometry ?? Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)
        options.pendingBytes = 64 << 10
        options.backgroundBytes = 32 << 10
        if settings.downsampleWindow != nil { options.retention = .downsample }
        self.options = options
        setups = sinks.map { Self.setup($0, required: required) }
        disk = SimulatedDisk(size: segments * options.geometry.segmentBytes)
        let opened = try RingLog.open(disk: disk, options: options, using: &random)
        core =
            GatewayCore.resume(
                ring: opened.ring, disk: disk, sinks: setups, settings: settings, random: random, now: now
            ).core
    }

    static func setup(_ name: String, required: Bool = true) -> GatewayCore.SinkSetup {
        var settings = UploadSettings()
        settings.chunkReadings = 16
        return GatewayCore.SinkSetup(name: name, isRequired: required, settings: settings)
    }

    /// A new process on `disk`.
    func restart(on disk: SimulatedDisk) throws {
        self.disk = disk
        writes = []
        sends = []
        let opened = try RingLog.open(disk: disk, options: options, using: &random)
        let resumed = GatewayCore.resume(
            ring: opened.ring, disk: disk, sinks: setups, settings: settings,
            random: SeededRandom(seed: random.next()), boot: boot, now: now)
        core = resumed.core
        act(resumed.directives)
    }

    func step(_ event: GatewayEvent) { act(core.step(event, now: now)) }

    private func act(_ directives: [GatewayDirective]) {
        // What is read is answered when all else that was asked for is done.
        var works: [ReaderWork] = []
        for directive in directives {
            switch directive {
            case .write(let plan): writes.append(plan)
            case .maintain(let plan): step(.maintained(plan.perform(on: disk)))
            case .tally(let plan): step(.tallied(plan.perform(on: disk)))
            case .settle(let tickets): settled += tickets
            case .stored(let readings): stored += readings
            case .send(let sink, let request, let source): sends.append((sink, request, source))
            case .wake(let moment): wake = moment
            case .work(let work): works.append(work)
            case .report, .datagram, .frame, .left, .keepKeys, .fluent, .brokers, .query: break
            }
        }
        while !holdsWrites, !writes.isEmpty { write() }
        for work in works { step(.worked(work.perform(on: disk))) }
    }

    /// Performs the plan that waits.
    func write() {
        guard !writes.isEmpty else { return }
        let plan = writes.removeFirst()
        step(.written(plan.id, plan.perform(on: disk)))
    }

    /// Moves time, stopping wherever the core asked to be woken.
    func advance(by duration: Duration) {
        let end = now.advanced(by: duration)
        var wakes = 0
        while let next = wake, next <= end, wakes < 10_000 {
            wake = nil
            wakes += 1
            now = max(now, next)
            step(.tick)
        }
        now = end
    }

    /// The sinks take all that is sent to them, in order; returns what they got.
    @discardableResult
    func deliver(_ outcome: SendOutcome = .accepted) -> [StoredReading] {
        var got: [StoredReading] = []
        while !sends.isEmpty {
            let (sink, request, source) = sends.removeFirst()
            let (readings, result) = source.perform(on: disk)
            guard readings.count == request.range.lowerBound.distance(to: request.range.upperBound) else {
                step(
                    .unreadable(sink: sink, request.id, request.log, missing: result.gaps, damage: result.damage))
                continue
            }
            if outcome == .accepted { got += readings }
            step(.sent(sink: sink, request.id, outcome, SendDevices(readings)))
        }
        return got
    }

    func readings(_ count: Int, of device: String = "d", trusted: Bool = true) -> [Reading] {
        (0..<count).map { index in
            Reading(
                series: Series(device: DeviceID(device), metric: "t"),
                stamp: Stamp(
                    boot: boot, uptime: Microseconds(now.nanoseconds / 1000 + Int64(index)),
                    wallOffset: Microseconds(trusted ? 1_763_700_000_000_000 : 0), isTrusted: trusted),
                value: .number(Double(index)))
        }
    }

    /// Readings that no encoding makes small.
    func noise(_ count: Int, of device: String = "d") -> [Reading] {
        readings(count, of: device).map { reading in
            Reading(
                series: reading.series, stamp: reading.stamp,
                value: .number(Double.random(in: 0..<1, using: &random)))
        }
    }

    func submit(_ readings: [Reading], ticket: UInt64? = nil, mark: DeliveryMark? = nil) {
        step(
            .submitted(
                Submission(
                    entries: readings.isEmpty ? [] : [Entry(readings, mark: mark)], window: .zero,
                    ticket: ticket.map { Ticket($0) })))
    }

    /// All that the ring holds, log by log.
    func held() -> [StoredReading] {
        core.ring.logs.flatMap { log in
            log.end == .zero
                ? []
                : core.ring.readPlan(log: log.log, range: .zero..<log.end, limit: 100_000).perform(on: disk).readings
        }
    }
}

/// One reading's place, by which a sink removes doubles.
struct Key: Hashable {
    let log: LogID
    let offset: UInt64

    init(_ log: LogID, _ offset: UInt64) {
        self.log = log
        self.offset = offset
    }

    init(_ stored: StoredReading) { self.init(stored.log, stored.offset.rawValue) }
}
