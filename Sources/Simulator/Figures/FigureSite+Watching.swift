import Environment
import GatewayCore
import LogFormat
import Membership
import Model
import Replication
import RingLog
import Sinks

/// A gateway that lost its power, and when the others learned of it.
struct FigureKill {
    let victim: Int
    let node: NodeID
    let at: Int64
    /// The first that any other held it for suspect.
    var suspectAt: Int64?
    /// When each gateway held it for dead.
    var deadAt: [Int: Int64] = [:]
    /// The first send of a log of the dead one by another, and by whom.
    var takenOver: (by: Int, at: Int64)?
    /// The logs that it wrote.
    var logs: [LogID] = []
}

/// Readings whose copies are awaited, in the order of one log for each gateway.
struct FreshReadings {
    struct Waiting {
        let gateway: Int
        let log: LogID
        let offset: Offset
        let handedOver: Int64
        var missing: [Int]
    }

    /// When a reading was handed over, by its value.
    var handedOver: [Double: Int64] = [:]
    var waiting: [Waiting] = []
    /// Nanoseconds from hand-over to the last holder's disk.
    var ages: [Int64] = []
}

/// Single readings that some gateways' sources hand over, at intervals drawn up to twice the mean.
struct FigureFeed {
    var gateways: [Int]
    var window: Duration
    var interval: Int64
    var until: Int64
    var next = 0.0
}

/// The sink of all.
struct FigureSink {
    static let id = SinkID(1)
    static let setup = GatewayCore.SinkSetup(name: "sink", isRequired: true, settings: UploadSettings())

    var isAway = false
    /// How often each reading came, by log.
    var arrivals: [LogID: [UInt8]] = [:]
    var readings = 0
    var doubles = 0
}

extension FigureSite {
    // MARK: Deaths

    func watchKill(from index: Int) {
        guard let watched = kill, index != watched.victim, watched.deadAt[index] == nil,
            let state = gateways[index].core?.cluster?.membership.member(watched.node)?.state
        else { return }
        switch state {
        case .alive: break
        case .suspect: if watched.suspectAt == nil { kill?.suspectAt = time }
        default: kill?.deadAt[index] = time
        }
    }

    // MARK: Copies

    func noteStored(_ readings: [StoredReading], at index: Int) {
        guard fresh != nil, let core = gateways[index].core, let cluster = core.cluster else { return }
        for stored in readings {
            guard case .number(let value) = stored.reading.value,
                let handedOver = fresh?.handedOver.removeValue(forKey: value)
            else { continue }
            let name = LogName(node: cluster.node, log: stored.log)
            let holders = cluster.replicator.placement(of: name).compactMap { self.index(of: $0) }
            fresh?.waiting.append(
                FreshReadings.Waiting(
                    gateway: index, log: stored.log, offset: stored.offset, handedOver: handedOver,
                    missing: holders.filter { $0 != index }))
        }
    }

    func watchCopies(at index: Int) {
        guard let waiting = fresh?.waiting, let ring = gateways[index].core?.ring else { return }
        var isAnyDone = false
        for place in waiting.indices where waiting[place].missing.contains(index) {
            let ranges = ring.ranges(of: waiting[place].log)
            guard ranges.contains(where: { $0.contains(waiting[place].offset) }) else { continue }
            fresh?.waiting[place].missing.removeAll { $0 == index }
            guard fresh?.waiting[place].missing.isEmpty ?? false else { continue }
            fresh?.ages.append(time - waiting[place].handedOver)
            isAnyDone = true
        }
        if isAnyDone { fresh?.waiting.removeAll { $0.missing.isEmpty } }
    }

    // MARK: Sources

    func begin(_ feed: FigureFeed) {
        self.feed = feed
        for gateway in feed.gateways {
            let first = random.draw(0, feed.interval)
            heap.push(.submission(gateway: gateway), at: time + first)
        }
    }

    func submit(at index: Int) {
        guard let feed, time < feed.until else { return }
        let pause = random.draw(0, 2 * feed.interval)
        heap.push(.submission(gateway: index), at: time + pause)
        guard gateways[index].core != nil else { return }
        self.feed?.next += 1
        fresh?.handedOver[feed.next + 1] = time
        submit([feed.next + 1], at: index, window: feed.window)
    }

    /// One reading for each value, each its own message.
    func submit(_ values: [Double], at index: Int, window: Duration) {
        let stamp = gateways[index].clock.stamp(time, jitter: 0)
        let entries = values.enumerated().map { place, value in
            let series = Series(device: DeviceID("g\(index)-d\(place % 4)"), metric: "temperature", unit: "°C")
            return Entry([Reading(series: series, stamp: stamp, value: .number(value))])
        }
        step(index, .submitted(Submission(entries: entries, window: window)))
    }

    // MARK: Sink

    func noteSend(_ request: SendRequest, from index: Int) {
        guard let kill, kill.takenOver == nil, index != kill.victim, kill.logs.contains(request.log) else { return }
        self.kill?.takenOver = (index, time)
    }

    func read(_ request: SendRequest, _ source: SendSource, of index: Int) {
        let (readings, result) = source.perform(on: gateways[index].disk)
        guard readings.count == request.range.lowerBound.distance(to: request.range.upperBound) else {
            return step(
                index, .unreadable(sink: 0, request.id, request.log, missing: result.gaps, damage: result.damage))
        }
        let shipment = FigureShipment(
            gateway: index, life: gateways[index].life, request: request, readings: readings)
        heap.push(.arrival(shipment), at: time + conditions.sinkAnswer)
    }

    func arrive(_ shipment: FigureShipment) {
        var outcome = SendOutcome.unavailable(reason: "connection refused", retryAfter: nil)
        if !sink.isAway {
            outcome = .accepted
            for reading in shipment.readings { keep(reading) }
        }
        deliver(
            .sent(sink: 0, shipment.request.id, outcome, SendDevices(shipment.readings)), to: shipment.gateway,
            life: shipment.life)
    }

    private func keep(_ reading: StoredReading) {
        let place = Int(reading.offset.rawValue)
        var counts = sink.arrivals.removeValue(forKey: reading.log) ?? []
        while counts.count <= place { counts.append(0) }
        if counts[place] == 0 { sink.readings += 1 } else { sink.doubles += 1 }
        counts[place] &+= 1
        sink.arrivals[reading.log] = counts
    }
}
