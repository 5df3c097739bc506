import ClusterLink
import ControlAPI
import Environment
import GatewayCore
import MDNS
import Membership
import Model
import Replication

/// What `status` tells of the covey beside its members: the way to them, what was passed over, and whether every log has its copies.
struct CoveyDocument: Sendable {
    let core: GatewayCore
    let address: PeerAddress
    /// `nil` while the link does not run.
    let link: LinkCounts?
    /// Why the link failed last; `nil` where it never did.
    let linkFailure: String?
    let departure: Departure.State
    /// `nil` where no gateways are looked for by mDNS.
    let neighbours: NeighbourWatch.State?
    /// That this gateway's own certificate is over, or soon will be.
    let certificateRemark: String?

    func write(to json: inout JSONWriter) {
        guard let cluster = core.cluster else { return json.null() }
        json.object { json in
            json.member("address", address.text)
            json.key("linked")
            json.flag(link != nil)
            json.key("departure")
            json.string(departure.rawValue)
            json.key("link_error")
            if link == nil, let linkFailure { json.string(linkFailure) } else { json.null() }
            json.key("mdns")
            if let neighbours { write(neighbours, to: &json) } else { json.null() }
            json.key("key")
            core.writeKey(to: &json)
            // The other gateways, by how this one sees them.
            json.key("members")
            json.object { json in
                for (state, count) in members { json.member(state.word, count) }
            }
            json.key("copies_wanted")
            json.integer(cluster.replicator.wantedCopies)
            json.key("under_replicated")
            let lacking = cluster.replicator.underReplicated
            json.object { json in
                json.member("logs", lacking.logs)
                json.member("readings", lacking.readings)
            }
            // Held by fewer than wanted because fewer are alive: nothing can be done about it but to bring one back, or to forget it.
            json.member("lacking_gateways", cluster.replicator.lackingGateways.readings)
            json.key("link")
            if let link { write(link, to: &json) } else { json.null() }
            json.key("queries")
            write(cluster.questions.counts, to: &json)
            // Messages that were genuine and could not be used, by reason.
            json.key("ignored")
            json.object { json in
                for entry in cluster.ignored.entries { json.member(entry.reason, entry.count) }
            }
        }
    }

    /// How many other gateways are in each state.
    var members: [(state: MemberState, count: Int)] {
        let members = core.cluster?.membership.members ?? []
        return [MemberState.alive, .suspect, .dead, .left].map { state in
            (state, members.count { $0.state == state })
        }
    }

    /// It tries again within this, as long as it is there.
    private static let otherVersionShown = Duration.seconds(120)
    /// Members that a reason names; the rest is counted.
    private static let reasonsForMembers = 3

    /// What is wrong with the covey, a sentence each; nothing where all is well.
    func reasons(now: MonotonicInstant) -> [String] {
        guard let cluster = core.cluster else { return [] }
        var reasons: [String] = []
        switch departure {
        case .staying: break
        case .emptying, .leaving:
            reasons.append("it leaves its covey: \(core.heldHereAlone) readings are still here alone")
        case .left: return ["it has left its covey and is idle: stop and disable it, or restart it to join again"]
        }
        if link == nil {
            reasons.append("the link to the covey is down" + (linkFailure.map { ": \($0)" } ?? ""))
        }
        if let failure = neighbours?.failure { reasons.append("no gateways are found by mDNS: \(failure)") }
        if let other = cluster.otherVersion, other.at.duration(to: now) < Self.otherVersionShown {
            reasons.append(
                "the gateway at \(other.address) speaks protocol \(other.major), this one "
                    + "\(cluster.setup.version.major): neither understands the other, upgrade the older one")
        }
        if let certificateRemark { reasons.append(certificateRemark) }
        reasons += core.keyReasons
        let missing = cluster.membership.members.filter { $0.state == .suspect || $0.state == .dead }
        for member in missing.prefix(Self.reasonsForMembers) {
            let name = member.identity.name.isEmpty ? "\(member.node)" : member.identity.name
            let time = Duration.seconds(max(member.since.duration(to: now).components.seconds, 0)).text
            reasons.append(
                member.state == .suspect
                    ? "gateway \(name) does not answer for \(time)"
                    : "gateway \(name) is dead for \(time): covey forget \(name), where it does not come back")
        }
        if missing.count > Self.reasonsForMembers {
            reasons.append("\(missing.count - Self.reasonsForMembers) more gateways are suspect or dead: covey peers")
        }
        let lacking = cluster.replicator.lackingGateways.readings
        if lacking > 0 {
            reasons.append(
                "\(lacking) readings are on fewer than \(cluster.replicator.wantedCopies) disks, as only "
                    + "\(cluster.membership.presentMembers) gateways are alive")
        }
        return reasons
    }

    private func write(_ neighbours: NeighbourWatch.State, to json: inout JSONWriter) {
        json.object { json in
            json.key("announced")
            json.flag(neighbours.sighting.isAnnounced)
            // Announcements of this covey, of others, and those for which there was no room.
            json.member("found", neighbours.own)
            json.member("foreign", neighbours.foreign)
            json.member("passed_over", neighbours.sighting.passedOver)
            json.key("error")
            if let failure = neighbours.failure { json.string(failure) } else { json.null() }
        }
    }

    /// Pages of readings that peers were given, and that they gave.
    private func write(_ counts: QuestionCounts, to json: inout JSONWriter) {
        json.object { json in
            json.member("served_pages", counts.pages)
            json.member("served_bytes", counts.bytes)
            json.member("turned_away", counts.turnedAway)
            json.member("refused", counts.refused)
            json.member("malformed", counts.malformed)
            json.member("asked_pages", counts.asked.pages)
            json.member("asked_readings", counts.asked.readings)
            json.member("asked_unanswered", counts.asked.unanswered)
            json.member("asked_malformed", counts.asked.malformed)
        }
    }

    private func write(_ counts: LinkCounts, to json: inout JSONWriter) {
        json.object { json in
            json.member("datagrams_sent", counts.datagramsSent)
            json.member("datagram_bytes_sent", counts.datagramBytesSent)
            json.member("datagrams_received", counts.datagramsReceived)
            json.member("datagram_bytes_received", counts.datagramBytesReceived)
            json.member("datagrams_unsent", counts.datagramsUnsent)
            json.member("datagrams_overrun", counts.datagramsOverrun)
            json.member("frames_sent", counts.framesSent)
            json.member("frame_bytes_sent", counts.frameBytesSent)
            json.member("frames_received", counts.framesReceived)
            json.member("frame_bytes_received", counts.frameBytesReceived)
            json.key("refused")
            json.object { json in
                for (reason, count) in counts.refused.sorted(by: { $0.key < $1.key }) { json.member(reason, count) }
            }
            // Whose certificates were refused last, and why.
            json.list("refused_certificates", counts.certificates)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ count: some BinaryInteger) {
        key(name)
        integer(count)
    }
}
