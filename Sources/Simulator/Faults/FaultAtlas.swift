import Environment

/// Which faults a seed meets, how often, and what keeps them survivable, so that every failure is a bug.
///
/// What keeps them survivable:
/// - A disk is wiped, rolled back or overwritten by a clone only where every durable reading on it is at another disk or at every sink.
/// - A lying sync, bit rot and misdirected writes befall one gateway of a history, and what they took is judged by what is left elsewhere:
///   the truth keeps for each reading which disks hold it, and a reading without a disk is no longer expected.
/// - Everything else costs nothing that was acknowledged, whatever comes together.
enum FaultAtlas {
    /// A seed meets about half of all kinds; one in eight meets none, and one in eight all that disks alone can do.
    static func draw(gateways: Int, using random: inout SeededRandom) -> FaultSet {
        var set = FaultSet()
        let mood = random.draw(0, 7)
        for kind in FaultKind.allCases {
            let isDrawn = random.isOne(in: oneIn(kind))
            switch mood {
            case 0: break
            case 1: if isOfProcessesOrDisks(kind), isDrawn { set.insert(kind) }
            default: if isDrawn { set.insert(kind) }
            }
        }
        if gateways == 1 {
            for kind in FaultKind.allCases where needsPeers(kind) { set.remove(kind) }
        }
        return set
    }

    private static func oneIn(_ kind: FaultKind) -> Int {
        switch kind {
        case .crash, .powerCut, .failedWrite, .failedSync, .sinkUnavailable, .datagramLoss, .partition: 2
        case .poison, .readOnlyDisk, .fullDisk, .lyingSync, .bitRot, .misdirectedWrite, .unreadableSectors, .wipedDisk,
            .oldImage, .clonedCard, .massRestart, .smallMTU:
            4
        default: 3
        }
    }

    private static func isOfProcessesOrDisks(_ kind: FaultKind) -> Bool {
        kind.rawValue <= FaultKind.clonedCard.rawValue
    }

    static func needsPeers(_ kind: FaultKind) -> Bool {
        switch kind {
        case .massRestart, .wipedDisk, .oldImage, .clonedCard, .sinkOutOfReach: true
        default: isOfNetwork(kind)
        }
    }

    static func isOfNetwork(_ kind: FaultKind) -> Bool {
        (FaultKind.datagramLoss.rawValue...FaultKind.brokenStream.rawValue).contains(kind.rawValue)
    }

    /// Seconds from one fault of the kind to the next in one history, before the scenario's patience; `nil` for what is a condition
    /// rather than an event.
    static func interval(_ kind: FaultKind) -> ClosedRange<Int64>? {
        switch kind {
        case .crash, .powerCut: 1...25
        case .gracefulStop, .pause: 10...60
        case .massRestart: 20...100
        case .failedWrite, .failedSync: 2...40
        case .slowDisk: 2...20
        case .readOnlyDisk, .fullDisk: 10...100
        case .lyingSync, .bitRot, .misdirectedWrite, .unreadableSectors: 10...60
        case .wipedDisk, .oldImage, .clonedCard: 8...40
        case .sinkUnavailable, .sinkLate, .sinkForgetsToAnswer, .sinkThrottles, .sinkGone: 3...60
        case .sinkOutOfReach: 10...90
        case .clockStep, .clockFreeze: 10...60
        case .partition, .oneWayPartition: 10...90
        case .clog, .brokenStream: 5...60
        case .datagramReplay: 1...10
        case .tornSectors, .poison, .clock1970, .clockDrift, .datagramLoss, .datagramDuplication, .datagramReorder,
            .slowNetwork, .smallMTU, .forgetfulBroker:
            nil
        }
    }
}
