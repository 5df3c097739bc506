import Environment
import LogFormat
import Model
import RingLog
import Sinks
import Simulator

@testable import GatewayCore

extension Site {
    func perform(_ happening: Happening) {
        note(UInt64(happening.at), UInt64(happening.order))
        switch happening.action {
        case .start: start()
        case .feed(let source): feed(source)
        case .tick: step(.tick)
        case .written(let plan): finish(plan)
        case .maintained(let plan): step(.maintained(plan.perform(on: disk)))
        case .tallied(let plan): step(.tallied(plan.perform(on: disk)))
        case .read(let sink, let request, let source): read(sink, request, source)
        case .answer(let sink, let request, let readings, let mood):
            answer(sink, request, readings, mood, isAlive: happening.life == life)
        case .crash(let powerCut):
            // Most often while something is on its way.
            crash(powerCut: powerCut)
            at(
                time + draw(1, 25_000) * 1_000_000, draw(0, 9) == 0 ? .stop : .crash(powerCut: draw(0, 1) == 0),
                outlives: true)
        case .stop:
            stop()
            at(time + draw(1, 60) * Self.second, .crash(powerCut: draw(0, 1) == 0), outlives: true)
        case .sinkMood(let sink): changeMood(of: sink)
        case .diskMood: changeDisk()
        case .clockRight:
            clockIsTrusted = true
            step(.clockTrusted(ClockAnchor(boot: boot, wallOffset: Microseconds(Self.wall))))
        }
    }

    static let wall: Int64 = 1_763_700_000_000_000

    func step(_ event: GatewayEvent) {
        guard core != nil else { return }
        let directives = core?.step(event, now: now) ?? []
        wasMemoryOnly = wasMemoryOnly || core?.isMemoryOnly ?? false
        act(directives)
        checkStep()
        if isStopping, core?.isQuiet ?? false { end() }
    }

    private func stop() {
        guard core != nil else { return }
        isStopping = true
        step(.stopping)
    }

    // MARK: Directives

    func act(_ directives: [GatewayDirective]) {
        for directive in directives {
            switch directive {
            case .write(let plan): begin(plan)
            case .maintain(let plan): at(time + draw(1, 400) * 1_000_000, .maintained(plan))
            case .tally(let plan): at(time + draw(1, 400) * 1_000_000, .tallied(plan))
            case .settle(let tickets): settle(tickets)
            case .stored(let readings): stored(readings)
            case .send(let sink, let request, let source):
                note(1, UInt64(sink), request.log.rawValue, request.range.lowerBound.rawValue)
                checkSend(request)
                at(time + draw(0, 50) * 1_000_000, .read(sink: sink, request, source))
            case .wake(let moment):
                heap.removeAll { if case .tick = $0.action { true } else { false } }
                at(max(moment.nanoseconds, time), .tick)
            case .datagram, .frame, .work: fail("a gateway alone speaks to nobody", "it did")
            case .report(let report): note(2, UInt64(report.text.utf8.count))
            }
        }
    }

    /// The writes of a plan are under way at once; the sync takes its time, and may fail.
    private func begin(_ plan: WritePlan) {
        note(3, plan.id, UInt64(plan.bytes))
        checks.writes += 1
        if !isHealed, faults.disk, diskFaultsLeft > 0, draw(0, 39) == 0 {
            diskFaultsLeft -= 1
            if draw(0, 1) == 0 {
                disk.failSync(number: disk.counts.syncs)
            } else {
                disk.failWrite(number: disk.counts.writes + Int(draw(0, Int64(plan.writes.count - 1))))
            }
        }
        let slow = draw(0, 19) == 0 ? draw(1, 6000) : draw(1, 40)
        at(time + slow * 1_000_000, .written(plan))
        pendingResult = .success(())
        for write in plan.writes {
            do throws(DiskError) { try disk.write(write.bytes, at: write.position) } catch {
                pendingResult = .failure(error)
                return
            }
        }
    }

    private func finish(_ plan: WritePlan) {
        var result = pendingResult
        if case .success = result {
            do throws(DiskError) { try disk.sync() } catch { result = .failure(error) }
        }
        step(.written(plan.id, result))
    }

    private func settle(_ tickets: [Ticket]) {
        for ticket in tickets {
            note(4, ticket.rawValue)
            guard let index = sources.firstIndex(where: { $0.ticket == ticket }) else {
                return fail("a ticket is settled once", "ticket \(ticket.rawValue)")
            }
            for message in sources[index].inFlight { checkAcknowledged(message) }
            sources[index].ticket = nil
            sources[index].inFlight = []
        }
    }

    private func stored(_ readings: [StoredReading]) {
        for reading in readings {
            note(5, reading.offset.rawValue)
            if core?.isMemoryOnly ?? false {
                checks.fromMemory.insert(Key(reading))
            } else {
                checks.durable.insert(Key(reading))
            }
            checks.learn(reading, self)
        }
    }

    // MARK: Sinks

    private func read(_ sink: Int, _ request: SendRequest, _ source: SendSource) {
        let (readings, result) = source.perform(on: disk)
        for reading in source.memory { checks.fromMemory.insert(Key(reading)) }
        let count = request.range.lowerBound.distance(to: request.range.upperBound)
        guard readings.count == count else {
            checks.unreadable += 1
            if result.gaps.isEmpty, result.damage.isEmpty, !result.overwritten {
                fail("every send can be read", "\(readings.count) of \(request.range) of \(request.log)")
            }
            return step(
                .unreadable(sink: sink, request.id, request.log, missing: result.gaps, damage: result.damage))
        }
        checkRead(request, readings)
        let mood = sinks[sink].mood
        let delay = mood == .late || mood == .storesAndTimesOut ? draw(5000, 30_000) : draw(1, 300)
        at(time + delay * 1_000_000, .answer(sink: sink, request, readings, mood))
    }

    private func answer(
        _ sink: Int, _ request: SendRequest, _ readings: [StoredReading], _ mood: ModelSink.Mood, isAlive: Bool
    ) {
        let isPoisoned = faults.poison && readings.contains { Self.isPoison($0.reading) }
        var outcome = SendOutcome.accepted
        switch mood {
        case .good, .late: if isPoisoned { outcome = .refused(reason: "422") }
        case .storesAndTimesOut:
            outcome = .unavailable(reason: "timed out", retryAfter: nil)
        case .unavailable:
            outcome = .unavailable(reason: "503", retryAfter: draw(0, 1) == 0 ? .seconds(draw(0, 20)) : nil)
        case .gone: outcome = .unavailable(reason: "connection refused", retryAfter: nil)
        }
        let keeps = mood == .good || mood == .late || mood == .storesAndTimesOut
        if keeps, !isPoisoned {
            for reading in readings {
                if let known = sinks[sink].stored[Key(reading)], known != reading.reading {
                    fail("same key, same reading (S2)", "\(Key(reading)) at the sink")
                }
                sinks[sink].store(reading)
                checks.learn(reading, self)
            }
        }
        if isAlive { step(.sent(sink: sink, request.id, outcome, SendDevices(readings))) }
    }

    static func isPoison(_ reading: Reading) -> Bool {
        guard case .number(let value) = reading.value else { return false }
        return Int(value) % 97 == 13
    }

    private func changeMood(of sink: Int) {
        guard !isHealed else { return }
        let moods: [ModelSink.Mood] = [.good, .good, .unavailable, .late, .storesAndTimesOut, .gone]
        sinks[sink].mood = moods.randomElement(using: &random) ?? .good
        at(time + draw(1, 60) * Self.second, .sinkMood(sink), outlives: true)
    }

    private func changeDisk() {
        guard !isHealed else { return }
        if faults.readOnlyDisk, refusesUntil == 0, draw(0, 2) == 0 {
            disk.refuse(draw(0, 1) == 0 ? .readOnly : .full)
            refusesUntil = time + draw(1, 60) * Self.second
            at(refusesUntil, .diskMood, outlives: true)
        } else {
            disk.refuse(nil)
            refusesUntil = 0
            at(time + draw(5, 60) * Self.second, .diskMood, outlives: true)
        }
    }

    // MARK: Sources

    private func feed(_ index: Int) {
        let isFast = draw(0, 9) == 0
        if !isHealed || time < faults.seconds * Self.second + 8 * Self.second {
            at(time + (isFast ? draw(1, 20) : draw(50, 1500)) * 1_000_000, .feed(index), outlives: true)
        } else if core == nil || isStopping || !sources[index].inFlight.isEmpty {
            at(time + Self.second, .feed(index), outlives: true)
        }
        guard core != nil, !isStopping else { return }
        sources[index].isBroker ? deliver(index) : emit(index)
    }

    private func deliver(_ index: Int) {
        guard sources[index].ticket == nil else { return }
        var entries: [Entry] = []
        var counts: [(device: DeviceID, counts: StreamCounts)] = []
        let name = sources[index].name
        if sources[index].mustRedeliver {
            sources[index].mustRedeliver = false
            if draw(0, 9) == 0 {
                // The broker has forgotten us, and what it had for us.
                sources[index].inFlight = []
                step(.sessionLost(name))
            }
        }
        guard let core else { return }
        for place in sources[index].inFlight.indices {
            let message = sources[index].inFlight[place]
            if core.holds(broker: name, message: message.id, hash: message.hash) {
                var duplicate = StreamCounts()
                duplicate.received = 1
                duplicate.duplicate = 1
                counts.append((message.readings[0].series.device, duplicate))
            } else {
                let again = message.readings.map { reading in
                    Reading(series: reading.series, stamp: stamp(), value: reading.value)
                }
                sources[index].inFlight[place] = Message(id: message.id, hash: message.hash, readings: again)
                entries.append(Entry(again, mark: core.mark(broker: name, message: message.id, hash: message.hash)))
            }
        }
        let isBurst = draw(0, 29) == 0
        for _ in 0..<draw(sources[index].inFlight.isEmpty ? 1 : 0, isBurst ? 40 : 6) {
            sources[index].nextID &+= 1
            let id = sources[index].nextID
            let message = Message(id: id, hash: random.next() >> 24, readings: makeReadings(index, upTo: 6))
            sources[index].inFlight.append(message)
            entries.append(
                Entry(message.readings, mark: core.mark(broker: name, message: message.id, hash: message.hash)))
        }
        if draw(0, 9) == 0 { counts.append(rejection(index)) }
        let ticket = Ticket(nextTicket)
        nextTicket += 1
        sources[index].ticket = ticket
        step(.submitted(Submission(entries: entries, counts: counts, window: .zero, ticket: ticket)))
    }

    private func emit(_ index: Int) {
        guard let core, !core.isFull else { return }
        let window =
            [Duration.milliseconds(100), .seconds(1), .seconds(5)].randomElement(using: &random) ?? .seconds(1)
        let entries = (0..<draw(1, 4)).map { _ in Entry(makeReadings(index, upTo: 3)) }
        step(
            .submitted(
                Submission(entries: entries, counts: draw(0, 9) == 0 ? [rejection(index)] : [], window: window)))
    }

    private func rejection(_ index: Int) -> (device: DeviceID, counts: StreamCounts) {
        var counts = StreamCounts()
        counts.received = 2
        counts.rejected.add(1, for: "empty")
        counts.dropped.add(1, for: "quota")
        return (DeviceID("\(sources[index].name)-0"), counts)
    }

    private func makeReadings(_ index: Int, upTo most: Int64) -> [Reading] {
        let device = DeviceID("\(sources[index].name)-\(draw(0, 2))")
        return (0..<draw(1, most)).map { _ in
            nextValue += 1
            checks.born[nextValue] = time
            return Reading(
                series: Series(device: device, metric: "m\(draw(0, 2))"), stamp: stamp(),
                value: .number(Double(nextValue)))
        }
    }

    private func stamp() -> Stamp {
        Stamp(
            boot: boot, uptime: Microseconds(time / 1000),
            wallOffset: Microseconds(clockIsTrusted ? Self.wall + draw(0, 3) : draw(0, 3)), isTrusted: clockIsTrusted)
    }
}
