import Environment
import GatewayCore
import LogFormat
import Model
import Replication
import RingLog
import Sinks

/// What reaches one process of a gateway; a later process never hears of it.
enum ProcessEvent {
    // The large ones elsewhere in memory: events are moved about more often than they happen.
    indirect case written(WritePlan)
    indirect case maintained(MaintenancePlan)
    indirect case tallied(TallyPlan)
    indirect case read(sink: Int, SendRequest, SendSource)
    indirect case sent(sink: Int, SendID, SendOutcome, SendDevices?)
    /// The wake with this number.
    case tick(Int)
    case datagram([UInt8], from: PeerAddress)
    case frame([UInt8], from: PeerAddress)
    case unreachable(PeerAddress)
    indirect case worked(ReaderWork)
    case clockRight
}

/// Faults that took from a disk what it had promised: its gateway is not held to what only an honest disk can keep.
struct DiskHistory {
    /// Something durable may be spoiled unseen: rot, a stray write, a lie.
    var isRotten = false
    /// An old image, a blank card or another's took its place.
    var hasGoneBack = false
    /// Readings went to the sinks from RAM once.
    var wasMemoryOnly = false

    var isDishonest: Bool { isRotten || hasGoneBack }
}

/// One gateway of the site: a core, its disk, its clocks, its sources.
final class SimulatedGateway {
    let index: Int
    var disk: SimulatedDisk
    /// `nil` while no process runs.
    var core: GatewayCore?
    /// Odd while a process runs; goes up with every start and every end.
    var life = 0
    var lifeStart: Int64 = 0
    var clock: BoardClock
    var sources: [Source]
    var isStopping = false
    /// It does not start again, for now.
    var isGone = false
    /// Every process event waits behind this while the process is stopped, as by SIGSTOP.
    var parked: [ProcessEvent]?
    var history = DiskHistory()
    /// How the writes of the plan under way went.
    var pendingResult: Result<Void, DiskError> = .success(())
    var tickNumber = 0
    /// Which sinks can be reached from here.
    var reaches: [Bool]
    var refusesUntil: Int64 = 0
    /// Writes and syncs that may still fail in this life: a disk that fails for ever is another fault.
    var diskFaultsLeft = 0
    /// Writes are slow until then.
    var slowUntil: Int64 = 0
    /// What was durable when somebody took an image of this card.
    var image: SimulatedDisk?

    /// The node id that the configuration gives; `nil` where it gives none.
    var configuredNode: NodeID?

    /// What a planted bug goes back to.
    var oldCore: GatewayCore?

    /// `nil` where nobody wants its disk's deeds.
    var recording: Recording?

    // What the checks keep
    /// What the ring held of each log at the last look, and what the truth was told of since.
    var holdings: [LogID: OffsetRanges] = [:]
    /// Something left the ring that was counted as lost.
    var hasEvicted = false
    /// What it believed of each log at the last look, and under which name.
    var beliefs: [LogName: Belief] = [:]
    var believer: NodeID?
    var lastIncarnation: Incarnation?
    var lastNode: NodeID?
    /// Found at the start on a disk that would not sync; durable with the next sync.
    var unsynced: [Key] = []
    var watermarks: [[LogID: Offset]]
    /// Damaged readings that had come back when a watermark last went back.
    var restored = 0
    /// Readings that its ledger must have counted as stored, by device.
    var storedByDevice: [DeviceID: UInt64] = [:]
    var nextFullCheck: Int64 = 0
    var currentLog: LogID?

    struct Belief {
        let end: Offset
        let isClosed: Bool
    }

    var bit: UInt16 { 1 << UInt16(index) }

    /// Asks the core where it is; `nil` where no process runs. A question put to `core` itself is put to a copy, which is made for it.
    func ask<Answer>(_ question: (inout GatewayCore) -> Answer) -> Answer? {
        guard core != nil else { return nil }
        return question(&core!)
    }

    init(index: Int, disk: SimulatedDisk, sinks: Int) {
        self.index = index
        self.disk = disk
        clock = BoardClock(gateway: index)
        reaches = Array(repeating: true, count: sinks)
        watermarks = Array(repeating: [:], count: sinks)
        sources = [
            Source(name: "g\(index)-first", isBroker: true), Source(name: "g\(index)-second", isBroker: true),
            Source(name: "g\(index)-wire", isBroker: false), Source(name: "g\(index)-pulse", isBroker: false),
        ]
    }
}
