import GatewayCore
import Membership
import Model
import Replication
import RingLog
import Sinks

extension Figures {
    // MARK: Detection

    /// What the configured timers allow at best, for the median kill: the time until some other's turn comes to probe the dead one, of
    /// N - 1 others of which each probes each other once in (N - 1) intervals; that probe's interval; the least time to contradict.
    ///
    ///     (N - 1) · (1 - 2^(-1/(N - 1))) · probe interval + probe interval + suspicion
    ///
    /// Suspicion is 4 · max(1, log10 N) s, with 3 gateways or fewer 8 s. Rumours and the network come on top.
    static func floor(gateways: Int) -> Int64 {
        let settings = MembershipSettings()
        let interval = Double(settings.probeInterval.components.seconds)
        let others = Double(gateways - 1)
        let suspicion =
            gateways <= 3
            ? Double(settings.smallSuspicion.components.seconds)
            : Double(settings.suspicionMultiplier) * max(1, logarithm10(Double(gateways)))
        // 1 - 2^(-1/n) by its series: exact enough from n = 2 on.
        let exponent = 0.693_147_180_6 / others
        let turn = others * (exponent - exponent * exponent / 2 + exponent * exponent * exponent / 6) * interval
        return Int64((turn + interval + suspicion) * Double(SimulatedTime.second))
    }

    private static func logarithm10(_ value: Double) -> Double {
        // By bisection, as floors below the shell have no library of functions.
        var (low, high) = (0.0, 1.0)
        var rest = value
        var whole = 0.0
        while rest >= 10 { (rest, whole) = (rest / 10, whole + 1) }
        // 10^x for x in 0..<1 by repeated square roots of ten.
        var power = 1.0
        var root = 10.0
        var step = 1.0
        for _ in 0..<40 {
            root = root.squareRoot()
            step /= 2
            if power * root <= rest { (power, low) = (power * root, low + step) }
            high = low + step
        }
        return whole + (low + high) / 2
    }

    mutating func takeDetection() {
        row.detection.floor = Self.floor(gateways: row.gateways)
        for _ in 0..<plan.kills {
            let victim = site.drawVictim()
            kill(victim)
            let limit = 6 * row.detection.floor / SimulatedTime.second
            let isKnown = site.run(within: limit, until: { $0.isDeathKnown })
            if let kill = site.kill {
                if let at = kill.suspectAt { row.detection.suspected.all.append(at - kill.at) }
                if let first = kill.deadAt.values.min() { row.detection.firstDead.all.append(first - kill.at) }
                let last = isKnown ? kill.deadAt.values.max() ?? site.time : site.time
                row.detection.allKnow.all.append(last - kill.at)
                say("death of \(victim) known to \(kill.deadAt.count) after \(seconds(last - kill.at))")
            }
            bringBack(victim)
        }
    }

    func kill(_ victim: Int) {
        let core = site.gateways[victim].core
        site.kill = FigureKill(
            victim: victim, node: site.gateways[victim].node, at: site.time, logs: core?.ring.logIDs ?? [])
        site.cutPower(of: victim)
    }

    /// The same board with the same disk; waits until everybody holds it for alive.
    func bringBack(_ victim: Int) {
        site.kill = nil
        site.start(victim)
        if !site.run(within: 300, until: { $0.isComplete }) { say("\(victim) is not known again") }
        // Health scores and rumours settle; the next kill meets a fresh place in the probes' order.
        site.run(seconds: 20)
        site.run(until: site.time + site.random.draw(0, 2000) * SimulatedTime.millisecond)
    }

    // MARK: Copies

    /// Some gateways measure now and then while the sink is away, so that only copies count.
    func copies(window: Duration) -> FigureRow.Times {
        site.sink.isAway = true
        site.fresh = FreshReadings()
        let sources = (0..<min(plan.sources, row.gateways)).map { $0 * row.gateways / min(plan.sources, row.gateways) }
        site.begin(
            FigureFeed(
                gateways: sources, window: window, interval: 2 * SimulatedTime.second,
                until: site.time + plan.sourceSeconds * SimulatedTime.second))
        site.run(seconds: plan.sourceSeconds)
        _ = site.run(within: 60, until: { ($0.fresh?.waiting ?? []).isEmpty && ($0.fresh?.handedOver ?? [:]).isEmpty })
        var ages = site.fresh?.ages ?? []
        // What has not arrived counts with the time that it has had.
        for waiting in site.fresh?.waiting ?? [] { ages.append(site.time - waiting.handedOver) }
        site.fresh = nil
        site.feed = nil
        site.sink.isAway = false
        _ = site.run(within: 300, until: { $0.hasUploadedAll })
        let times = FigureRow.Times(all: ages)
        say("copies of \(times.count) readings: worst \(seconds(times.worst ?? 0))")
        return times
    }

    // MARK: Hand-offs

    mutating func takeHandOffs() {
        row.handOffs.bound = DutySettings().chunksUnknown * DutySettings().chunkReadings
        for _ in 0..<plan.handOffs { handOff(site.drawVictim()) }
    }

    /// A gateway measures more than the slow sink takes. It dies when all of that is copied and part of it uploaded, and comes back while
    /// its taker is uploading.
    private mutating func handOff(_ victim: Int) {
        let chunk = DutySettings().chunkReadings
        site.conditions.sinkAnswer = SimulatedTime.second
        let before = site.sink.readings
        let doublesInPeace = site.sink.doubles
        for part in 0..<plan.backlogChunks {
            site.submit((0..<chunk).map { Double(part * chunk + $0) }, at: victim, window: .zero)
            site.run(until: site.time + 100 * SimulatedTime.millisecond)
        }
        if !site.run(within: 15, until: { $0.isCopied(victim) }) { say("the backlog is not copied") }
        let backlog = plan.backlogChunks * chunk
        let doublesBefore = site.sink.doubles
        row.handOffs.doublesInPeace.append(doublesBefore - doublesInPeace)
        say("\(site.sink.readings - before) of \(backlog) uploaded, \(doublesBefore - doublesInPeace) doubles so far")
        kill(victim)
        let atDeath = site.sink.readings
        _ = site.run(
            within: 300,
            until: { $0.kill?.takenOver != nil && $0.isDeathKnown && $0.sink.readings >= atDeath + backlog / 8 })
        if let kill = site.kill, let taken = kill.takenOver {
            row.handOffs.silence.all.append(taken.at - kill.at)
            row.handOffs.takeover.all.append(max(0, taken.at - (kill.deadAt[taken.by] ?? taken.at)))
            say("taken over by \(taken.by) \(seconds(taken.at - kill.at)) after the death of \(victim)")
        }
        row.handOffs.doublesAtDeath.append(site.sink.doubles - doublesBefore)
        let doublesAtDeath = site.sink.doubles
        site.kill = nil
        site.start(victim)
        if !site.run(within: 900, until: { $0.sink.readings >= before + backlog }) {
            row.handOffs.missing += before + backlog - site.sink.readings
        }
        site.run(seconds: 60)
        row.handOffs.doublesAtReturn.append(site.sink.doubles - doublesAtDeath)
        say("doubles \(row.handOffs.doublesAtDeath), at return \(row.handOffs.doublesAtReturn)")
        site.conditions.sinkAnswer = FigureSite.Conditions().sinkAnswer
    }
}

extension FigureSite {
    /// One that is no seed, where there are others.
    func drawVictim() -> Int { Int(random.draw(gateways.count > 6 ? 3 : 0, Int64(gateways.count) - 1)) }

    var isDeathKnown: Bool {
        guard let kill else { return true }
        return kill.deadAt.count == living.count
    }

    /// Whether the gateway knows all its readings to be on as many disks as they should.
    func isCopied(_ index: Int) -> Bool {
        guard let core = gateways[index].core, let cluster = core.cluster, core.isQuiet else { return false }
        return cluster.replicator.underReplicated.readings == 0
    }

    /// Whether no gateway's own readings wait for the sink.
    var hasUploadedAll: Bool {
        gateways.allSatisfy { $0.core.map { core in core.sinks.allSatisfy { $0.machine.counts.pending == 0 } } ?? true }
    }
}
