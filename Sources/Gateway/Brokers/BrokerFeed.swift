import TOMLConfiguration
import Devices
import Environment
import GatewayCore
import LogFormat
import MQTTLink
import Model
import RingLog
import SharedFeeds
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
    /// `nil` where no other gateway may read this broker.
    private nonisolated let reader: SharedReader?
    /// Batches on their way: the link's, and those that are taken over.
    private var deliveries = 0
    private var waitingForEnd: [CheckedContinuation<Void, Never>] = []

    /// One configured device of this broker.
    struct Route: Sendable, Equatable {
        let topic: TopicRoute
        let decoder: any Decoder
        let device: DeviceConfiguration
        /// The same on every gateway that makes the same readings of the same messages.
        let shared: RouteID

        init(
            topic: TopicRoute, decoder: any Decoder, device: DeviceConfiguration, source: DeviceConfiguration.MQTTSource
        ) {
            self.topic = topic
            self.decoder = decoder
            self.device = device
            let decoding = source.decoding
            let parts = [
                topic.filter.text, topic.id, source.decoder.rawValue, decoding.metric ?? "", decoding.unit ?? "",
                "\(decoding.paths)", "\(decoding.units.sorted { $0.key < $1.key })", "\(decoding.zoneOffset)",
                decoding.baseTopic,
            ]
            shared = RouteID(parts.joined(separator: "\n").stableHash)
        }

        /// A decoder follows from the device's configuration.
        static func == (left: Route, right: Route) -> Bool { left.device == right.device }
    }

    init(
        broker: String, routes: [Route], roster: DeviceRoster, directory: DeviceDirectory, gateway: GatewayActor,
        clock: any Environment.Clock, ownTopics: String, log: LimitedLog, reader: SharedReader?,
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
        self.reader = reader
        self.discovered = discovered
    }

    /// The broker has no memory of our session. Heeded before the next batch, whose message ids begin anew.
    nonisolated func sessionLost() { sessionWasLost.store(true, ordering: .releasing) }

    /// From the next batch on messages go these ways. Returns when the batch before is durable, so that nobody uses the old ones any more.
    func take(_ routes: [Route]) async {
        while deliveries > 0 { await withCheckedContinuation { waitingForEnd.append($0) } }
        self.routes = routes
        router = TopicRouter(routes: routes.map(\.topic), roster: roster)
    }

    /// - Returns: Always `true`, and only once every message of the batch is durable or counted, or another gateway's to make so.
    func deliver(_ batch: LinkBatch) async -> Bool {
        begin()
        defer { end() }
        if sessionWasLost.exchange(false, ordering: .acquiring) { await gateway.handle(.sessionLost(broker)) }
        let isKnown = await findRedeliveries(batch)
        var work = BatchWork(messages: batch.messages.count)
        var claims: [Claim] = []
        for (index, inbound) in batch.messages.enumerated() {
            if isAnnouncement(inbound.message.topic) { continue }
            let routing = router.route(inbound.message.topic)
            if isKnown[index] {
                work.countDuplicate(routing.targets.first?.device ?? Ledger.unrouted)
                continue
            }
            for rejection in routing.rejections { reject(rejection, of: Ledger.unrouted, &work) }
            for target in routing.targets {
                claims.append(Claim(place: index, device: target.device, route: target.route))
            }
        }
        let share = await share(claims, batch)
        let now = clock.now
        for claim in share.claims { add(batch.messages[claim.place], claim, now: now, &work) }
        await decode(&work)
        let submission = await submission(work, batch, leaving: share.stoodBy)
        if !submission.entries.isEmpty || !submission.counts.isEmpty { await gateway.commit(submission) }
        if let taken = share.taken { await reader?.finished(taken) }
        return true
    }

    /// Takes what another gateway was to take and did not. It is acknowledged already.
    func takeOver(_ taken: TakenID, _ messages: [SharedReader.Shared]) async {
        begin()
        defer { end() }
        var work = BatchWork(messages: messages.count)
        let now = clock.now
        for (index, message) in messages.enumerated() {
            // A reload may have removed it.
            guard let route = routes.firstIndex(where: { $0.shared == message.route }) else { continue }
            let claim = Claim(place: index, device: message.payload.device, route: route)
            add(message.payload.inbound, claim, now: now, &work)
        }
        await decode(&work)
        let entries = work.readings.filter { !$0.isEmpty }.map { Entry($0, mark: nil) }
        if !entries.isEmpty || !work.counts.isEmpty {
            await gateway.commit(Submission(entries: entries, counts: work.counts, window: .zero))
        }
        await reader?.finished(taken)
    }

    private func begin() { deliveries += 1 }

    private func end() {
        deliveries -= 1
        guard deliveries == 0 else { return }
        for waiter in waitingForEnd { waiter.resume() }
        waitingForEnd.removeAll()
    }

    /// One message for one device.
    private struct Claim {
        let place: Int
        let device: DeviceID
        let route: Int
    }

    /// Announcements of gateways lie below their names; those of the others of a covey are no readings either.
    private func isAnnouncement(_ topic: String) -> Bool {
        if topic.hasPrefix(ownTopics) { return true }
        guard let reader, topic.hasPrefix("covey/") else { return false }
        let rest = topic.dropFirst("covey/".count)
        return reader.isForeign(String(rest.prefix { $0 != "/" }))
    }

    /// What of a batch is this gateway's to take, and which messages are altogether another one's.
    private func share(
        _ claims: [Claim], _ batch: LinkBatch
    ) async -> (claims: [Claim], stoodBy: Set<Int>, taken: TakenID?) {
        guard let reader else { return (claims, [], nil) }
        // What the broker replays at a subscription is no reading; it is rejected, and counted, where it comes.
        let shared = claims.indices.filter { !batch.messages[claims[$0].place].message.isRetained }
        guard !shared.isEmpty else { return (claims, [], nil) }
        let admission = await reader.admit(shared.map { message(claims[$0], batch) })
        var others: Set<Int> = []
        for (index, decision) in zip(shared, admission.decisions) where decision != .take { others.insert(index) }
        let taken = claims.indices.filter { !others.contains($0) }.map { claims[$0] }
        let stoodBy = Set(others.map { claims[$0].place }).subtracting(taken.map(\.place))
        for device in Set(others.map { claims[$0].device }) {
            await directory[device]?.device.heardElsewhere(now: clock.now)
        }
        return (taken, stoodBy, admission.taken)
    }

    private func message(_ claim: Claim, _ batch: LinkBatch) -> SharedReader.Shared {
        let inbound = batch.messages[claim.place]
        let (message, route) = (inbound.message, routes[claim.route].shared)
        return SharedReader.Shared(
            route: route, topic: message.topic.stableHash,
            key: MessageKey(hash: message.deliveryHash, route: route, isKept: inbound.qos > 0),
            bytes: message.topic.utf8.count + message.payload.count, arrival: inbound.arrival,
            messageID: inbound.messageID, isRedelivery: inbound.isRedelivery,
            payload: StandbyMessage(inbound: inbound, device: claim.device))
    }

    private func add(_ inbound: InboundMessage, _ claim: Claim, now: MonotonicInstant, _ work: inout BatchWork) {
        let device = claim.device
        guard inbound.oversize == 0 else {
            let detail =
                "\(inbound.message.topic): \(inbound.oversize) bytes, at most \(Limits.payloadBytes) are taken"
            return reject(Rejection(.tooLarge, detail), of: device, &work)
        }
        let message = RoutedMessage(
            message: inbound.message, decoder: routes[claim.route].decoder,
            stamp: clock.stamp.earlier(by: inbound.arrival.duration(to: now)))
        work.add(message, at: claim.place, for: device, route: claim.route)
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

    /// - Parameter others: Places of messages that leave no trace here.
    private func submission(_ work: BatchWork, _ batch: LinkBatch, leaving others: Set<Int>) async -> Submission {
        let broker = broker
        let marks = batch.messages.map { ($0.messageID, $0.message.deliveryHash, $0.qos) }
        let readings = work.readings
        let entries = await gateway.read { core in
            marks.indices.map { index in
                let (id, hash, qos) = marks[index]
                // Without an acknowledgement there is no redelivery, and so nothing to remember.
                let isMarked = qos > 0 && !others.contains(index)
                return Entry(
                    readings[index], mark: isMarked ? core.mark(broker: broker, message: id, hash: hash) : nil)
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
