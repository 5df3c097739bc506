/// Errors that the simulator can plant at the seam between a core and its world, to see that each property catches its own.
package enum PlantedBug: String, CaseIterable, Sendable {
    /// A commit is reported durable without its sync.
    case unsyncedCommit
    /// Readings are altered on their way to a sink.
    case alteredReading
    /// A sink says that it has what it dropped.
    case emptyReceipt
    /// A gateway thinks that no sink is required, and lets everything go.
    case silentEviction
    /// Messages are stored without the mark by which their redelivery is known.
    case forgottenMarks
    /// A reading is missing in what was read for a sink, and nobody says so.
    case skippedReading
    /// All processes draw the same numbers.
    case sameDice
    /// Somebody raises the incarnation of another on the way.
    case raisedIncarnation
    /// A process goes on with the memory that it had a while ago.
    case oldMemory
    /// A stranger's packets make up a member.
    case forgedMember
    /// A gateway reads one value in a peer's state and another one in the same state elsewhere.
    case divergingReplica
    /// A source goes on although the intake is full.
    case deafSource
    /// A gateway uploads what it has uploaded already.
    case repeatedUpload
    /// A damaged block passes for a good one.
    case rottenBlock
    /// A gateway cannot open the ring that it wrote.
    case foreignGeometry
    /// Sources are told before the commit.
    case earlyAcknowledgement
    /// Some sources are never told.
    case lostTicket
    /// A message that became nothing is counted nowhere.
    case lostCount
    /// Undated readings leave at once.
    case hastyClock
    /// A sink's answers never come.
    case muteSink
    /// One gateway hears nobody.
    case deafMember
    /// No gateway gets what it asks peers for.
    case lostCopies
    /// Nobody learns what others upload.
    case secretUploads
    /// Every gateway says everything twenty times.
    case chatter
    /// A survivor uploads nothing but its own.
    case selfishSurvivor

    /// What it is planted for.
    package var property: Property {
        switch self {
        case .unsyncedCommit: .acknowledgedSurvives
        case .alteredReading: .sameKeySameBytes
        case .emptyReceipt: .watermarkIsTrue
        case .silentEviction: .noSilentEviction
        case .forgottenMarks: .noDuplicates
        case .skippedReading: .noSilentGap
        case .sameDice: .logsAreNew
        case .raisedIncarnation: .ownIncarnation
        case .oldMemory: .nothingGoesBack
        case .forgedMember: .strangersChangeNothing
        case .divergingReplica: .replicasAgree
        case .deafSource: .isBounded
        case .repeatedUpload: .boundedDuplicates
        case .rottenBlock: .noRottenReading
        case .foreignGeometry: .startsAlways
        case .earlyAcknowledgement: .syncedFirst
        case .lostTicket: .answersOnce
        case .lostCount: .countsBalance
        case .hastyClock: .waitsForClock
        case .muteSink: .allUploaded
        case .deafMember: .membersAgree
        case .lostCopies: .fullyReplicated
        case .secretUploads: .oneUploader
        case .chatter: .trafficRests
        case .selfishSurvivor: .loneSurvivor
        }
    }

    /// Bends a drawn site so that the bug has a chance to show in few seeds.
    func prepare(_ scenario: inout Scenario) {
        scenario.patience = 1
        scenario.pace = 1
        switch self {
        case .unsyncedCommit: scenario.faults = FaultSet([.powerCut])
        case .silentEviction:
            scenario.faults = FaultSet([.sinkGone])
            scenario.seconds = 400
            scenario.segments = scenario.segments.map { _ in 10 }
            scenario.requireFirstSink()
        case .forgottenMarks: scenario.faults = FaultSet([.crash, .powerCut, .slowDisk])
        case .deafSource: scenario.faults = FaultSet([.readOnlyDisk, .sinkGone])
        case .foreignGeometry: scenario.faults = FaultSet([.crash])
        case .hastyClock: scenario.faults = FaultSet([.clock1970, .powerCut])
        case .deafMember, .chatter, .forgedMember, .raisedIncarnation, .divergingReplica:
            scenario.faults = FaultSet()
            scenario.ending = .plain
        case .lostCopies, .secretUploads:
            scenario.faults = FaultSet([.sinkGone])
            scenario.requireFirstSink()
            scenario.ending = .copiesFirst
        case .selfishSurvivor:
            scenario.faults = FaultSet()
            scenario.ending = .loneSurvivor
        default: scenario.faults = FaultSet([.sinkUnavailable])
        }
        for kind in FaultKind.allCases where scenario.gateways == 1 && FaultAtlas.needsPeers(kind) {
            scenario.faults.remove(kind)
        }
    }

    /// Gateways of the site, where the bug needs peers or none.
    package var gateways: Int? {
        switch self {
        case .sameDice, .raisedIncarnation, .forgedMember, .divergingReplica, .deafMember, .lostCopies, .secretUploads,
            .chatter, .selfishSurvivor:
            3
        default: 1
        }
    }
}
