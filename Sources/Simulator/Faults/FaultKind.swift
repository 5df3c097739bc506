/// Everything that a history may hold against its gateways.
package enum FaultKind: Int, CaseIterable, Sendable {
    // Processes
    case crash, powerCut, gracefulStop, pause, massRestart
    // Disks
    case failedWrite, failedSync, slowDisk, readOnlyDisk, fullDisk, lyingSync, tornSectors, bitRot, misdirectedWrite
    case unreadableSectors, wipedDisk, oldImage, clonedCard
    // Sinks
    case sinkUnavailable, sinkLate, sinkForgetsToAnswer, sinkThrottles, sinkGone, sinkOutOfReach, poison
    // Clocks
    case clock1970, clockStep, clockDrift, clockFreeze
    // Network
    case datagramLoss, datagramDuplication, datagramReorder, datagramReplay, slowNetwork, smallMTU
    case partition, oneWayPartition, clog, brokenStream
    // Sources
    case forgetfulBroker

    /// How the command line and a coverage table name it.
    package var name: String { "\(self)" }
}

/// A set of fault kinds that is walked in one order everywhere.
package struct FaultSet: Hashable, Sendable {
    private var bits: UInt64 = 0

    package init() {}

    package init(_ kinds: [FaultKind]) {
        for kind in kinds { insert(kind) }
    }

    package func contains(_ kind: FaultKind) -> Bool { bits & 1 << UInt64(kind.rawValue) != 0 }
    package mutating func insert(_ kind: FaultKind) { bits |= 1 << UInt64(kind.rawValue) }
    package mutating func remove(_ kind: FaultKind) { bits &= ~(1 << UInt64(kind.rawValue)) }
    /// In the order of their declaration.
    package var kinds: [FaultKind] { FaultKind.allCases.filter { contains($0) } }
}
