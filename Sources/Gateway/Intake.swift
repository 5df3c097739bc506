import Devices
import Environment
import GatewayCore
import LogFormat
import Model
import RingLog
import Supervision
import Synchronization

/// Brings what drivers emit to the core. Every driver has a bounded mailbox; one pump empties them in turn, so that a device which floods
/// fills only its own.
final class Intake: Sendable {
    /// Samples that a driver may have waiting: two minutes at ten a second.
    static let mailboxCapacity = 1024
    /// Samples taken from one device before the next has its turn.
    static let turn = 128

    private struct State {
        var mailboxes: [DeviceID: Mailbox<Sample>] = [:]
        var ready: [DeviceID] = []
    }

    private let state = Mutex(State())
    private let bell = Mailbox<Void>(capacity: 1, overflow: .dropNewest)
    private let directory: DeviceDirectory
    private let gateway: GatewayActor
    private let clock: any Environment.Clock
    private let log: LimitedLog

    init(directory: DeviceDirectory, gateway: GatewayActor, clock: any Environment.Clock, log: LimitedLog) {
        self.directory = directory
        self.gateway = gateway
        self.clock = clock
        self.log = log
    }

    /// What a driver of `device` is given to speak through.
    func port(for device: DeviceID, heartbeat: @escaping @Sendable () -> Void) -> DriverPort {
        DriverPort(clock: clock, emit: { [weak self] in self?.offer($0, from: device) }, heartbeat: heartbeat)
    }

    private func offer(_ samples: [Sample], from device: DeviceID) {
        state.withLock { state in
            let mailbox = state.mailboxes[device] ?? Mailbox(capacity: Self.mailboxCapacity, overflow: .dropNewest)
            state.mailboxes[device] = mailbox
            _ = mailbox.offer(contentsOf: samples)
            if !state.ready.contains(device) { state.ready.append(device) }
        }
        _ = bell.offer(())
    }

    /// Samples of all drivers that wait for their turn.
    var waiting: UInt64 { state.withLock { $0.mailboxes.values.reduce(0) { $0 + $1.counts.waiting } } }

    /// The supervised pump: device by device, a turn each.
    func run(_ context: ChildContext) async throws {
        var dropped: [DeviceID: UInt64] = [:]
        while true {
            context.heartbeat()
            guard let device = nextReady() else {
                guard try await bell.next(upTo: 1) != nil else { return }
                continue
            }
            guard let mailbox = state.withLock({ $0.mailboxes[device] }), let entry = directory[device] else {
                continue
            }
            let samples = mailbox.counts.waiting == 0 ? [] : try await mailbox.next(upTo: Self.turn) ?? []
            if mailbox.counts.waiting > 0 { state.withLock { $0.ready.append(device) } }
            let lost = mailbox.counts.dropped - dropped[device, default: 0]
            dropped[device, default: 0] += lost
            await pass(samples, from: device, entry, mailboxLost: lost)
        }
    }

    private func nextReady() -> DeviceID? {
        state.withLock { $0.ready.isEmpty ? nil : $0.ready.removeFirst() }
    }

    private func pass(
        _ samples: [Sample], from device: DeviceID, _ entry: DeviceDirectory.Entry, mailboxLost: UInt64
    ) async {
        let outcome = await entry.device.take(samples: samples, now: clock.now)
        log.device(device, outcome)
        var counts = StreamCounts(lostIn: outcome.counts)
        counts.dropped.add(mailboxLost, for: DropReason.mailboxFull.rawValue)
        counts.received += mailboxLost
        let entries = outcome.ends.indices.map { Entry(Array(outcome.readings(ofInput: $0))) }
        await gateway.submit(
            Submission(
                entries: entries.filter { !$0.readings.isEmpty }, counts: counts.received > 0 ? [(device, counts)] : [],
                window: entry.window))
    }
}
