import GatewayCore
import GossipState
import Membership

/// What one covey's figures are; times in simulated nanoseconds.
package struct FigureRow: Sendable {
    /// Some times of one thing.
    package struct Times: Sendable {
        package var all: [Int64] = []

        package var count: Int { all.count }
        package var median: Int64? { all.isEmpty ? nil : all.sorted()[(all.count - 1) / 2] }
        package var worst: Int64? { all.max() }
    }

    package struct Part: Sendable {
        package let name: String
        package let messagesPerSecond: Double
        package let bytesPerSecond: Double
    }

    package struct Idle: Sendable {
        /// Bytes that a gateway sends a second, with everything that is added on the way; the mean of all.
        package var bytesPerSecond = 0.0
        /// The same of datagrams, of streams, and of the datagrams' payload alone.
        package var datagrams = 0.0
        package var streams = 0.0
        package var payload = 0.0
        package var seconds: Int64 = 0
        package var parts: [Part] = []
    }

    package struct Loss: Sendable {
        package var percent: Int64 = 0
        package var seconds: Int64 = 0
        /// Gateways that one held for dead and for suspect, added up over all.
        package var deaths: UInt64 = 0
        package var suspicions: UInt64 = 0
    }

    package struct Detection: Sendable {
        package var suspected = Times()
        package var firstDead = Times()
        package var allKnow = Times()
        /// What the timers allow at best, in the median: see ``Figures/floor(gateways:)``.
        package var floor: Int64 = 0
    }

    package struct HandOffs: Sendable {
        /// From the moment at which the taker knew of the death to its first send; 0 where it sent before.
        package var takeover = Times()
        /// From the power's loss to that.
        package var silence = Times()
        /// Readings that the sink had already, for each gateway that died while it uploaded, and for each that came back.
        package var doublesAtDeath: [Int] = []
        /// The same before the death, while nothing was amiss.
        package var doublesInPeace: [Int] = []
        package var doublesAtReturn: [Int] = []
        package var bound = 0
        /// Readings that never came to the sink.
        package var missing = 0
    }

    package let gateways: Int
    /// From the first boot until all knew all, and knew the same of each other.
    package var joined: Int64?
    package var settled: Int64?
    package var idle = Idle()
    package var loss = Loss()
    package var detection = Detection()
    package var copiesAtOnce = Times()
    package var copiesInSecond = Times()
    package var handOffs = HandOffs()
    package var events = 0
    package var simulated: Int64 = 0
}

/// How long each figure is looked at.
package struct FigurePlan: Sendable {
    package var seed: UInt64 = 1
    package var idleSeconds: Int64 = 300
    package var lossSeconds: Int64 = 600
    package var kills = 9
    package var handOffs = 3
    package var sources = 5
    package var sourceSeconds: Int64 = 60
    /// Chunks that wait for the sink before a hand-off.
    package var backlogChunks = 200
    /// What every gateway measures first, so that all have a log to tell of.
    package var readings = 8

    /// A thousand gateways cost much: fewer kills and shorter times, which the table states.
    package init(gateways: Int) {
        if gateways > 100 { (lossSeconds, kills, handOffs) = (300, 5, 2) }
        if gateways > 500 {
            (idleSeconds, lossSeconds, kills, handOffs) = (120, 300, 5, 1)
            // A thousand states of a thousand logs take 8 GB.
            readings = 0
        }
    }
}

/// Takes the figures of one covey. Pure: the same plan gives the same figures.
package struct Figures {
    let site: FigureSite
    let plan: FigurePlan
    var row: FigureRow
    let say: (String) -> Void

    /// - Parameter say: Told of each part as it is done.
    package static func measure(gateways: Int, plan: FigurePlan, say: @escaping (String) -> Void) -> FigureRow {
        let site = FigureSite(gateways: gateways, seed: plan.seed)
        var figures = Figures(site: site, plan: plan, row: FigureRow(gateways: gateways), say: say)
        figures.join()
        figures.takeIdle()
        figures.takeDetection()
        figures.row.copiesAtOnce = figures.copies(window: .zero)
        figures.row.copiesInSecond = figures.copies(window: .seconds(1))
        figures.takeHandOffs()
        figures.takeLoss()
        figures.row.events = site.events
        figures.row.simulated = site.time
        return figures.row
    }

    func seconds(_ time: Int64) -> String { SimulatedTime.text(time) }

    // MARK: Joining and idling

    /// All boot within seconds; then every gateway of a smaller covey measures a little, so that it has a log, devices and
    /// uploads to tell of.
    mutating func join() {
        for _ in 0..<90 where row.joined == nil {
            if site.run(within: 10, until: { $0.isComplete }) { row.joined = site.time }
            if row.joined == nil { say("\(seconds(site.time)): the last knows \(site.fewestKnown)") }
        }
        say("all know all after \(seconds(site.time))")
        let values = (0..<plan.readings).map(Double.init)
        if !values.isEmpty { for index in site.living { site.submit(values, at: index, window: .seconds(1)) } }
        site.run(seconds: 10)
        for _ in 0..<45 where row.settled == nil {
            if site.run(within: 20, asking: 5, until: { $0.knowsTheSame }) { row.settled = site.time }
            if row.settled == nil { say("\(seconds(site.time)): \(site.differing) differ from the first") }
        }
        say("all know the same after \(seconds(site.time))")
        // The slowest of what follows an upload is the sinks' accounts, a minute later.
        site.run(seconds: plan.readings > 0 ? 120 : 60)
    }

    mutating func takeIdle() {
        let before = site.traffic
        site.traffic = FigureTraffic()
        site.run(seconds: plan.idleSeconds)
        let traffic = site.traffic
        site.traffic = before
        let share = 1 / Double(plan.idleSeconds) / Double(site.living.count)
        row.idle.bytesPerSecond = Double(traffic.bytes) * share
        row.idle.datagrams = Double(traffic.datagrams.bytes) * share
        row.idle.streams = Double(traffic.streams.bytes) * share
        row.idle.payload = Double(traffic.payload) * share
        row.idle.seconds = plan.idleSeconds
        row.idle.parts = traffic.kinds.enumerated().filter { $0.element.messages > 0 }.map { kind, count in
            FigureRow.Part(
                name: FigureTraffic.name(ofKind: kind), messagesPerSecond: Double(count.messages) * share,
                bytesPerSecond: Double(count.bytes) * share)
        }
        say("idle: \(row.idle.bytesPerSecond) bytes/s for each gateway")
        for part in row.idle.parts {
            say("  \(part.name): \(part.messagesPerSecond) messages/s, \(part.bytesPerSecond) bytes/s")
        }
    }

    /// Half of all datagrams are lost, each on its own; streams stand.
    mutating func takeLoss() {
        _ = site.run(within: 300, until: { $0.isComplete })
        let before = site.counts
        site.lost = 500
        site.run(seconds: plan.lossSeconds)
        site.lost = 0
        let after = site.counts
        row.loss = FigureRow.Loss(
            percent: 50, seconds: plan.lossSeconds, deaths: after.deaths - before.deaths,
            suspicions: after.suspicions - before.suspicions)
        say("under loss: \(row.loss.deaths) false deaths, \(row.loss.suspicions) suspicions")
    }
}

extension FigureSite {
    /// Whether each that runs holds all others that run for present.
    var isComplete: Bool {
        let wanted = living.count - 1
        guard wanted == gateways.count - 1 else { return false }
        return gateways.allSatisfy { gateway in
            guard let members = gateway.core?.cluster?.membership.members, members.count == wanted else { return false }
            return members.allSatisfy { $0.state == .alive }
        }
    }

    /// How many others that run the one knows that knows fewest.
    var fewestKnown: Int { gateways.map { $0.core?.cluster?.membership.presentNodes.count ?? 0 }.min() ?? 0 }

    /// How many have another state of all than the first.
    var differing: Int {
        guard let first = gateways.first?.core?.cluster?.gossip.context else { return gateways.count }
        return gateways.count { $0.core?.cluster?.gossip.context != first }
    }

    /// Whether all have the same state of each other.
    var knowsTheSame: Bool { differing == 0 }

    /// Deaths and suspicions that all counted since their start.
    var counts: (deaths: UInt64, suspicions: UInt64) {
        gateways.reduce((0, 0)) { sum, gateway in
            guard let counts = gateway.core?.cluster?.membership.counts else { return sum }
            return (sum.0 + counts.deaths, sum.1 + counts.suspicions)
        }
    }
}
