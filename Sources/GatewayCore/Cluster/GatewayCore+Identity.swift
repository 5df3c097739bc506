import Environment
import GossipState
import LogFormat
import Membership
package import Model
import Replication
import RingLog
import Sinks

// Clocks of others, and a gateway that finds that it is a copy of another.
extension GatewayCore {
    /// Under which id and in which incarnation the covey knows this gateway; `nil` where it is alone.
    package var identity: (node: NodeID, incarnation: Incarnation)? {
        guard let node = cluster?.setup.node, let incarnation = cluster?.membership.incarnation else { return nil }
        return (node, incarnation)
    }

    /// Lets peers date what this run of the kernel stamped before its clock was right.
    mutating func tellAnchor(_ anchor: ClockAnchor, now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard cluster != nil else { return }
        publish(anchor.value, as: StateName(ClusterSpace.anchors, anchor.key), now: now, &directives)
    }

    /// A peer dates a run of its kernel: what is here of it can be told with that.
    mutating func learn(_ anchor: ClockAnchor, now: MonotonicInstant) {
        ring.anchor(anchor)
        touchState(now: now)
    }

    /// Another process with this gateway's id is alive and was there before: the card was cloned, or an image copied. What this ring holds
    /// keeps its name; what comes from now on bears a new one.
    mutating func becomeAnother(
        than address: PeerAddress, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard var setup = cluster?.setup, let former = cluster?.node else { return }
        for log in ring.logs where formerNodes[log.log] == nil {
            formerNodes[log.log] = former
            putState(StateKey(StateKind.formerNode, log.log.description), former.record)
        }
        setup.node = NodeID(using: &random)
        keep(setup.node, name: setup.name)
        isRenaming = true
        let text =
            "the gateway at \(address) has this one's node id \(former) and was there before: a cloned card or a copied "
            + "image. This one goes on as \(setup.node)"
        directives.append(.report(Report(.error, text)))
        // Whose turn it is, is asked anew.
        pauseUploads(now: now, &directives)
        joinCovey(setup, now: now, &directives)
    }

    /// Joins anew from another address, as after a restart there: peers ask the old address, hear nothing, and take the new one over.
    mutating func move(
        to address: PeerAddress, now: MonotonicInstant, _ directives: inout [GatewayDirective]
    ) {
        guard var setup = cluster?.setup, setup.address != address else { return }
        setup.address = address
        // What is known of the covey by now leads back to it, whatever the configuration says.
        let members = cluster?.membership.members.filter(\.state.isPresent).map(\.address) ?? []
        setup.seeds = Array((members + setup.seeds).prefix(MembershipLimits.seeds))
        directives.append(.report(Report(.notice, "peers reach this gateway at \(address) now")))
        pauseUploads(now: now, &directives)
        joinCovey(setup, now: now, &directives)
    }

    /// The log of the former name ends where nothing of it is on its way; what comes next has a log of the new name.
    mutating func endFormerLog(now: MonotonicInstant, _ directives: inout [GatewayDirective]) {
        guard isRenaming, pending.isEmpty, !isWriting, let log = ring.currentLog else { return }
        // Its last commit may be of this very step.
        extendCurrentLog(now: now, &directives)
        let end = ring.durableEnd
        guard ring.closeCurrentLog() else { return }
        isRenaming = false
        // Offsets begin anew, and who waits for copies of these waits for them still.
        let name = name(of: log)
        for index in tickets.indices where tickets[index].ended == nil { tickets[index].ended = name }
        // What nobody can date yet waits on, as in any older log.
        if let last = undated.last { held.append((log, end, last.until)) }
        for index in sinks.indices { stepUpload(index, .closed(log), now: now, &directives) }
        told = nil
        cluster?.told = nil
        undated.removeAll()
        if let summary = ring.logs.last(where: { $0.log == log }) { tellOldLog(summary, now: now, &directives) }
        drainBacklog(now: now)
    }
}

extension ClockAnchor {
    fileprivate var key: [UInt8] {
        var key: [UInt8] = []
        key.append(fixed: boot.high)
        key.append(fixed: boot.low)
        return key
    }

    fileprivate var value: [UInt8] {
        var value: [UInt8] = []
        value.append(signed: wallOffset.rawValue)
        return value
    }

    /// `nil` for what no gateway writes.
    init?(key: [UInt8], value: [UInt8]) {
        var reader = ByteReader(key, 0..<key.count)
        var rest = ByteReader(value, 0..<value.count)
        guard let high = try? reader.fixed(UInt64.self), let low = try? reader.fixed(UInt64.self),
            let offset = try? rest.signed(), offset.magnitude <= 1 << 61
        else { return nil }
        self.init(boot: BootID(high: high, low: low), wallOffset: Microseconds(offset))
    }
}
