import Environment
import GatewayCore
import LogFormat
import Model
import Replication
import RingLog
import Sinks

extension World {
    func start(_ gateway: SimulatedGateway) {
        guard gateway.core == nil, !gateway.isGone else { return }
        gateway.life += 1
        gateway.lifeStart = time
        gateway.isStopping = false
        gateway.diskFaultsLeft = 2
        gateway.parked = nil
        say("start \(gateway.index), life \(gateway.life)")
        var ring: RingLog
        do throws(RingError) {
            var options = ringOptions
            if has(.foreignGeometry), gateway.life > 1 {
                options.geometry = Geometry(segmentBytes: 128 << 10, blockBytes: 16 << 10)
            }
            ring = try RingLog.open(disk: gateway.disk, options: options, using: &streams.cores).ring
        } catch {
            guard gateway.history.isDishonest else { return fail(.startsAlways, gateway, error.description) }
            // As the daemon does: what is no ring any more is set aside, and a new one begins.
            say("gateway \(gateway.index) sets its ring aside: \(error)")
            loseDisk(of: gateway, to: SimulatedDisk(size: gateway.disk.size))
            do throws(RingError) {
                ring = try RingLog.open(disk: gateway.disk, options: ringOptions, using: &streams.cores).ring
            } catch { return fail(.startsAlways, gateway, error.description) }
        }
        resume(gateway, on: ring)
    }

    private func resume(_ gateway: SimulatedGateway, on ring: RingLog) {
        gateway.recording?.start(ring)
        var settings = GatewayCore.Settings()
        settings.accountReadings = scenario.accountReadings
        settings.accountWindow = .seconds(scenario.accountSeconds)
        settings.scrubInterval = Self.scrubInterval
        settings.clockWait = has(.hastyClock) ? .seconds(1) : Self.clockWait
        let setup = clusterSetup(gateway, on: ring)
        let seed = has(.sameDice) ? 1 : streams.cores.next()
        let setups = sinks.map { sink in
            has(.silentEviction)
                ? GatewayCore.SinkSetup(name: sink.plan.name, isRequired: false, settings: sink.plan.settings)
                : sink.setup
        }
        let (core, directives) = GatewayCore.resume(
            ring: ring, disk: gateway.disk, sinks: setups, settings: settings, random: SeededRandom(seed: seed),
            boot: gateway.clock.boot,
            cluster: setup, now: now(gateway))
        gateway.core = core
        if let setup { gateway.core?.keep(setup.node, name: setup.name) }
        for index in gateway.sources.indices {
            gateway.sources[index].ticket = nil
            gateway.sources[index].mustRedeliver = true
            // Its last word died unanswered with the process before: a broker has it still.
            guard gateway.sources[index].isSilent, !gateway.sources[index].inFlight.isEmpty else { continue }
            gateway.sources[index].isSilent = false
            later(SimulatedTime.second, .feed(gateway: gateway.index, source: index))
        }
        checkStart(gateway)
        act(directives, of: gateway)
        checkAll(gateway)
        guard !gateway.clock.isTrusted else { return }
        later(streams.clocks.draw(1, 90) * SimulatedTime.second, .relief(.clock(gateway.index)))
    }

    /// How long undated readings wait.
    static let clockWait = Duration.seconds(30)
    /// A pass or two in the time that a run has to become whole.
    static let scrubInterval = Duration.seconds(120)

    func now(_ gateway: SimulatedGateway) -> MonotonicInstant { gateway.clock.now(time) }

    /// The process dies where it stands; with the power, also what the disk had not yet written.
    func crash(_ gateway: SimulatedGateway, powerCut: Bool) {
        guard gateway.core != nil else { return }
        say("\(powerCut ? "power cut" : "crash") of \(gateway.index)")
        if powerCut {
            gateway.disk = afterPowerCut(gateway)
            let knowsTime = !scenario.faults.contains(.clock1970) || streams.clocks.isOne(in: 2) || isHealed
            gateway.clock.restart(at: time, knowsTime: knowsTime)
            if !knowsTime { cover(.clock1970) }
        } else {
            gateway.disk.reopen()
        }
        if time < gateway.refusesUntil { gateway.disk.refuse(.readOnly) }
        end(gateway)
    }

    private func afterPowerCut(_ gateway: SimulatedGateway) -> SimulatedDisk {
        let style = streams.disk.draw(0, scenario.faults.contains(.tornSectors) ? 4 : 3)
        let kept = streams.disk.draw(0, 40)
        if style == 4 { cover(.tornSectors) }
        return gateway.disk.afterPowerCut(fates: { index in
            switch style {
            case 0: .lost
            case 1: index < kept ? .kept : .lost
            case 2: index >= kept ? .kept : .lost
            case 3: streams.disk.isOne(in: 2) ? .kept : .lost
            default: .torn(Int(streams.disk.draw(0, 512)))
            }
        })
    }

    func end(_ gateway: SimulatedGateway) {
        gateway.core = nil
        gateway.unsynced = []
        gateway.life += 1
        gateway.parked = nil
        later(streams.processes.draw(0, 5) * SimulatedTime.second, .start(gateway.index))
    }

    func stop(_ gateway: SimulatedGateway) {
        guard gateway.core != nil, gateway.parked == nil else { return }
        gateway.isStopping = true
        step(gateway, .stopping)
    }

    /// The disk is another one now; what only the old one had is nobody's to bring back.
    func loseDisk(of gateway: SimulatedGateway, to disk: SimulatedDisk) {
        truth.forgetDisk(gateway.index)
        gateway.disk = disk
        gateway.history.hasGoneBack = true
        gateway.storedByDevice = [:]
    }

    // MARK: Steps

    func step(_ gateway: SimulatedGateway, _ event: GatewayEvent) {
        guard gateway.core != nil else { return }
        let directives = gateway.core?.step(event, now: now(gateway)) ?? []
        if gateway.core?.isMemoryOnly ?? false { gateway.history.wasMemoryOnly = true }
        if case .written = event { recordCommit(gateway) }
        act(directives, of: gateway)
        checkStep(gateway)
        if gateway.isStopping, gateway.core?.isQuiet ?? false { end(gateway) }
    }

    func deliver(_ event: ProcessEvent, to gateway: SimulatedGateway, life: Int) {
        guard gateway.life == life, gateway.core != nil else { return }
        if gateway.parked != nil {
            gateway.parked?.append(event)
            return
        }
        switch event {
        case .written(let plan): finish(plan, of: gateway)
        case .maintained(let plan): step(gateway, .maintained(plan.perform(on: gateway.disk)))
        case .tallied(let plan): step(gateway, .tallied(plan.perform(on: gateway.disk)))
        case .read(let sink, let request, let source): read(sink, request, source, of: gateway)
        case .sent(let sink, let id, let outcome, let devices):
            if has(.oldMemory), gateway.core?.isQuiet ?? false {
                if isTurn(7), let old = gateway.oldCore {
                    gateway.core = old
                    gateway.oldCore = nil
                } else if gateway.oldCore == nil {
                    gateway.oldCore = gateway.core
                }
            }
            step(gateway, .sent(sink: sink, id, outcome, devices))
            checkWatermark(gateway, sink)
        case .tick(let number): if number == gateway.tickNumber { step(gateway, .tick) }
        case .datagram(let bytes, let sender): step(gateway, .datagram(bytes, from: sender))
        case .frame(let bytes, let sender): step(gateway, .frame(bytes, from: sender))
        case .unreachable(let peer): step(gateway, .unreachable(peer))
        case .worked(let work): step(gateway, .worked(work.perform(on: gateway.disk)))
        case .clockRight:
            gateway.clock.trust()
            step(gateway, .clockTrusted(gateway.clock.anchor(time)))
        }
    }

    // MARK: Directives

    func act(_ directives: [GatewayDirective], of gateway: SimulatedGateway) {
        for directive in directives {
            switch directive {
            case .write(let plan): begin(plan, of: gateway)
            case .maintain(let plan):
                later(streams.disk.draw(1, 400) * SimulatedTime.millisecond, gateway, .maintained(plan))
            case .tally(let plan):
                later(streams.disk.draw(1, 400) * SimulatedTime.millisecond, gateway, .tallied(plan))
            case .left: say("gateway \(gateway.index) has left")
            // Simulated gateways have no keys, and no brokers in common.
            case .keepKeys, .fluent, .brokers, .query: break
            case .settle(let tickets): if !(has(.lostTicket) && isTurn(10)) { settle(tickets, of: gateway) }
            case .stored(let readings): stored(readings, at: gateway)
            case .send(let sink, let request, let source):
                trace.note(request.log.rawValue ^ request.range.lowerBound.rawValue << 8 ^ UInt64(sink))
                checkSend(request, of: gateway)
                say("gateway \(gateway.index) sends \(request.range) of \(request.log) to sink \(sink)")
                let delay = streams.sinks.draw(0, 50) * SimulatedTime.millisecond
                later(delay, gateway, .read(sink: sink, request, source))
            case .datagram(let bytes, let peer): send(datagram: bytes, from: gateway, to: peer)
            case .frame(let bytes, let peer): send(frame: bytes, from: gateway, to: peer)
            case .work(let work):
                later(streams.disk.draw(1, 30) * SimulatedTime.millisecond, gateway, .worked(work))
            case .wake(let moment):
                gateway.tickNumber += 1
                later(gateway.clock.moment(of: moment) - time, gateway, .tick(gateway.tickNumber))
            case .report(let report): say("gateway \(gateway.index) reports: \(report.text)")
            }
        }
    }

    /// The writes of a plan are under way at once; the sync takes its time, and may fail.
    private func begin(_ plan: WritePlan, of gateway: SimulatedGateway) {
        trace.note(plan.id << 32 | UInt64(plan.bytes))
        recordCut(gateway)
        let isSlow = time < gateway.slowUntil
        let delay = isSlow ? streams.disk.draw(1, 6000) : streams.disk.draw(1, 40)
        later(delay * SimulatedTime.millisecond, gateway, .written(plan))
        gateway.pendingResult = .success(())
        for write in plan.writes {
            do throws(DiskError) { try gateway.disk.write(write.bytes, at: write.position) } catch {
                gateway.pendingResult = .failure(error)
                return
            }
        }
    }

    private func finish(_ plan: WritePlan, of gateway: SimulatedGateway) {
        var result = gateway.pendingResult
        if case .success = result {
            do throws(DiskError) {
                if !has(.unsyncedCommit) { try gateway.disk.sync() }
            } catch { result = .failure(error) }
        }
        if case .success = result, !gateway.unsynced.isEmpty, gateway.disk.pendingSectors == 0 {
            for key in gateway.unsynced {
                guard let book = truth.book(key.log),
                    gateway.holdings[key.log]?.contains(Offset(key.offset)) ?? false
                else { continue }
                book.fates[Int(key.offset)]?.flags.insert(.durable)
                book.fates[Int(key.offset)]?.disks |= gateway.bit
            }
            gateway.unsynced = []
        }
        step(gateway, .written(plan.id, result))
    }

    private func settle(_ tickets: [Ticket], of gateway: SimulatedGateway) {
        for ticket in tickets {
            trace.note(ticket.rawValue)
            guard let index = gateway.sources.firstIndex(where: { $0.ticket == ticket }) else {
                return fail(.answersOnce, gateway, "ticket \(ticket.rawValue)")
            }
            for message in gateway.sources[index].inFlight { checkAcknowledged(message, of: gateway) }
            recordAnswer(gateway, to: gateway.sources[index])
            gateway.sources[index].ticket = nil
            gateway.sources[index].inFlight = []
        }
    }

    private func stored(_ readings: [StoredReading], at gateway: SimulatedGateway) {
        let isInMemory = gateway.core?.isMemoryOnly ?? false
        for reading in readings {
            learn(reading, from: gateway)
            guard let book = truth.book(reading.log) else { continue }
            let place = Int(reading.offset.rawValue)
            if isInMemory {
                book.fates[place]?.flags.insert(.fromMemory)
            } else {
                book.fates[place]?.flags.insert(.durable)
                book.fates[place]?.disks |= gateway.bit
                // Should it be lost again before the next look, that look must miss it.
                let next = reading.offset.advanced(by: 1)
                gateway.holdings[reading.log, default: OffsetRanges()].insert(reading.offset..<next)
                count(book, place)
            }
        }
    }
}
