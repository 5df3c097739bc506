import TOMLConfiguration
import Devices
import Environment
import GatewayCore
import LogFormat
import MQTTLink
import Model
import RingLog
import Synchronization

/// Takes what one broker's link has read: finds the devices, lets them decode, and hands all of it to the core as one submission. Returns
/// when it is durable, which is what lets the link acknowledge.
actor BrokerFeed {
    private let broker: String
    private var routes: [Route]
    private var router: TopicRouter
    private let roster: DeviceRoster
    private let directory: DeviceDirectory
    private let gateway: GatewayActor
    private let clock: any Environment.Clock
    /// Topics below this are our own announcements, which a wide filter would bring back to us.
    private let ownTopics: String
    private let discovered: @Sendable (Discovery.Find) -> Void
    private let log: LimitedLog
    private let sessionWasLost = Atomic(false)
    private var isDelivering = false
    private var waitingForEnd: [CheckedContinuation<Void, Never>] = []

    /// One configured device of this broker.
    struct Route: Sendable, Equatable {
        let topic: TopicRoute
        let decoder: any Decoder
        let device: DeviceConfiguration

        /// A decoder follows from the device's configuration.
        static func == (left: Route, right: Route) -> Bool { left.device == right.device }
    }

    init(
        broker: String, routes: [Route], roster: DeviceRoster, directory: DeviceDirectory, gateway: GatewayActor,
        clock: any Environment.Clock, ownTopics: String, log: LimitedLog,
        discovered: @escaping @Sendable (Discovery.Find) -> Void
    ) {
        self.broker = broker
        self.routes = routes
        router = TopicRouter(routes: routes.map(\.topic), roster: roster)
        self.roster = roster
        self.directory = directory
        self.gateway = gateway
        self.clock = clock
        self.ownTopics = ownTopics
        self.log = log
        self.discovered = discovered
    }

    /// The broker has no memory of our session. Heeded before the next batch, whose message ids begin anew.
    nonisolated func sessionLost() { sessionWasLost.store(true, ordering: .releasing) }

    /// From the next batch on messages go these ways. Returns when the batch before is durable, so that nobody uses the old ones any more.
    func take(_ routes: [Route]) async {
        while isDelivering { await withCheckedContinuation { waitingForEnd.append($0) } }
        self.routes = routes
        router = TopicRouter(routes: routes.map(\.topic), roster: roster)
    }

    /// - Returns: Always `true`, and only once every message of the batch is durable or counted.
    func deliver(_ batch: LinkBatch) async -> Bool {
        isDelivering = true
        defer {
            isDelivering = false
            for waiter in waitingForEnd { waiter.resume() }
            waitingForEnd.removeAll()
        }
        if sessionWasLost.exchange(false, ordering: .acquiring) { await gateway.handle(.sessionLost(broker)) }
        let isKnown = await findRedeliveries(batch)
        let (stamp, now) = (clock.stamp, clock.now)
        var work = BatchWork(messages: batch.messages.count)
        for (index, inbound) in batch.messages.enumerated() {
            if inbound.message.topic.hasPrefix(ownTopics) { continue }
            let routing = router.route(inbound.message.topic)
            if isKnown[index] {
                work.countDuplicate(routing.targets.first?.device ?? Ledger.unrouted)
                continue
            }
            for rejection in routing.rejections { reject(rejection, of: Ledger.unrouted, &work) }
            for target in routing.targets {
                if inbound.oversize > 0 {
                    let detail =
                        "\(inbound.message.topic): \(inbound.oversize) bytes, at most \(Limits.payloadBytes) are taken"
                    reject(Rejection(.tooLarge, detail), of: target.device, &work)
                } else {
                    let message = RoutedMessage(
                        message: inbound.message, decoder: routes[target.route].decoder,
                        stamp: stamp.earlier(by: inbound.arrival.duration(to: now)))
                    work.add(message, at: index, for: target.device, route: target.route)
                }
            }
        }
        await decode(&work)
        await gateway.commit(await submission(work, batch))
        return true
    }

    private func findRedeliveries(_ batch: LinkBatch) async -> [Bool] {
        let suspects = batch.messages.map { $0.isRedelivery ? ($0.messageID, $0.message.deliveryHash) : nil }
        guard suspects.contains(where: { $0 != nil }) else { return suspects.map { _ in false } }
        let broker = broker
        return await gateway.read { core in
            suspects.map { $0.map { core.holds(broker: broker, message: $0.0, hash: $0.1) } ?? false }
        }
    }

    /// One hop to each device's actor, whatever number of messages it has in the batch.
    private func decode(_ work: inout BatchWork) async {
        for device in work.order {
            guard let share = work.shares[device] else { continue }
            let route = routes[share.route]
            let now = clock.now
            let (entry, isNew) = directory.findOrMake(device, route.device, now: now)
            if isNew { discovered(Discovery.Find(device: device, pattern: route.device.id)) }
            let outcome = await entry.device.take(share.messages, now: now)
            work.settle(device, share, outcome)
            log.device(device, outcome)
        }
    }

    private func submission(_ work: BatchWork, _ batch: LinkBatch) async -> Submission {
        let broker = broker
        let marks = batch.messages.map { ($0.messageID, $0.message.deliveryHash, $0.qos) }
        let readings = work.readings
        let entries = await gateway.read { core in
            marks.indices.map { index in
                let (id, hash, qos) = marks[index]
                // Without an acknowledgement there is no redelivery, and so nothing to remember.
                return Entry(readings[index], mark: qos > 0 ? core.mark(broker: broker, message: id, hash: hash) : nil)
            }
        }
        return Submission(
            entries: entries.filter { !$0.readings.isEmpty || $0.mark != nil }, counts: work.counts, window: .zero)
    }

    private func reject(_ rejection: Rejection, of device: DeviceID, _ work: inout BatchWork) {
        var counts = StreamCounts()
        counts.received = 1
        counts.rejected.add(1, for: rejection.reason.rawValue)
        work.counts.append((device, counts))
        log.rejection(of: device, rejection)
    }
}

/// One batch on its way through the devices.
private struct BatchWork: Sendable {
    struct Share: Sendable {
        let route: Int
        var messages: [RoutedMessage] = []
        /// For each message, its place in the batch.
        var places: [Int] = []
    }

    /// In the order in which the devices first appear, so that equal input gives equal logs.
    private(set) var order: [DeviceID] = []
    private(set) var shares: [DeviceID: Share] = [:]
    /// What each message of the batch came to, for all its devices.
    private(set) var readings: [[Reading]]
    var counts: [(device: DeviceID, counts: StreamCounts)] = []

    init(messages: Int) {
        readings = Array(repeating: [], count: messages)
    }

    mutating func add(_ message: RoutedMessage, at place: Int, for device: DeviceID, route: Int) {
        if shares[device] == nil {
            order.append(device)
            shares[device] = Share(route: route)
        }
        shares[device]?.messages.append(message)
        shares[device]?.places.append(place)
    }

    mutating func countDuplicate(_ device: DeviceID) {
        var duplicate = StreamCounts()
        duplicate.received = 1
        duplicate.duplicate = 1
        counts.append((device, duplicate))
    }

    mutating func settle(_ device: DeviceID, _ share: Share, _ outcome: DeviceOutcome) {
        for (index, place) in share.places.enumerated() {
            readings[place].append(contentsOf: outcome.readings(ofInput: index))
        }
        let lost = StreamCounts(lostIn: outcome.counts)
        if lost.received > 0 { counts.append((device, lost)) }
    }
}

extension StreamCounts {
    /// What a device rejected and dropped; its readings are counted when the core takes them.
    init(lostIn counts: DeviceCounts) {
        self.init()
        for entry in counts.rejected.entries { rejected.add(UInt64(entry.count), for: entry.reason.rawValue) }
        for entry in counts.dropped.entries { dropped.add(UInt64(entry.count), for: entry.reason.rawValue) }
        received = rejected.total + dropped.total
    }
}

extension Stamp {
    /// The same clocks some time before.
    fileprivate func earlier(by duration: Duration) -> Stamp {
        Stamp(
            boot: boot, uptime: Microseconds(uptime.rawValue - duration.nanoseconds / 1000), wallOffset: wallOffset,
            isTrusted: isTrusted)
    }
}
