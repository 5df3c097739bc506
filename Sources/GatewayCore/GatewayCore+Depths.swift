package import Membership
package import Model
import RingLog

/// How much waits in each of a core's queues.
package struct GatewayDepths: Hashable, Sendable {
    package let pending: Int
    package let backlog: Int
    package let tickets: Int
    package let dirtyProgress: Int
    package let promises: Int
    package let undated: Int
    package let held: Int
}

extension GatewayCore {
    package var depths: GatewayDepths {
        GatewayDepths(
            pending: pending.count, backlog: backlog.count, tickets: tickets.count, dirtyProgress: dirtyProgress.count,
            promises: promises.count, undated: undated.count, held: held.count)
    }
}

// What is asked after every step of a simulation: a few words each, without a copy of the parts that know them.
extension GatewayCore {
    package var currentLog: LogID? { ring.currentLog }
    package var node: NodeID? { cluster?.setup.node }
    package var incarnation: Incarnation? { cluster?.membership.incarnation }
    package var peers: [Member] { cluster?.membership.members ?? [] }
}
