package import Environment
import LogFormat
import Model
import RingLog

/// Reading from this gateway's disk on behalf of the covey.
package struct PeerWork: Sendable {
    let plan: ReadPlan

    /// Reads what is there. Blocks; work and memory are bounded by the plan's limit.
    package func perform(on disk: any Disk) -> PeerWorkResult { PeerWorkResult(read: plan.perform(on: disk)) }
}

/// What a ``PeerWork`` found.
package struct PeerWorkResult: Sendable {
    let read: ReadResult
}
