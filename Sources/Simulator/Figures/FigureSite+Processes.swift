import Environment
import GatewayCore
import Model
import RingLog

extension FigureSite {
    func start(_ index: Int) {
        guard gateways[index].core == nil else { return }
        gateways[index].life += 1
        let ring: RingLog
        do throws(RingError) {
            ring = try RingLog.open(disk: gateways[index].disk, options: ringOptions, using: &random).ring
        } catch {
            preconditionFailure("gateway \(index) does not start: \(error)")
        }
        // The first three are the seeds of all.
        let seeds = (0..<min(3, gateways.count)).filter { $0 != index }.map { address(of: $0) }
        let setup = ClusterSetup(
            node: gateways[index].node, name: "g\(index)", address: address(of: index), seeds: seeds,
            sinks: [FigureSink.id])
        var (core, directives) = GatewayCore.resume(
            ring: ring, disk: gateways[index].disk, sinks: [FigureSink.setup], settings: .init(),
            random: SeededRandom(seed: random.next()), boot: gateways[index].clock.boot, cluster: setup,
            now: now(index))
        core.keep(setup.node, name: setup.name)
        gateways[index].core = core
        act(directives, of: index)
    }

    /// The power of a board goes: nothing leaves it any more, and its streams are not closed.
    func cutPower(of index: Int) {
        guard gateways[index].core != nil else { return }
        gateways[index].core = nil
        gateways[index].life += 1
        gateways[index].disk = gateways[index].disk.afterPowerCut(keeping: { _ in false })
        gateways[index].clock.restart(at: time, knowsTime: true)
    }

    func now(_ index: Int) -> MonotonicInstant { gateways[index].clock.now(time) }

    // MARK: Steps

    func step(_ index: Int, _ event: GatewayEvent) {
        guard gateways[index].core != nil else { return }
        let directives = gateways[index].core?.step(event, now: now(index)) ?? []
        act(directives, of: index)
        if kill != nil { watchKill(from: index) }
    }

    func deliver(_ event: ProcessEvent, to index: Int, life: Int) {
        guard gateways[index].life == life, gateways[index].core != nil else { return }
        let disk = gateways[index].disk
        switch event {
        case .written(let plan):
            step(index, .written(plan.id, plan.perform(on: disk)))
            if fresh != nil { watchCopies(at: index) }
        case .maintained(let plan): step(index, .maintained(plan.perform(on: disk)))
        case .tallied(let plan): step(index, .tallied(plan.perform(on: disk)))
        case .read(_, let request, let source): read(request, source, of: index)
        case .sent(let sink, let id, let outcome, let devices):
            step(index, .sent(sink: sink, id, outcome, devices))
        case .tick(let number): if number == gateways[index].tickNumber { step(index, .tick) }
        case .datagram(let bytes, let sender): step(index, .datagram(bytes, from: sender))
        case .frame(let bytes, let sender): step(index, .frame(bytes, from: sender))
        case .unreachable(let peer): step(index, .unreachable(peer))
        case .worked(let work): step(index, .worked(work.perform(on: disk)))
        case .clockRight: break
        }
    }

    func act(_ directives: [GatewayDirective], of index: Int) {
        for directive in directives {
            switch directive {
            case .write(let plan): later(conditions.sync, index, .written(plan))
            case .maintain(let plan): later(conditions.sync, index, .maintained(plan))
            case .tally(let plan): later(conditions.read, index, .tallied(plan))
            case .work(let work): later(conditions.read, index, .worked(work))
            case .stored(let readings): noteStored(readings, at: index)
            case .send(_, let request, let source):
                noteSend(request, from: index)
                later(conditions.read, index, .read(sink: 0, request, source))
            case .datagram(let bytes, let peer): send(bytes, from: index, to: peer)
            case .frame(let bytes, let peer): send(frame: bytes, from: index, to: peer)
            case .wake(let moment):
                gateways[index].tickNumber += 1
                let number = gateways[index].tickNumber
                later(gateways[index].clock.moment(of: moment) - time, index, .tick(number))
            case .settle, .left, .report, .keepKeys, .fluent, .brokers, .query: break
            }
        }
    }

    // MARK: Network

    private func delay() -> Int64 { random.draw(conditions.delay.lowerBound, conditions.delay.upperBound) * 1000 }

    private func send(_ bytes: [UInt8], from index: Int, to address: PeerAddress) {
        traffic.count(datagram: bytes)
        guard let receiver = self.index(at: address) else { return }
        if lost > 0, random.draw(1, 1000) <= lost { return }
        heap.push(.datagram(bytes, from: index, to: receiver), at: time + delay())
    }

    /// Frames of one way stay in their order.
    private func send(frame bytes: [UInt8], from index: Int, to address: PeerAddress) {
        traffic.count(frame: bytes)
        guard let receiver = self.index(at: address) else {
            return later(conditions.connect, index, .unreachable(address))
        }
        let way = index * gateways.count + receiver
        let arrival = max(time + delay() + Int64(bytes.count) * 250, (lastFrames[way] ?? 0) + 1000)
        lastFrames[way] = arrival
        let frame = FigureHappening.frame(bytes, from: index, to: receiver, senderLife: gateways[index].life)
        heap.push(frame, at: arrival)
    }
}
