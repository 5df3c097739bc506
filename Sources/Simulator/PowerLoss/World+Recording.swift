import GatewayCore
import LogFormat
import Model
import RingLog

/// What a gateway's disk is asked to do, and what the gateway says of it meanwhile.
struct Recording {
    let recorder: DiskRecorder
    private var promise = DiskPromise()
    /// The small records as they were at the last cut, where that took all of them.
    private var cut: [StateKey: [UInt8]]?
    /// The newest is last.
    private var marks: [DeliveryMark] = []

    /// The ring remembers many more; the newest are those that a broker may send again.
    private static let marksKept = 16

    init(of disk: SimulatedDisk, options: RingOptions) {
        recorder = DiskRecorder(size: disk.size, options: options)
        disk.record(to: recorder)
    }

    /// A process has opened the ring: what it found is durable.
    mutating func start(_ ring: RingLog) {
        cut = nil
        promise.states = Self.values(of: ring).mapValues { [$0] }
        note(ring)
    }

    /// A plan has been cut, and nothing of it is written yet: each record may have its new value after a crash, and what the cut gave up
    /// may be gone.
    mutating func cut(_ ring: RingLog) {
        let values = Self.values(of: ring)
        var possible = promise.states
        for key in Set(possible.keys).union(values.keys).sorted() {
            let value = values[key] ?? []
            guard possible[key, default: [[]]].contains(value) == false else { continue }
            possible[key, default: [[]]].append(value)
        }
        promise.states = possible
        cut = ring.hasUncutRecords ? nil : values
        note(ring)
    }

    /// The plan is durable.
    mutating func commit(_ ring: RingLog) {
        if let cut { promise.states = cut.mapValues { [$0] } }
        cut = nil
        note(ring)
    }

    mutating func answer(_ marks: [DeliveryMark], _ ring: RingLog) {
        self.marks = (self.marks + marks).suffix(Self.marksKept)
        note(ring)
    }

    private mutating func note(_ ring: RingLog) {
        var now = DiskPromise(of: ring)
        now.states = promise.states
        now.marks = marks
        promise = now
        recorder.note(.promise(now))
    }

    private static func values(of ring: RingLog) -> [StateKey: [UInt8]] {
        Dictionary(uniqueKeysWithValues: ring.states.map { ($0.key, $0.value) })
    }
}

extension World {
    func recordCut(_ gateway: SimulatedGateway) {
        guard gateway.recording != nil, let ring = gateway.core?.ring else { return }
        gateway.recording?.cut(ring)
    }

    func recordCommit(_ gateway: SimulatedGateway) {
        guard gateway.recording != nil, let ring = gateway.core?.ring else { return }
        gateway.recording?.commit(ring)
    }

    func recordAnswer(_ gateway: SimulatedGateway, to source: Source) {
        guard gateway.recording != nil, let core = gateway.core else { return }
        let marks = source.inFlight.map { core.mark(broker: source.name, message: $0.id, hash: $0.hash) }
        gateway.recording?.answer(marks, core.ring)
    }
}
