import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator

@testable import GatewayCore

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

/// What may go wrong in one history; a seed draws its own.
struct Faults {
    var crashes = true
    var disk = true
    var readOnlyDisk = false
    var sinks = true
    var poison = false
    var clock = false
    var segments = 16
    var seconds: Int64 = 240

    init() {}

    init(using random: inout SeededRandom) {
        crashes = Int.random(in: 0..<4, using: &random) > 0
        disk = Bool.random(using: &random)
        readOnlyDisk = Int.random(in: 0..<4, using: &random) == 0
        sinks = Int.random(in: 0..<5, using: &random) > 0
        poison = Int.random(in: 0..<4, using: &random) == 0
        clock = Int.random(in: 0..<3, using: &random) == 0
        segments = [10, 12, 16, 24].randomElement(using: &random) ?? 16
        seconds = [15, 30].randomElement(using: &random) ?? 30
    }
}

/// What a source has in hand: a broker's message, or what a wire said.
struct Message {
    let id: UInt16
    let hash: UInt64
    let readings: [Reading]
}

/// A source of readings. A broker keeps its messages until they are acknowledged, and delivers them again to a new process.
struct Source {
    let name: String
    let isBroker: Bool
    var inFlight: [Message] = []
    var ticket: Ticket?
    var mustRedeliver = false
    var nextID: UInt16 = 0
}

/// One sink with its moods; what it stored stays.
struct ModelSink {
    enum Mood: CaseIterable { case good, unavailable, late, storesAndTimesOut, gone }

    let setup: GatewayCore.SinkSetup
    var mood = Mood.good
    private(set) var stored: [Key: Reading] = [:]
    private(set) var storedByDevice: [DeviceID: UInt64] = [:]

    mutating func store(_ stored: StoredReading) {
        if self.stored.updateValue(stored.reading, forKey: Key(stored)) == nil {
            storedByDevice[stored.reading.series.device, default: 0] += 1
        }
    }
}

/// What happens, and when.
struct Happening {
    enum Action {
        case feed(Int)
        case written(WritePlan)
        case maintained(MaintenancePlan)
        case tallied(TallyPlan)
        case read(sink: Int, SendRequest, SendSource)
        case answer(sink: Int, SendRequest, [StoredReading], ModelSink.Mood)
        case tick
        case crash(powerCut: Bool)
        case start
        case stop
        case sinkMood(Int)
        case diskMood
        case clockRight
    }

    let at: Int64
    let order: Int
    /// The process that it belongs to; `nil` where it outlives processes.
    let life: Int?
    let action: Action
}

/// Events by time, then by insertion.
struct EventHeap {
    private var items: [Happening] = []

    var isEmpty: Bool { items.isEmpty }
    var next: Happening? { items.first }
    var all: [Happening] { items }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (items[left].at, items[left].order) < (items[right].at, items[right].order)
    }

    mutating func push(_ item: Happening) {
        items.append(item)
        var place = items.count - 1
        while place > 0, isBefore(place, (place - 1) / 2) {
            items.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func pop() -> Happening? {
        guard let first = items.first else { return nil }
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < items.count && isBefore(child, least) {
                least = child
            }
            if least == place { break }
            items.swapAt(place, least)
            place = least
        }
        return first
    }

    mutating func removeAll(where isGone: (Happening) -> Bool) {
        let kept = items.filter { !isGone($0) }
        items = []
        for item in kept { push(item) }
    }
}

/// One gateway in one thread: the core over a simulated disk, with sources and sinks of bad days. A seed is one history.
final class Site {
    static let second: Int64 = 1_000_000_000

    let faults: Faults
    let options: RingOptions
    var settings = GatewayCore.Settings()
    var random: SeededRandom
    var time: Int64 = 0
    var heap = EventHeap()
    private var inserted = 0

    var disk: SimulatedDisk
    var core: GatewayCore?
    var life = 0
    var lifeStart: Int64 = 0
    var sources: [Source]
    var sinks: [ModelSink]
    var isHealed = false
    var wasMemoryOnly = false
    var isStopping = false
    var diskFaultsLeft = 0
    var refusesUntil: Int64 = 0
    /// How the writes of the plan under way went.
    var pendingResult: Result<Void, DiskError> = .success(())

    var boot = BootID(high: 0, low: 1)
    var clockIsTrusted = true
    var nextTicket: UInt64 = 0
    var nextValue = 0

    let checks = Checks()
    var trace: UInt64 = 0xCBF2_9CE4_8422_2325

    /// - Parameter length: How many times longer than usual the bad days last.
    init(seed: UInt64, length: Int64 = 1) {
        random = SeededRandom(seed: seed)
        var faults = Faults(using: &random)
        faults.seconds *= length
        self.faults = faults
        var options = RingOptions()
        options.geometry = Geometry(segmentBytes: 64 << 10, blockBytes: 16 << 10)
        options.pendingBytes = 64 << 10
        options.backgroundBytes = 32 << 10
        options.marksKept = 256
        self.options = options
        disk = SimulatedDisk(size: faults.segments * options.geometry.segmentBytes)
        sources = [
            Source(name: "first", isBroker: true), Source(name: "second", isBroker: true),
            Source(name: "wire", isBroker: false), Source(name: "pulse", isBroker: false),
        ]
        sinks = []
        for index in 0..<Int.random(in: 1...3, using: &random) {
            var settings = UploadSettings()
            settings.chunkReadings = [8, 32, 128].randomElement(using: &random) ?? 32
            settings.chunksInFlight = Int.random(in: 1...4, using: &random)
            let isRequired = index == 0 ? Int.random(in: 0..<5, using: &random) > 0 : Bool.random(using: &random)
            sinks.append(
                ModelSink(setup: .init(name: "sink\(index)", isRequired: isRequired, settings: settings)))
        }
        settings.accountReadings = [16, 200, 8192].randomElement(using: &random) ?? 8192
        settings.accountWindow = .seconds(draw(1, 20))
        at(0, .start, outlives: true)
        for source in sources.indices { at(Self.second, .feed(source), outlives: true) }
        for sink in sinks.indices where faults.sinks { at(5 * Self.second, .sinkMood(sink), outlives: true) }
        if faults.disk || faults.readOnlyDisk { at(7 * Self.second, .diskMood, outlives: true) }
        if faults.crashes { at(draw(1, 25) * Self.second, .crash(powerCut: draw(0, 1) == 0), outlives: true) }
    }

    var now: MonotonicInstant { MonotonicInstant(nanoseconds: time) }

    func draw(_ low: Int64, _ high: Int64) -> Int64 { Int64.random(in: low...high, using: &random) }

    func at(_ moment: Int64, _ action: Happening.Action, outlives: Bool = false) {
        inserted += 1
        heap.push(Happening(at: moment, order: inserted, life: outlives ? nil : life, action: action))
    }

    func note(_ words: UInt64...) {
        for word in words {
            trace = (trace ^ word) &* 0x0000_0100_0000_01B3
            trace ^= trace >> 29
        }
    }

    func fail(_ check: String, _ text: @autoclosure () -> String) {
        checks.fail(check, "at \(Double(time) / 1e9) s, life \(life): \(text())")
    }

    /// Lives through bad days, then heals everything and waits for rest.
    func run() {
        while let next = heap.next, next.at < faults.seconds * Self.second, checks.failures.isEmpty { happen(next) }
        heal()
        let end = time + 3600 * Self.second
        while let next = heap.next, next.at < end, checks.failures.isEmpty, !isAtRest { happen(next) }
        guard checks.failures.isEmpty else { return }
        checkRest()
        checkEnd()
    }

    private func happen(_ next: Happening) {
        _ = heap.pop()
        guard next.life == nil || next.life == life || isOnTheWire(next.action) else { return }
        time = max(time, next.at)
        perform(next)
    }

    /// What has left the gateway arrives, whether or not its process still lives.
    private func isOnTheWire(_ action: Happening.Action) -> Bool {
        if case .answer = action { true } else { false }
    }

    // MARK: Processes

    func start() {
        guard core == nil else { return }
        life += 1
        lifeStart = time
        isStopping = false
        diskFaultsLeft = 2
        do throws(RingError) {
            let (ring, _) = try RingLog.open(disk: disk, options: options, using: &random)
            let (core, directives) = GatewayCore.resume(
                ring: ring, disk: disk, sinks: sinks.map(\.setup), settings: settings,
                random: SeededRandom(seed: random.next()), boot: boot, now: now)
            self.core = core
            for index in sources.indices {
                sources[index].ticket = nil
                sources[index].mustRedeliver = true
            }
            checkStart(core)
            act(directives)
            checkStep()
        } catch {
            fail("never refuses to start", error.description)
        }
        if isHealed { return }
        if faults.clock, !clockIsTrusted { at(time + draw(1, 90) * Self.second, .clockRight) }
    }

    func crash(powerCut: Bool) {
        guard core != nil else { return }
        if powerCut {
            let style = draw(0, 3)
            let kept = draw(0, 40)
            disk = disk.afterPowerCut { index in
                switch style {
                case 0: false
                case 1: index < kept
                case 2: index >= kept
                default: Bool.random(using: &random)
                }
            }
            boot = BootID(high: 0, low: boot.low + 1)
            clockIsTrusted = !faults.clock || draw(0, 1) == 0
        } else {
            disk = disk.afterKill()
        }
        if time < refusesUntil { disk.refuse(.readOnly) }
        end()
    }

    func end() {
        core = nil
        life += 1
        at(time + draw(0, 5) * Self.second, .start, outlives: true)
    }

    private func heal() {
        isHealed = true
        refusesUntil = 0
        disk.refuse(nil)
        for index in sinks.indices { sinks[index].mood = .good }
        heap.removeAll { item in
            switch item.action {
            case .crash, .stop: true
            default: false
            }
        }
        if core == nil { at(time, .start, outlives: true) }
        clockIsTrusted = true
    }

    var isAtRest: Bool {
        guard let core, core.isQuiet, sources.allSatisfy({ $0.inFlight.isEmpty && $0.ticket == nil }) else {
            return false
        }
        return !feedsRemain && core.sinks.indices.allSatisfy { hasDrained($0, core) }
    }

    /// A bad reading stays under suspicion until a good one follows it.
    private func hasDrained(_ index: Int, _ core: GatewayCore) -> Bool {
        let pending = core.sinks[index].machine.counts.pending
        guard pending > 0 else { return true }
        guard faults.poison, pending <= 8,
            let (log, first) = core.sinks[index].machine.snapshot(now: now).oldestPending,
            let end = core.ring.logs.first(where: { $0.log == log })?.end
        else { return false }
        return (first.rawValue..<end.rawValue).allSatisfy { offset in
            let key = Key(log, offset)
            return sinks[index].stored[key] != nil || checks.known[key].map { Self.isPoison($0) } ?? false
        }
    }

    private var feedsRemain: Bool {
        heap.all.contains { if case .feed = $0.action { true } else { false } }
    }
}
