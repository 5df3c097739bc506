import Environment
import Sinks

/// What a caller wants of a history beyond its seed; what is `nil` the seed draws.
package struct RunOptions: Hashable, Sendable {
    package var gateways: Int?
    /// Length of the bad days, in simulated seconds.
    package var seconds: Int64?
    /// How many times more slowly than at the fastest readings come.
    package var pace: Int64?
    /// Fault kinds that are left out.
    package var without = FaultSet()
    /// Only these fault kinds, where given.
    package var only: FaultSet?
    package var bug: PlantedBug?
    /// Check everything after every step, not every few seconds: slower, and names the very step.
    package var checksEveryStep = false
    /// Take down what every disk is asked to do: see ``PowerLoss``.
    var records = false

    package init() {}
}

/// The plan of one history: how the site is built and which faults befall it. Drawn from the seed, before anything happens.
package struct Scenario: Sendable {
    /// One sink that all gateways may share.
    struct SinkPlan: Sendable {
        let name: String
        let isRequired: Bool
        let settings: UploadSettings
    }

    let seed: UInt64
    var gateways: Int
    var seconds: Int64
    var faults: FaultSet
    /// Gateways that hold each log; as many as there are where that is fewer.
    var replicas: Int
    var sinks: [SinkPlan]
    var ending: Ending
    /// Live gateways whose disks must have a reading before its source is told.
    var acks: Int
    /// So many of the gateways, the first ones, have a node id in their configuration; the others draw one and keep it on the disk.
    var configuredNodes: Int
    /// Readings of a chunk, on every gateway and for every sink.
    var chunkReadings: Int
    /// Readings that a gateway asks a peer for at once.
    var pieceReadings: Int
    /// Segments of each gateway's ring.
    var segments: [Int]
    var accountReadings: Int
    var accountSeconds: Int64
    /// Readings come so many times more slowly than at the fastest, which is some 50 a second and gateway. A site of sensors has one or two.
    var pace: Int64
    /// Faults come so many times more seldom than at the worst.
    var patience: Int64

    package init(seed: UInt64, options: RunOptions = RunOptions()) {
        var random = Streams(seed: seed).configuration
        self.seed = seed
        let drawnGateways = random.pick([1, 1, 1, 2, 3, 3, 4, 5, 5, 7, 9])
        gateways = max(1, options.gateways ?? drawnGateways)
        let drawnSeconds = random.pick([15, 30, 30, 60, 120] as [Int64])
        seconds = options.seconds ?? drawnSeconds
        faults = FaultSet()
        replicas = gateways <= 5 ? gateways : 3
        segments = []
        sinks = []
        chunkReadings = random.pick([8, 32, 128])
        pieceReadings = random.pick([64, 256, 1024])
        if gateways > 2, random.isOne(in: 4) { replicas = 2 }
        ending = random.pick(Ending.allCases)
        acks = random.isOne(in: 3) ? 2 : 1
        configuredNodes = random.isOne(in: 3) ? gateways / 2 : gateways
        for index in 0..<Int(random.draw(1, 3)) {
            var settings = UploadSettings()
            settings.chunkReadings = chunkReadings
            settings.chunksInFlight = Int(random.draw(1, 4))
            let isRequired = index == 0 ? !random.isOne(in: 5) : random.isOne(in: 2)
            sinks.append(SinkPlan(name: "sink\(index)", isRequired: isRequired, settings: settings))
        }
        accountReadings = random.pick([16, 200, 8192])
        accountSeconds = random.draw(1, 20)
        let drawnPace = random.pick([1, 5, 20, 50] as [Int64])
        pace = options.pace ?? drawnPace
        patience = random.pick([1, 1, 3, 10])
        let sizes = [10, 12, 16, 24]
        // Nine of nine are drawn whatever number is asked for, so that fewer gateways meet the same days.
        let drawnSegments = (0..<9).map { _ in random.pick(sizes) }
        segments = (0..<gateways).map { drawnSegments[$0 % 9] }
        faults = FaultAtlas.draw(gateways: gateways, using: &random)
        if let only = options.only { faults = only }
        if options.only == nil { options.bug?.prepare(&self) }
        for kind in options.without.kinds { faults.remove(kind) }
    }

    mutating func requireFirstSink() {
        sinks[0] = SinkPlan(name: sinks[0].name, isRequired: true, settings: sinks[0].settings)
    }

    /// A bit for each sink that must have a reading before it may leave.
    var requiredSinks: UInt8 {
        sinks.indices.reduce(0) { sinks[$1].isRequired ? $0 | 1 << UInt8($1) : $0 }
    }
}
