import GatewayCore
import Model
import RingLog

/// How far the reading of all of the ring is that a person ordered: the answer to the order, and `repair` of `/v1/ring`.
package struct RepairDocument: Sendable {
    private let pass: RepairPass
    /// Own readings that came back since it was ordered.
    private let restored: Int
    /// Own readings that damage has taken, in whatever process, and that have not come back.
    private let missing: Int

    /// `nil` where none was ordered in this process.
    init?(core: GatewayCore) {
        guard let pass = core.repair else { return nil }
        self.pass = pass
        restored = core.restoredByRepair
        missing = core.ring.lostReadings
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("state", word)
            json.key("segments")
            json.integer(pass.segments)
            json.key("segments_read")
            json.integer(pass.segmentsRead)
            json.key("bytes")
            json.integer(pass.bytesRead)
            json.key("damaged")
            json.integer(pass.damaged)
            json.key("unanswered")
            json.integer(pass.unanswered)
            json.key("restored")
            json.integer(restored)
            json.key("missing")
            json.integer(missing)
            json.key("reason")
            if case .ended(let reason) = pass.state { json.string(reason) } else { json.null() }
        }
    }

    private var word: String {
        switch pass.state {
        case .reading: "reading"
        case .waiting: "waiting"
        case .done: "done"
        case .ended: "ended"
        }
    }
}
