package import Environment
import Membership
package import Model
import Replication
import Sinks

/// Who uploads what to one sink, as far as this gateway has to do with it.
package struct UploadDuties: Sendable {
    package struct Entry: Sendable {
        /// Whose log it is, or who uploads it.
        package let gateway: LogOwners.Owner
        package let log: LogID
        /// Readings on this disk that the sink lacks, as far as is known here.
        package let pending: UInt64
    }

    /// Logs of others that this gateway uploads now.
    package var relayed: [Entry] = []
    /// Logs of this gateway that another one uploads now: which one is `gateway`.
    package var relayedBy: [Entry] = []
    /// Why nothing is sent though something of this gateway's logs is pending; `nil` where something is, or nothing is.
    package var reason: String?
}

extension GatewayCore {
    /// - Parameter index: The sink's place among ``sinks``.
    package func duties(_ index: Int, now: MonotonicInstant) -> UploadDuties {
        var duties = UploadDuties()
        let sink = sinks[index]
        let snapshot = sink.machine.snapshot(now: now)
        let views = cluster.map { $0.duty.overview(of: $0.setup.sinks[index], now: now) } ?? []
        var wait: String?
        var isSending = false
        for view in views {
            let isOwn = view.log.node == cluster?.node
            if !isOwn, view.isMine {
                duties.relayed.append(
                    UploadDuties.Entry(gateway: owner(view.log.node), log: view.log.log, pending: view.pending))
            }
            guard isOwn else { continue }
            for peer in view.uploaders {
                duties.relayedBy.append(
                    UploadDuties.Entry(gateway: owner(peer), log: view.log.log, pending: view.pending))
            }
            if view.pending > 0, view.wait == nil { isSending = true }
            if let why = view.wait { wait = wait ?? text(why, view.uploaders, now: now) }
        }
        let isHeldBack = snapshot.breaker == .open && snapshot.counts.pending + relayedPending(duties) > 0
        if isHeldBack {
            let retry = snapshot.retryIn.map { "; the next attempt is in \(max($0.components.seconds, 1)) s" } ?? ""
            duties.reason = "the sink takes nothing" + (snapshot.lastError.map { ": \($0)" } ?? "") + retry
        } else if !isSending, snapshot.fresh.chunks + snapshot.backFill.chunks == 0 {
            duties.reason = wait
        }
        return duties
    }

    private func relayedPending(_ duties: UploadDuties) -> UInt64 { duties.relayed.reduce(0) { $0 + $1.pending } }

    private func owner(_ node: NodeID) -> LogOwners.Owner {
        LogOwners.Owner(node: node, name: cluster?.membership.member(node)?.identity.name ?? "")
    }

    private func text(_ wait: DutyView.Wait, _ uploaders: [NodeID], now: MonotonicInstant) -> String {
        switch wait {
        case .peer:
            let names = uploaders.map { owner($0) }.map { $0.name.isEmpty ? "\($0.node)" : $0.name }
            return "\(names.joined(separator: ", ")) uploads it: this gateway goes on once that one has stopped"
        case .turn(let until):
            let seconds = max(now.duration(to: until).components.seconds, 1)
            return "waits for its turn: listens for \(seconds) s more whether a peer is at it"
        case .proof: return "waits for the proof that the sink has what peers say they uploaded"
        case .acknowledgement: return "waits until the next in rank has heard of the last receipts"
        }
    }
}
