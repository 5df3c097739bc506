package import Environment
package import GatewayCore
import LogFormat
package import Model
import RingLog
package import Sinks
package import Threads

/// Owns the core: feeds it events, performs its directives, and wakes who waits. All waiting is elsewhere, so it is never busy for long.
package actor GatewayActor {
    /// A send with where to read what it sends.
    package struct SendOrder: Sendable {
        package let request: SendRequest
        package let source: SendSource
    }

    private(set) var core: GatewayCore
    private let disk: any Disk
    private let clock: any Environment.Clock
    private let threads: StorageThreads
    private let outlets: Outlets

    private var waiting: [Ticket: CheckedContinuation<Void, Never>] = [:]
    private var waitingForRoom: [CheckedContinuation<Void, Never>] = []
    private var waitingForQuiet: [CheckedContinuation<Void, Never>] = []
    private var nextTicket: UInt64 = 0
    private var inFlight: [Int: Set<SendID>] = [:]
    private var waker: Task<Void, Never>?
    private var writeBegan: MonotonicInstant?
    private var writtenReadings = 0
    private var toldPressure = 0

    /// Where directives that are not the actor's own go.
    package struct Outlets: Sendable {
        let send: @Sendable (_ sink: Int, SendOrder) -> Bool
        let stored: @Sendable ([StoredReading], ClockTable) -> Void
        let report: @Sendable (Report) -> Void
        let committed: @Sendable (_ readings: Int, Duration) -> Void
        var datagram: @Sendable ([UInt8], PeerAddress) -> Void = { _, _ in }
        /// Whether there is a way to peers at all.
        var frame: @Sendable ([UInt8], PeerAddress) -> Bool = { _, _ in false }
        /// The covey knows that this gateway goes.
        var left: @Sendable () -> Void = {}
        /// Puts keys on the disk and to use; says why that could not be done. Blocks.
        var keepKeys: @Sendable (KeyState) -> String? = { _ in "there is no link" }
        var fluent: @Sendable ([PeerAddress]) -> Void = { _ in }
        var brokers: @Sendable (BrokerNews) -> Void = { _ in }
        var query: @Sendable (QueryNews) -> Void = { _ in }
        /// How full the ring is of what no sink has, in percent.
        var pressure: @Sendable (Int) -> Void = { _ in }
    }

    package init(
        core: GatewayCore, disk: any Disk, clock: any Environment.Clock, threads: StorageThreads, outlets: Outlets
    ) {
        self.core = core
        self.disk = disk
        self.clock = clock
        self.threads = threads
        self.outlets = outlets
    }

    /// Hands over what a source read, and returns when all of it is durable.
    package func commit(_ submission: Submission) async {
        var submission = submission
        let ticket = Ticket(nextTicket)
        nextTicket += 1
        submission.ticket = ticket
        await withCheckedContinuation { continuation in
            waiting[ticket] = continuation
            step(.submitted(submission))
        }
    }

    /// Hands over what a source read that cannot wait for the disk; waits only while the intake is full.
    package func submit(_ submission: Submission) async {
        while core.isFull {
            await withCheckedContinuation { waitingForRoom.append($0) }
        }
        step(.submitted(submission))
    }

    /// Writes what is left and returns when it is durable.
    package func stop() async {
        step(.stopping)
        while !core.isQuiet {
            await withCheckedContinuation { waitingForQuiet.append($0) }
        }
        waker?.cancel()
    }

    /// How long the disk has been busy with one commit; `nil` where it is idle. A hung disk is a state to report.
    package var commitAge: Duration? { writeBegan.map { $0.duration(to: clock.now) } }

    package func handle(_ event: GatewayEvent) { step(event) }

    /// All of these, with nothing in between.
    package func handle(_ events: [GatewayEvent]) { for event in events { step(event) } }

    /// Performs what the core asked for when it was made.
    package func begin(_ directives: [GatewayDirective]) {
        for directive in directives { perform(directive) }
    }

    /// The sink's child has begun anew: what its predecessor had on the way is to be sent again.
    package func sinkRestarted(_ sink: Int) {
        for id in (inFlight[sink] ?? []).sorted() {
            step(.sent(sink: sink, id, .unavailable(reason: "the uploader was restarted", retryAfter: nil)))
        }
    }

    /// Takes a reading of an earlier run into the table of the newest.
    package func recall(_ stored: StoredReading) { core.recall(stored) }

    package func read<Result: Sendable>(_ body: @Sendable (GatewayCore) -> Result) -> Result { body(core) }

    private func step(_ event: GatewayEvent) {
        switch event {
        case .written:
            if let writeBegan { outlets.committed(writtenReadings, writeBegan.duration(to: clock.now)) }
            writeBegan = nil
        case .sent(let sink, let id, _, _), .unreadable(let sink, let id, _, _, _): inFlight[sink]?.remove(id)
        default: break
        }
        for directive in core.step(event, now: clock.now) { perform(directive) }
        if core.pressure != toldPressure {
            toldPressure = core.pressure
            outlets.pressure(toldPressure)
        }
        if !core.isFull, !waitingForRoom.isEmpty {
            let waiters = waitingForRoom
            waitingForRoom.removeAll()
            for waiter in waiters { waiter.resume() }
        }
        if core.isQuiet, !waitingForQuiet.isEmpty {
            let waiters = waitingForQuiet
            waitingForQuiet.removeAll()
            for waiter in waiters { waiter.resume() }
        }
    }

    private func perform(_ directive: GatewayDirective) {
        switch directive {
        case .write(let plan):
            writeBegan = clock.now
            writtenReadings = plan.readings
            Task(executorPreference: threads.writer) { [disk] in
                let result = plan.perform(on: disk)
                await self.step(.written(plan.id, result))
            }
        case .maintain(let plan):
            Task(executorPreference: threads.reader) { [disk] in
                let result = plan.perform(on: disk)
                await self.step(.maintained(result))
            }
        case .tally(let plan):
            Task(executorPreference: threads.reader) { [disk] in
                let result = plan.perform(on: disk)
                await self.step(.tallied(result))
            }
        case .work(let work):
            Task(executorPreference: threads.reader) { [disk] in
                let result = work.perform(on: disk)
                await self.step(.worked(result))
            }
        case .datagram(let bytes, let peer): outlets.datagram(bytes, peer)
        case .frame(let bytes, let peer):
            // Later, as any network would say it.
            if !outlets.frame(bytes, peer) { Task { self.step(.unreachable(peer)) } }
        case .left: outlets.left()
        case .keepKeys(let keys, let version):
            Task(executorPreference: threads.reader) { [outlets] in
                let failure = outlets.keepKeys(keys)
                await self.step(.keysKept(version: version, failure: failure))
            }
        case .fluent(let peers): outlets.fluent(peers)
        case .brokers(let news): outlets.brokers(news)
        case .query(let news): outlets.query(news)
        case .settle(let tickets):
            for ticket in tickets { waiting.removeValue(forKey: ticket)?.resume() }
        case .stored(let readings): outlets.stored(readings, core.ring.clock)
        case .send(let sink, let request, let source):
            inFlight[sink, default: []].insert(request.id)
            if !outlets.send(sink, SendOrder(request: request, source: source)) {
                step(
                    .sent(sink: sink, request.id, .unavailable(reason: "the uploader is not running", retryAfter: nil)))
            }
        case .wake(let moment): wake(at: moment)
        case .report(let report): outlets.report(report)
        }
    }

    private func wake(at moment: MonotonicInstant) {
        waker?.cancel()
        waker = Task { [clock] in
            do { try await clock.sleep(until: moment) } catch { return }
            self.step(.tick)
        }
    }
}

/// The two threads that may block on the disk: one commits, the other reads and merges.
package struct StorageThreads: Sendable {
    package let writer: ThreadExecutor
    package let reader: ThreadExecutor

    package init() throws(ThreadError) {
        writer = try ThreadExecutor(name: "covey-commit")
        reader = try ThreadExecutor(name: "covey-read")
    }

    package func retire() {
        writer.retire()
        reader.retire()
    }
}
