/// What must hold in every history. Checkers name the one that was broken; every one has a planted bug that it catches.
package struct Property: Hashable, Sendable {
    /// Short, such as `S1`; a shrunk history must break the one of the same name.
    package let name: String
    package let sentence: String

    private init(_ name: String, _ sentence: String) {
        self.name = name
        self.sentence = sentence
    }

    static let acknowledgedSurvives = Property("S1", "an acknowledged reading survives while a holder's disk does")
    static let sameKeySameBytes = Property("S2", "one key means the same reading everywhere")
    static let watermarkIsTrue = Property("S3", "what a gateway counts as uploaded is at the sink")
    static let noSilentEviction = Property("S4", "nothing leaves a ring but what is uploaded, surplus or counted")
    static let noDuplicates = Property("S5", "a message has one key, and a sink one reading for it")
    static let noSilentGap = Property("S6", "what is missing is named")
    static let logsAreNew = Property("S7", "a log id is never used again")
    static let ownIncarnation = Property("S8", "only its owner raises an incarnation")
    static let nothingGoesBack = Property("S9", "prefix, watermark and seal never go back")
    static let strangersChangeNothing = Property("S10", "forged and replayed packets change nothing")
    static let replicasAgree = Property("S11", "replicas that know the same are the same")
    static let isBounded = Property("S12", "memory, queues and traffic stay bounded")
    static let boundedDuplicates = Property("S13", "doubles on the wire stay within their bound")
    static let noRottenReading = Property("S14", "what is damaged is never served")

    static let startsAlways = Property("start", "a gateway never refuses to start")
    static let syncedFirst = Property("synced", "nothing goes to a sink or a source before it is synced")
    static let countsBalance = Property("ledger", "the ledger's two equations hold, and count what is there")
    static let waitsForClock = Property("clock", "an undated reading waits for the clock")
    static let answersOnce = Property("ticket", "a ticket is settled once, and all are in the end")

    static let allUploaded = Property("L1", "after healing, all that survives is uploaded")
    static let membersAgree = Property("L2", "after healing, membership equals the live set")
    static let fullyReplicated = Property("L3", "after healing, logs reach min(K, N) copies")
    static let oneUploader = Property("L4", "after healing, each log has one uploader")
    static let trafficRests = Property("L5", "after healing, traffic returns to idle")
    static let loneSurvivor = Property("L6", "a lone survivor uploads all")

    package static let all: [Property] = [
        acknowledgedSurvives, sameKeySameBytes, watermarkIsTrue, noSilentEviction, noDuplicates, noSilentGap,
        logsAreNew, ownIncarnation, nothingGoesBack, strangersChangeNothing, replicasAgree, isBounded,
        boundedDuplicates, noRottenReading, startsAlways, syncedFirst, countsBalance, waitsForClock, answersOnce,
        allUploaded, membersAgree, fullyReplicated, oneUploader, trafficRests, loneSurvivor,
    ]
}

/// One broken property.
package struct Failure: Hashable, Sendable, CustomStringConvertible {
    package let property: Property
    /// Simulated nanoseconds.
    package let at: Int64
    /// By its place in the site, where one is to blame.
    package let gateway: Int?
    package let text: String

    package var description: String {
        let who = gateway.map { ", gateway \($0)" } ?? ""
        return "\(property.name) (\(property.sentence)) at \(SimulatedTime.text(at))\(who): \(text)"
    }
}
