package import Environment
package import RingLog
import Synchronization

/// Records what whole sites do to their disks, then cuts the power at every moment of that, in every way that there is.
package struct PowerLoss {
    /// Opens a ring as a start does.
    package typealias Opener =
        @Sendable (SimulatedDisk, RingOptions, inout SeededRandom) throws(RingError) -> (
            RingLog, RecoveryReport
        )

    /// What many images showed.
    package struct Tally: Sendable {
        package internal(set) var traces = 0
        package internal(set) var writes = 0
        package internal(set) var syncs = 0
        /// Starts that were tried.
        package internal(set) var images = 0
        /// Images with contents of their own.
        package internal(set) var distinct = 0
        /// Of those that were started on: went on with a commit, and started a whole core.
        package internal(set) var continued = 0
        package internal(set) var resumed = 0
        package internal(set) var failures: [(trace: String, moment: Int, failure: CrashFailure)] = []

        package init() {}

        package mutating func add(_ other: Tally) {
            traces += other.traces
            writes += other.writes
            syncs += other.syncs
            images += other.images
            distinct += other.distinct
            continued += other.continued
            resumed += other.resumed
            failures += other.failures
        }
    }

    /// Random subsets of unsynced sectors for each write.
    package var variety = 48
    /// Distinct images at which the run ends.
    package var wanted = Int.max
    package var open: Opener = { (disk, options, random) throws(RingError) in
        try RingLog.open(disk: disk, options: options, using: &random)
    }

    private let seen: SeenImages
    /// Those that were started on since the promise that stands.
    private var startedOn: Set<UInt64> = []
    package private(set) var tally = Tally()

    /// - Parameter seen: What counts as seen already; several runs at a time share it.
    package init(seen: SeenImages = SeenImages()) {
        self.seen = seen
    }

    package var isDone: Bool { seen.count >= wanted || tally.failures.count >= 5 }

    /// Replays a trace, and starts on every image that its moments give. `name` tells it in a failure.
    package mutating func replay(_ trace: DiskTrace, _ truth: DiskTruth, name: String) {
        var replay = DiskReplay(size: trace.size, geometry: trace.options.geometry)
        var check = CrashCheck(options: trace.options, truth: truth, open: open)
        var random = SeededRandom(seed: UInt64(trace.steps.count))
        let images = CrashImages(variety: variety)
        var promise = DiskPromise()
        startedOn = []
        tally.traces += 1
        tally.writes += trace.writes
        tally.syncs += trace.syncs
        for (moment, step) in trace.steps.enumerated() {
            guard !isDone else { return }
            switch step {
            case .write(let position, let bytes): replay.write(bytes, at: position)
            case .sync: replay.sync()
            case .promise(let new):
                promise = new
                startedOn = []
                // The same images as before, and more is promised of them; those with every subset came with the write.
                for isKept in [false, true] where isKept || !replay.pending.isEmpty {
                    start(replay.image { _ in isKept }, &check, promise, moment, name)
                }
                continue
            }
            images.forEach(replay, using: &random) { start($0, &check, promise, moment, name) }
        }
    }

    private mutating func start(
        _ image: DiskReplay.Image, _ check: inout CrashCheck, _ promise: DiskPromise, _ moment: Int, _ name: String
    ) {
        let identity = image.identity
        guard !isDone, startedOn.insert(identity).inserted else { return }
        let isNew = seen.insert(identity)
        tally.images += 1
        if isNew { tally.distinct += 1 }
        let goesOn = isNew && tally.distinct.isMultiple(of: 16)
        let resumes = isNew && tally.distinct.isMultiple(of: 64)
        tally.continued += goesOn ? 1 : 0
        tally.resumed += resumes ? 1 : 0
        if let failure = check.perform(image, promise, goesOn: goesOn, resumes: resumes) {
            tally.failures.append((name, moment, failure))
        }
    }
}

extension PowerLoss {
    /// Faults that leave a disk with what it was told: the power is cut afterwards, in the replay.
    private static let barred = FaultSet([
        .powerCut, .massRestart, .failedWrite, .failedSync, .readOnlyDisk, .fullDisk, .lyingSync, .tornSectors, .bitRot,
        .misdirectedWrite, .unreadableSectors, .wipedDisk, .oldImage, .clonedCard,
    ])

    /// The site of `seed` lives through its days; then every gateway's disk is replayed.
    ///
    /// - Returns: What broke in the site itself, should it have.
    @discardableResult
    package mutating func live(seed: UInt64, options given: RunOptions = RunOptions()) -> [Failure] {
        var options = given
        options.records = true
        for kind in Self.barred.kinds { options.without.insert(kind) }
        let world = World(seed: seed, options: options)
        world.run()
        var truth = DiskTruth()
        for book in world.truth.books { truth.note(book.log, book.fates.map { $0?.reading }) }
        for gateway in world.gateways {
            guard let recorder = gateway.recording?.recorder else { continue }
            replay(recorder.trace, truth, name: "seed \(seed), gateway \(gateway.index)")
        }
        return world.failures
    }
}

/// Which images have been seen, told by a hash of their contents. Any thread.
package final class SeenImages: Sendable {
    private let known = Mutex<Set<UInt64>>([])

    package init() {}

    package var count: Int { known.withLock { $0.count } }

    /// Returns whether it is new.
    func insert(_ identity: UInt64) -> Bool { known.withLock { $0.insert(identity).inserted } }
}
