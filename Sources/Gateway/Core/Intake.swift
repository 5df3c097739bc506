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

    private struct Inlet {
        let mailbox: Mailbox<Sample>
        /// How many of the samples that did not fit are counted already.
        var lossesCounted: UInt64 = 0
        /// Who waits for it to be emptied for good.
        var closing: [CheckedContinuation<Void, Never>] = []
    }

    private struct State {
        var inlets: [DeviceID: Inlet] = [:]
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
            let inlet =
                state.inlets[device] ?? Inlet(mailbox: Mailbox(capacity: Self.mailboxCapacity, overflow: .dropNewest))
            state.inlets[device] = inlet
            _ = inlet.mailbox.offer(contentsOf: samples)
            if !state.ready.contains(device) { state.ready.append(device) }
        }
        _ = bell.offer(())
    }

    /// Returns when all that the device's driver gave is taken, and forgets the device. Its driver has ended.
    func close(_ device: DeviceID) async {
        await withCheckedContinuation { continuation in
            let isKnown = state.withLock { state in
                guard state.inlets[device] != nil else { return false }
                state.inlets[device]?.closing.append(continuation)
                if !state.ready.contains(device) { state.ready.append(device) }
                return true
            }
            if isKnown { _ = bell.offer(()) } else { continuation.resume() }
        }
    }

    /// Samples of all drivers that wait for their turn.
    var waiting: UInt64 { state.withLock { $0.inlets.values.reduce(0) { $0 + $1.mailbox.counts.waiting } } }

    /// The supervised pump: device by device, a turn each.
    func run(_ context: ChildContext) async throws {
        while true {
            context.heartbeat()
            guard let device = nextReady() else {
                guard try await bell.next(upTo: 1) != nil else { return }
                continue
            }
            guard let mailbox = state.withLock({ $0.inlets[device]?.mailbox }) else { continue }
            guard let entry = directory[device] else {
                // A driver that did not end when its device was removed speaks on; nobody is there to hear it.
                state.withLock { $0.inlets[device] = nil }
                continue
            }
            let samples = mailbox.counts.waiting == 0 ? [] : try await mailbox.next(upTo: Self.turn) ?? []
            await pass(samples, from: device, entry, mailboxLost: countLosses(of: device, mailbox))
            endTurn(of: device, mailbox)
        }
    }

    private func countLosses(of device: DeviceID, _ mailbox: Mailbox<Sample>) -> UInt64 {
        state.withLock { state in
            let dropped = mailbox.counts.dropped
            let lost = dropped - (state.inlets[device]?.lossesCounted ?? 0)
            state.inlets[device]?.lossesCounted = dropped
            return lost
        }
    }

    private func endTurn(of device: DeviceID, _ mailbox: Mailbox<Sample>) {
        let waiting = state.withLock { state in
            if mailbox.counts.waiting > 0 {
                if !state.ready.contains(device) { state.ready.append(device) }
                return [CheckedContinuation<Void, Never>]()
            }
            guard let inlet = state.inlets[device], !inlet.closing.isEmpty else { return [] }
            state.inlets[device] = nil
            return inlet.closing
        }
        for waiter in waiting { waiter.resume() }
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
