import Environment
import GatewayCore
import LogFormat
import Model
import RingLog

extension World {
    /// Draws when a fault of the kind strikes next.
    func plan(_ kind: FaultKind) {
        guard let interval = FaultAtlas.interval(kind), !isHealed else { return }
        let place = kind.rawValue
        let seconds = streams.faults[place].draw(interval.lowerBound, interval.upperBound) * scenario.patience
        let delay = seconds * SimulatedTime.second - streams.faults[place].draw(0, 999) * SimulatedTime.millisecond
        later(delay, .fault(kind))
    }

    func strike(_ kind: FaultKind) {
        guard !isHealed else { return }
        if ![.wipedDisk, .oldImage, .clonedCard].contains(kind) { plan(kind) }
        let victim = gateways[Int(streams.faults[kind.rawValue].draw(0, Int64(gateways.count) - 1))]
        switch kind {
        case .crash, .powerCut:
            guard victim.core != nil else { return }
            cover(kind)
            crash(victim, powerCut: kind == .powerCut)
        case .gracefulStop:
            cover(kind)
            stop(victim)
        case .massRestart:
            cover(kind)
            for gateway in gateways { crash(gateway, powerCut: streams.processes.isOne(in: 2)) }
        case .pause: pause(victim)
        case .failedWrite, .failedSync, .slowDisk, .readOnlyDisk, .fullDisk: trouble(kind, diskOf: victim)
        case .lyingSync, .bitRot, .misdirectedWrite, .unreadableSectors: spoil(kind)
        case .wipedDisk, .oldImage, .clonedCard: replaceDisk(kind, of: victim)
        case .sinkUnavailable: setMood(.unavailable)
        case .sinkLate: setMood(.late)
        case .sinkForgetsToAnswer: setMood(.storesAndTimesOut)
        case .sinkThrottles: setMood(.throttles)
        case .sinkGone: setMood(.gone)
        case .sinkOutOfReach: hideSink(from: victim)
        case .clockStep, .clockFreeze: disturbClock(kind, of: victim)
        case .partition, .oneWayPartition, .clog, .brokenStream, .datagramReplay: disturbNetwork(kind)
        case .tornSectors, .poison, .clock1970, .clockDrift, .datagramLoss, .datagramDuplication, .datagramReorder,
            .slowNetwork, .smallMTU, .forgetfulBroker:
            return
        }
        say("fault \(kind)")
        trace.note(UInt64(kind.rawValue))
    }

    // MARK: Processes

    private func pause(_ gateway: SimulatedGateway) {
        guard gateway.core != nil, gateway.parked == nil, !gateway.isStopping else { return }
        cover(.pause)
        gateway.parked = []
        let isLong = streams.processes.isOne(in: 4)
        let pause = streams.processes.draw(50, isLong ? 40_000 : 3000) * SimulatedTime.millisecond
        later(pause, .relief(.wake(gateway.index)))
    }

    private func wake(_ gateway: SimulatedGateway) {
        guard let waiting = gateway.parked else { return }
        gateway.parked = nil
        for event in waiting { deliver(event, to: gateway, life: gateway.life) }
    }

    // MARK: Disks

    private func trouble(_ kind: FaultKind, diskOf gateway: SimulatedGateway) {
        let counts = gateway.disk.counts
        switch kind {
        case .failedWrite, .failedSync:
            guard gateway.diskFaultsLeft > 0, gateway.core != nil else { return }
            gateway.diskFaultsLeft -= 1
            if kind == .failedSync {
                gateway.disk.failSync(number: counts.syncs)
            } else {
                gateway.disk.failWrite(number: counts.writes + Int(streams.disk.draw(0, 2)))
            }
        case .slowDisk: gateway.slowUntil = time + streams.disk.draw(1, 10) * SimulatedTime.second
        default:
            guard time >= gateway.refusesUntil else { return }
            gateway.disk.refuse(kind == .fullDisk ? .full : .readOnly)
            gateway.refusesUntil = time + streams.disk.draw(1, 60) * SimulatedTime.second
            later(gateway.refusesUntil - time, .relief(.disk(gateway.index)))
        }
        cover(kind)
    }

    /// One gateway of a history has a bad card.
    private var rotten: SimulatedGateway { gateways[Int(scenario.seed % UInt64(gateways.count))] }

    private func spoil(_ kind: FaultKind) {
        let gateway = rotten
        guard gateways.count == 1 || truth.isSafe(without: gateway.index, sinks: judges, rotten: 0) else { return }
        gateway.history.isRotten = true
        let size = Int64(gateway.disk.size)
        switch kind {
        case .lyingSync:
            gateway.disk.lie(true)
            later(streams.disk.draw(1, 10) * SimulatedTime.second, .relief(.disk(gateway.index)))
        case .bitRot:
            let start = streams.disk.draw(0, size / 4096 - 1) * 4096
            for _ in 0..<streams.disk.draw(1, 12) {
                let position = Int(start + streams.disk.draw(0, 4095))
                gateway.disk.flip(at: position, mask: UInt8(streams.disk.draw(1, 255)))
            }
        case .misdirectedWrite:
            let pages = streams.disk.draw(1, 32) * (streams.disk.isOne(in: 2) ? 1 : -1)
            gateway.disk.misdirectWrite(number: gateway.disk.counts.writes, by: Int(pages * 4096))
        default:
            let start = Int(streams.disk.draw(0, size / 512 - 8) * 512)
            gateway.disk.makeUnreadable(start..<start + 512 * Int(streams.disk.draw(1, 8)))
            later(streams.disk.draw(5, 60) * SimulatedTime.second, .relief(.disk(gateway.index)))
        }
        cover(kind)
    }

    private var rottenBits: UInt16 {
        gateways.reduce(0) { $1.history.isRotten ? $0 | $1.bit : $0 }
    }

    /// A card is lost: a blank one, an old image or the copy of another gateway's takes its place.
    private func replaceDisk(_ kind: FaultKind, of gateway: SimulatedGateway) {
        if kind == .oldImage, gateway.image == nil {
            gateway.image = gateway.disk.image()
            return plan(kind)
        }
        for gateway in gateways { noteHoldings(gateway) }
        guard truth.isSafe(without: gateway.index, sinks: judges, rotten: rottenBits) else {
            // Soon enough it will be.
            return later(SimulatedTime.second, .fault(kind))
        }
        plan(kind)
        let disk: SimulatedDisk
        switch kind {
        case .wipedDisk: disk = SimulatedDisk(size: gateway.disk.size)
        case .oldImage:
            guard let image = gateway.image else { return }
            disk = image
            gateway.image = nil
        default:
            let others = gateways.filter { $0.index != gateway.index && $0.disk.size == gateway.disk.size }
            guard let other = others.first else { return }
            disk = other.disk.image()
        }
        crash(gateway, powerCut: true)
        loseDisk(of: gateway, to: disk)
        cover(kind)
    }

    // MARK: Sinks and clocks

    private func setMood(_ mood: SharedSink.Mood) {
        let sink = Int(streams.sinks.draw(0, Int64(sinks.count) - 1))
        sinks[sink].mood = mood
        let isLong = mood == .gone && streams.sinks.isOne(in: 3)
        later(streams.sinks.draw(1, isLong ? 300 : 40) * SimulatedTime.second, .relief(.mood(sink: sink)))
    }

    private func hideSink(from gateway: SimulatedGateway) {
        let sink = Int(streams.sinks.draw(0, Int64(sinks.count) - 1))
        guard gateway.reaches[sink] else { return }
        gateway.reaches[sink] = false
        cover(.sinkOutOfReach)
        let back = Relief.reach(gateway: gateway.index, sink: sink)
        later(streams.sinks.draw(5, 200) * SimulatedTime.second, .relief(back))
    }

    private func disturbClock(_ kind: FaultKind, of gateway: SimulatedGateway) {
        guard gateway.core != nil else { return }
        cover(kind)
        if kind == .clockFreeze {
            gateway.clock.freeze(at: time)
        } else {
            let hours = streams.clocks.draw(-48, 48)
            gateway.clock.jump(by: hours * 3_600_000_000, at: time)
        }
        later(streams.clocks.draw(1, 90) * SimulatedTime.second, .relief(.clock(gateway.index)))
    }

    // MARK: Relief

    func relieve(_ relief: Relief) {
        switch relief {
        case .disk(let index):
            let gateway = gateways[index]
            gateway.disk.lie(false)
            gateway.disk.makeAllReadable()
            if time >= gateway.refusesUntil { gateway.disk.refuse(nil) }
        case .wake(let index): wake(gateways[index])
        case .clock(let index):
            let gateway = gateways[index]
            if !gateway.clock.isTrusted { later(0, gateway, .clockRight) }
        case .reach(let gateway, let sink): gateways[gateway].reaches[sink] = true
        case .mood(let sink): sinks[sink].mood = .good
        case .network(let split): mend(split)
        }
    }

    /// Phase 2 begins: no more faults, every process runs, every clock and every sink is right.
    func heal() {
        isHealed = true
        say("healed")
        for gateway in gateways {
            gateway.refusesUntil = 0
            gateway.slowUntil = 0
            gateway.isStopping = false
            gateway.disk.refuse(nil)
            gateway.disk.lie(false)
            gateway.disk.makeAllReadable()
            gateway.disk.reopen()
            gateway.reaches = gateway.reaches.map { _ in true }
            wake(gateway)
            if gateway.core == nil {
                later(0, .start(gateway.index))
            } else if !gateway.clock.isTrusted {
                later(0, gateway, .clockRight)
            }
        }
        let sinksReturn = gateways.count == 1 || scenario.ending == .plain
        for index in sinks.indices { sinks[index].mood = sinksReturn ? .good : .gone }
        network.heal(at: time)
        heap.removeAll { happening in
            switch happening {
            case .fault, .relief(.mood): true
            default: false
            }
        }
    }
}
