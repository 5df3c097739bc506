import Environment
import GossipState
import LogFormat
package import Model
import Replication
import RingLog
import Sinks

/// How a gateway says that it is.
package struct PeerHealth: Hashable, Sendable {
    /// Its disk takes readings.
    package var isDurable = true
    /// Readings of its own logs that some required sink lacks.
    package var pending: UInt64 = 0
    /// Readings on its disk, copies included.
    package var held: UInt64 = 0
    /// Readings that are neither settled nor held as often as they should be, as far as it knows.
    package var underReplicated: UInt64 = 0

    package init() {}

    /// | field | form |
    /// |---|---|
    /// | flags | one byte; bit 0: durable |
    /// | pending, held, under-replicated | varint each |
    /// | more | ignored: fields of later versions |
    var bytes: [UInt8] {
        var bytes: [UInt8] = [isDurable ? 1 : 0]
        for count in [pending, held, underReplicated] { bytes.append(varint: count) }
        return bytes
    }

    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard let flags = try? reader.byte(), let pending = try? reader.varint(), let held = try? reader.varint(),
            let underReplicated = try? reader.varint()
        else { return nil }
        isDurable = flags & 1 != 0
        self.pending = pending
        self.held = held
        self.underReplicated = underReplicated
    }
}

/// The newest value of a series as peers know it.
package struct PeerValue: Hashable, Sendable {
    package let series: Series
    package let time: Milliseconds
    package let value: Value
    package let quality: Quality

    /// | field | form |
    /// |---|---|
    /// | device, metric | text each |
    /// | unit | 0, or 1 and text |
    /// | time | signed varint, milliseconds of Unix time |
    /// | quality | one byte |
    /// | value | 0 and 8 bytes of a number, 1 and a byte, or 2 and text |
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(text: series.device.rawValue)
        bytes.append(text: series.metric)
        bytes.append(series.unit == nil ? 0 : 1)
        if let unit = series.unit { bytes.append(text: unit) }
        bytes.append(signed: time.rawValue)
        bytes.append(quality.rawValue)
        switch value {
        case .number(let number):
            bytes.append(0)
            bytes.append(fixed: number.bitPattern)
        case .flag(let flag): bytes.append(contentsOf: [1, flag ? 1 : 0])
        case .text(let text):
            bytes.append(2)
            bytes.append(text: text)
        }
        return bytes
    }

    init(_ stored: StoredReading, at time: Milliseconds) {
        series = stored.reading.series
        self.time = time
        value = stored.reading.value
        quality = stored.reading.quality
    }

    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes, 0..<bytes.count)
        guard let read = try? Self.read(&reader) else { return nil }
        self = read
    }

    private init(series: Series, time: Milliseconds, value: Value, quality: Quality) {
        self.series = series
        self.time = time
        self.value = value
        self.quality = quality
    }

    private static func read(_ reader: inout ByteReader) throws(FormatError) -> PeerValue {
        let device = try reader.text(limit: Limits.deviceNameBytes, "device")
        let metric = try reader.text(limit: Limits.metricNameBytes, "metric")
        let unit = try reader.byte() == 0 ? nil : try reader.text(limit: Limits.unitBytes, "unit")
        let time = Milliseconds(try reader.signed())
        guard let quality = Quality(rawValue: try reader.byte()) else { throw .invalid("quality") }
        let value: Value
        switch try reader.byte() {
        case 0: value = .number(Double(bitPattern: try reader.fixed(UInt64.self)))
        case 1: value = .flag(try reader.byte() != 0)
        case 2: value = .text(try reader.text(limit: Limits.textValueBytes, "text"))
        default: throw .invalid("value")
        }
        let series = Series(device: DeviceID(device), metric: metric, unit: unit)
        return PeerValue(series: series, time: time, value: value, quality: quality)
    }
}

/// What a gateway tells of itself for people to see anywhere in the covey: unhurried, and bounded however much it measures.
struct Bulletin: Sendable {
    /// Series whose newest value peers do not have; in the order of their change.
    private var stale: [Series] = []
    private var isStale: Set<Series> = []
    private var devices: Set<DeviceID> = []
    private(set) var due: MonotonicInstant?

    static let interval = Duration.seconds(10)
    /// Values told at a time: some 60 bytes each.
    static let values = 16
    /// Series that are told of at all; the others are found by a query.
    static let mostSeries = 256
    /// Devices that are told of; a gateway seldom has more.
    static let mostDevices = 512

    mutating func note(_ readings: [StoredReading], now: MonotonicInstant) {
        for stored in readings {
            let series = stored.reading.series
            guard stale.count < Self.mostSeries, isStale.insert(series).inserted else { continue }
            stale.append(series)
        }
        if due == nil { due = now.advanced(by: Self.interval) }
    }

    /// What is due to be told now.
    mutating func take(now: MonotonicInstant) -> [Series]? {
        guard let due, due <= now else { return nil }
        let taken = Array(stale.prefix(Self.values))
        stale.removeFirst(taken.count)
        for series in taken { isStale.remove(series) }
        self.due = stale.isEmpty ? nil : now.advanced(by: Self.interval)
        return taken
    }

    /// Whether peers have not heard of the device, and may.
    mutating func isNew(_ device: DeviceID) -> Bool {
        guard devices.count < Self.mostDevices else { return false }
        return devices.insert(device).inserted
    }
}

extension GatewayCore {
    /// Tells peers of devices, newest values and health, now and then.
    mutating func publishNews(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster?.hasBegun ?? false, let stale = cluster?.bulletin.take(now: now) else { return }
        for series in stale {
            guard let stored = latest.reading(of: series) else { continue }
            if cluster?.bulletin.isNew(series.device) ?? false {
                let name = StateName(ClusterSpace.devices, Self.key(of: series.device.rawValue))
                publish(Array(series.device.rawValue.utf8), as: name, now: now, &directives)
            }
            let value = PeerValue(stored, at: ring.time(of: stored.reading.stamp).time)
            let name = StateName(ClusterSpace.latest, Self.key(of: series.description + "\n" + (series.unit ?? "")))
            publish(value.bytes, as: name, now: now, &directives)
        }
        var health = PeerHealth()
        health.isDurable = !isMemoryOnly
        health.pending = sinks.filter(\.isRequired).map { $0.machine.counts.pending }.max() ?? 0
        health.held = UInt64(ring.statistics.readingsHeld)
        health.underReplicated = cluster?.replicator.underReplicated.readings ?? 0
        publish(health.bytes, as: StateName(ClusterSpace.health, [0]), now: now, &directives)
    }

    /// 8 bytes: names are longer than keys may be.
    private static func key(of text: String) -> [UInt8] {
        var key: [UInt8] = []
        key.append(fixed: text.stableHash)
        return key
    }

    /// How a peer said last that it is.
    package func health(of node: NodeID) -> PeerHealth? {
        cluster?.gossip.own(node, StateName(ClusterSpace.health, [0])).flatMap { PeerHealth($0) }
    }

    /// The devices of every gateway of the covey, this one included, ascending by gateway and name.
    package var coveyDevices: [(node: NodeID, device: DeviceID)] {
        let entries = cluster?.gossip.ownEntries(ClusterSpace.devices) ?? []
        return entries.map { (node: $0.node, device: DeviceID(String(decoding: $0.value, as: UTF8.self))) }
            .sorted { ($0.node, $0.device) < ($1.node, $1.device) }
    }

    /// The newest values that every gateway of the covey told of, ascending by gateway and series.
    package var coveyValues: [(node: NodeID, value: PeerValue)] {
        let entries = cluster?.gossip.ownEntries(ClusterSpace.latest) ?? []
        return entries.compactMap { entry in PeerValue(entry.value).map { (node: entry.node, value: $0) } }
            .sorted { ($0.node, $0.value.series) < ($1.node, $1.value.series) }
    }
}
