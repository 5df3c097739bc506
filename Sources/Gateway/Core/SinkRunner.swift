import Environment
import GatewayCore
import LogFormat
import Model
import RingLog
import Sinks
import Supervision

/// The supervised child of one sink: reads what the core wants sent, renders it, sends it, tells the core what became of it.
struct SinkRunner: Sendable {
    let index: Int
    /// The upload's name.
    let label: String
    let sink: any Sink
    let orders: Mailbox<GatewayActor.SendOrder>
    let gateway: GatewayActor
    let node: NodeID
    let name: String
    let disk: any Disk
    let threads: StorageThreads
    let clock: any Environment.Clock
    let instruments: Instruments

    func run(_ context: ChildContext) async throws {
        await gateway.sinkRestarted(index)
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            while true {
                context.heartbeat()
                let batch: [GatewayActor.SendOrder]
                do {
                    guard let next = try await orders.next(upTo: 1) else { break }
                    batch = next
                } catch { break }
                // The core never has more than this many on the way, so the wait is for one that has ended or is about to.
                if running >= Limits.chunksInFlight {
                    await group.next()
                    running -= 1
                }
                for order in batch {
                    running += 1
                    group.addTask { await carryOut(order) }
                }
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    private func carryOut(_ order: GatewayActor.SendOrder) async {
        let request = order.request
        let (readings, result) = await onReader { order.source.perform(on: disk) }
        let count = request.range.lowerBound.distance(to: request.range.upperBound)
        guard readings.count == count else {
            await gateway.handle([.unreadFound(result.unread), explain(request, result)])
            return
        }
        // A gateway that finds that its card was cloned goes on under another node id.
        let (clock, current) = await gateway.read { ($0.ring.clock, $0.identity?.node) }
        let items = readings.map { NativeBatch.Item($0, clock: clock) }
        let batch = NativeBatch(
            node: order.source.owner?.node ?? current ?? node,
            gateway: order.source.owner.map { $0.name ?? "" } ?? name,
            log: request.log, base: request.range.lowerBound, items: items)
        let began = self.clock.now
        let outcome = await sink.send(batch)
        instruments.answered(outcome, by: index, in: began.duration(to: self.clock.now))
        await gateway.handle(.sent(sink: index, request.id, outcome, SendDevices(readings)))
    }

    /// Why a range could not be read whole: gone or damaged for good, or only just overwritten, which a new plan will tell.
    private func explain(_ request: SendRequest, _ result: ReadResult) -> GatewayEvent {
        if result.gaps.isEmpty, result.damage.isEmpty, !result.overwritten {
            let reason = "only \(result.readings.count) readings of \(request.range) could be read from the ring"
            return .sent(sink: index, request.id, .unavailable(reason: reason, retryAfter: nil))
        }
        return .unreadable(
            sink: index, request.id, request.log, missing: result.gaps, damage: result.damage)
    }

    private func onReader<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await Task(executorPreference: threads.reader) { body() }.value
    }
}

extension NativeBatch.Item {
    /// A stored reading as it is told: with the time that an anchor may have corrected since.
    init(_ stored: StoredReading, clock: ClockTable) {
        let rendered = clock.time(of: stored.reading.stamp)
        let isUnsynced = !rendered.isTrusted && stored.reading.quality == .good
        self.init(
            offset: stored.offset, series: stored.reading.series, time: rendered.time, value: stored.reading.value,
            quality: isUnsynced ? .clockUnsynced : stored.reading.quality, deviceTime: stored.reading.deviceTime)
    }
}
