package import Environment
package import LogFormat
package import Model
package import RingLog
package import Sinks

/// Names what a source waits for: it is told when all that came with the ticket is durable.
package struct Ticket: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: Ticket, right: Ticket) -> Bool { left.rawValue < right.rawValue }
}

/// What one source hands over at once: readings, the marks by which a redelivery is known, and what it counted on the way.
package struct Submission: Sendable {
    /// Each entry is stored whole or not at all.
    package var entries: [Entry]
    /// What did not become a reading, by stream; `received` of these is part of it, that of the entries' readings is not.
    package var counts: [(device: DeviceID, counts: StreamCounts)]
    /// How long the readings may wait for others before they are synced; zero for a source that is waiting already.
    package var window: Duration
    package var ticket: Ticket?

    package init(
        entries: [Entry], counts: [(device: DeviceID, counts: StreamCounts)] = [], window: Duration,
        ticket: Ticket? = nil
    ) {
        self.entries = entries
        self.counts = counts
        self.window = window
        self.ticket = ticket
    }
}

/// What can happen to a gateway's core.
package enum GatewayEvent: Sendable {
    case submitted(Submission)
    case written(WritePlan.ID, Result<Void, DiskError>)
    case maintained(MaintenanceResult)
    /// `devices`: whose readings were sent, where they could be read.
    case sent(sink: Int, SendID, SendOutcome, SendDevices? = nil)
    /// The readings of a send could not be read here; what is missing for good is named.
    case unreadable(sink: Int, SendID, LogID, missing: [Gap], damage: [DamagedRange])
    case tallied(TallyResult)
    /// A query or an upload met damage.
    case damageFound([DamagedRange])
    /// An upload met what the disk does not give, though it gives what lies elsewhere.
    case unreadFound([DamagedRange])
    /// The wall clock became right: readings of this boot that were stamped before are told with this offset.
    case clockTrusted(ClockAnchor)
    /// What was measured before need not be kept any longer, once every required sink has it.
    case expire(before: Milliseconds)
    /// A broker has no memory of our session: its message ids begin anew.
    case sessionLost(String)
    /// A peer, or somebody who says so, sent this.
    case datagram([UInt8], from: PeerAddress)
    /// The next message on a stream of that peer's, whole and in order.
    case frame([UInt8], from: PeerAddress)
    /// No stream to that peer can be had, or the one there was has broken: frames since may be lost.
    case unreachable(PeerAddress)
    /// Where the covey may be found, looked up anew.
    case seeds([PeerAddress])
    /// Peers reach this gateway elsewhere from now on.
    case moved(PeerAddress)
    /// Say good-bye to the covey for good: nobody waits for this gateway any more, ``GatewayDirective/left`` follows.
    case leave
    /// A member that is gone does not come back: nothing waits for it any more.
    case forget(NodeID)
    /// The keys that this gateway has, at the start or changed by hand.
    case keysLoaded(KeyState)
    /// About a change of the covey's key.
    case keys(KeyOrder)
    /// Answers a ``GatewayDirective/keepKeys(_:version:)``; says why it could not be done.
    case keysKept(version: UInt64, failure: String?)
    /// This gateway reads a broker that others may read as well; `pages` say what of it, and nothing that it does not.
    case served(broker: UInt64, pages: [[UInt8]])
    /// To that member, about such a broker; at most a frame.
    case brokerMessage([UInt8], to: NodeID)
    /// To that member, of a query that runs here: ``CoveyQueryDirective/send(_:to:)``.
    case queryMessage([UInt8], to: NodeID)
    /// A query has ended, and saw so much of peers.
    case queried(AskedCounts)
    /// Answers a ``GatewayDirective/work(_:)``.
    case worked(ReaderResult)
    /// All that the ring holds is to be read at once. Does nothing while that is under way, or where ``GatewayCore/repairRefusal`` says why not.
    case repair
    case tick
    /// Write what is left, at once.
    case stopping
}

/// Where the readings of one send come from: the disk, and behind that RAM, where the disk takes nothing.
package struct SendSource: Sendable {
    package let plan: ReadPlan
    /// What is in RAM only, the last part of the send; nearly always empty.
    package let memory: [StoredReading]
    /// Whose readings these are, where they are not this gateway's own.
    package let owner: Owner?

    package struct Owner: Hashable, Sendable {
        package let node: NodeID
        /// The gateway's name; `nil` where nobody here knows it any more.
        package let name: String?
    }

    /// Reads what is on `disk`. Blocks.
    ///
    /// - Returns: All readings of the send that could be had, in order, and what the disk said of its part.
    package func perform(on disk: any Disk) -> (readings: [StoredReading], disk: ReadResult) {
        let result = plan.perform(on: disk)
        return (memory.isEmpty ? result.readings : result.readings + memory, result)
    }
}

/// What the core asks its shell to do.
package enum GatewayDirective: Sendable {
    /// Perform on the commit thread, answer `written`.
    case write(WritePlan)
    /// Perform on the other storage thread, answer `maintained`.
    case maintain(MaintenancePlan)
    /// Perform on the other storage thread, soon, answer `tallied`.
    case tally(TallyPlan)
    /// Everything that came with these tickets is durable; without a disk, at every sink that must have it.
    case settle([Ticket])
    /// These readings have just become durable (without a disk: have reached the sinks), in order.
    case stored([StoredReading])
    /// Perform the source, send, answer `sent` or `unreadable`.
    case send(sink: Int, SendRequest, SendSource)
    /// Send, once; it may be lost.
    case datagram([UInt8], to: PeerAddress)
    /// Send on the stream to that peer, which is opened where there is none; answer `unreachable` where that fails.
    case frame([UInt8], to: PeerAddress)
    /// Put these keys on the disk, durably, then use them on the link, answer `keysKept`.
    case keepKeys(KeyState, version: UInt64)
    /// Those to whom the first of the keys is spoken whatever they were heard with; replaces those of before.
    case fluent([PeerAddress])
    /// Concerns brokers that several gateways read.
    case brokers(BrokerNews)
    /// Concerns queries that run here.
    case query(QueryNews)
    /// The covey knows that this gateway goes.
    case left
    /// Perform on the other storage thread, answer `worked`.
    case work(ReaderWork)
    /// Answer `tick` then; replaces the wake before it.
    case wake(at: MonotonicInstant)
    case report(Report)
}

/// One line for the log.
package struct Report: Hashable, Sendable {
    package enum Severity: Hashable, Sendable { case notice, warning, error }

    package let severity: Severity
    package let text: String

    package init(_ severity: Severity, _ text: String) {
        self.severity = severity
        self.text = text
    }
}
