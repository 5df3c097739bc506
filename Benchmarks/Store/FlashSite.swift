import Environment
import GatewayCore
import LogFormat
import Model
import RingLog
import Sinks
import TestKit

/// One gateway's core with everything around it done at once.
struct FlashSite {
    private let disk: MeteredDisk
    private var core: GatewayCore
    private var now = MonotonicInstant(nanoseconds: 100_000_000_000)
    private var wake: MonotonicInstant?
    private var ticket: UInt64 = 0
    private var message: UInt16 = 0
    private(set) var stored = 0

    init(disk: MeteredDisk) throws {
        self.disk = disk
        var random = SeededRandom(seed: 1)
        var options = RingOptions()
        options.marksKept = 4 * 4096
        let ring = try RingLog.open(disk: disk, options: options, using: &random).ring
        core =
            GatewayCore.resume(
                ring: ring, disk: disk,
                sinks: [.init(name: "cloud", isRequired: true, settings: UploadSettings())],
                settings: GatewayCore.Settings(), random: random, now: now
            ).core
    }

    /// One second: what came in it is handed over at its end, as a link does whose window it is.
    mutating func live(_ second: Int, _ readings: [Reading]) throws {
        let end = MonotonicInstant(nanoseconds: Int64(101 + second) * 1_000_000_000)
        while let next = wake, next < end {
            wake = nil
            now = max(now, next)
            try step(.tick)
        }
        now = end
        ticket += 1
        let entries = readings.map { reading in
            message &+= 1
            return Entry([reading], mark: core.mark(broker: "local", message: message, hash: mixed(ticket, message)))
        }
        try step(.submitted(Submission(entries: entries, window: .zero, ticket: Ticket(ticket))))
    }

    private func mixed(_ first: UInt64, _ second: UInt16) -> UInt64 {
        var random = SeededRandom(seed: first << 16 | UInt64(second))
        return random.next()
    }

    private mutating func step(_ event: GatewayEvent) throws {
        var events = [event]
        while let event = events.popLast() {
            for directive in core.step(event, now: now) {
                switch directive {
                case .write(let plan): events.append(.written(plan.id, plan.perform(on: disk)))
                case .maintain(let plan): events.append(.maintained(plan.perform(on: disk)))
                case .tally(let plan): events.append(.tallied(plan.perform(on: disk)))
                case .send(let sink, let request, let source):
                    let devices = SendDevices(source.perform(on: disk).0)
                    events.append(.sent(sink: sink, request.id, .accepted, devices))
                case .stored(let readings): stored += readings.count
                case .wake(let moment): wake = moment
                case .work(let work): events.append(.worked(work.perform(on: disk)))
                case .settle, .datagram, .frame, .left, .keepKeys, .fluent, .brokers, .query: break
                case .report(let report):
                    guard report.severity != .error else { throw ChildFailure(description: report.text) }
                }
            }
        }
    }
}
