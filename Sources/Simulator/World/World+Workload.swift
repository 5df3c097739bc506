import Environment
import GatewayCore
import LogFormat
import Model
import RingLog

extension World {
    /// A source has something to say, and says when it will speak next.
    func feed(_ gateway: SimulatedGateway, _ index: Int) {
        let isFast = streams.workload.isOne(in: 10)
        let pause = isFast ? streams.workload.draw(1, 20) : streams.workload.draw(50, 1500)
        let happening = Happening.feed(gateway: gateway.index, source: index)
        let hasMouth = gateway.core != nil && !gateway.isStopping && gateway.parked == nil
        if !isHealed || time < scenario.seconds * SimulatedTime.second + Self.lastWords {
            later(pause * scenario.pace * SimulatedTime.millisecond, happening)
        } else if !hasMouth || !gateway.sources[index].inFlight.isEmpty {
            later(SimulatedTime.second, happening)
        } else {
            gateway.sources[index].isSilent = true
        }
        guard hasMouth else { return }
        gateway.sources[index].isBroker ? speak(gateway, index) : emit(gateway, index)
    }

    /// How long sources go on after everything is healed.
    static let lastWords = 8 * SimulatedTime.second

    /// A broker delivers again what was not acknowledged, and something new.
    private func speak(_ gateway: SimulatedGateway, _ index: Int) {
        guard gateway.sources[index].ticket == nil else { return }
        let name = gateway.sources[index].name
        if gateway.sources[index].mustRedeliver {
            gateway.sources[index].mustRedeliver = false
            if scenario.faults.contains(.forgetfulBroker), streams.workload.isOne(in: 4) {
                cover(.forgetfulBroker)
                gateway.sources[index].inFlight = []
                step(gateway, .sessionLost(name))
            }
        }
        var entries: [Entry] = []
        var counts: [(device: DeviceID, counts: StreamCounts)] = []
        for place in gateway.sources[index].inFlight.indices {
            redeliver(gateway, index, place, &entries, &counts)
        }
        let isBurst = streams.workload.isOne(in: 30)
        let fewest: Int64 = gateway.sources[index].inFlight.isEmpty ? 1 : 0
        for _ in 0..<streams.workload.draw(fewest, isBurst ? 40 : 6) {
            gateway.sources[index].nextID &+= 1
            let message = Message(
                id: gateway.sources[index].nextID, hash: streams.workload.next() >> 24,
                readings: makeReadings(gateway, index, upTo: 6))
            gateway.sources[index].inFlight.append(message)
            let mark = gateway.ask { $0.mark(broker: name, message: message.id, hash: message.hash) }
            entries.append(Entry(message.readings, mark: has(.forgottenMarks) ? nil : mark))
        }
        if streams.workload.isOne(in: 10) { counts.append(rejection(gateway, index)) }
        let ticket = Ticket(nextTicket)
        nextTicket += 1
        gateway.sources[index].ticket = ticket
        step(gateway, .submitted(Submission(entries: entries, counts: counts, window: .zero, ticket: ticket)))
        if has(.earlyAcknowledgement) {
            for message in gateway.sources[index].inFlight { checkAcknowledged(message, of: gateway) }
        }
    }

    private func redeliver(
        _ gateway: SimulatedGateway, _ index: Int, _ place: Int, _ entries: inout [Entry],
        _ counts: inout [(device: DeviceID, counts: StreamCounts)]
    ) {
        let name = gateway.sources[index].name
        let message = gateway.sources[index].inFlight[place]
        guard !(gateway.ask { $0.holds(broker: name, message: message.id, hash: message.hash) } ?? false) else {
            var duplicate = StreamCounts()
            duplicate.received = 1
            duplicate.duplicate = 1
            return counts.append((message.readings[0].series.device, duplicate))
        }
        let again = message.readings.map { Reading(series: $0.series, stamp: stamp(gateway), value: $0.value) }
        gateway.sources[index].inFlight[place] = Message(id: message.id, hash: message.hash, readings: again)
        let mark = gateway.ask { $0.mark(broker: name, message: message.id, hash: message.hash) }
        entries.append(Entry(again, mark: mark))
    }

    /// A wire cannot wait: what has no room is lost, and counted elsewhere.
    private func emit(_ gateway: SimulatedGateway, _ index: Int) {
        guard !(gateway.ask { $0.isFull } ?? true) || has(.deafSource) else { return }
        let window = streams.workload.pick([Duration.milliseconds(100), .seconds(1), .seconds(5)])
        let entries = (0..<streams.workload.draw(1, 4)).map { _ in Entry(makeReadings(gateway, index, upTo: 3)) }
        let counts = streams.workload.isOne(in: 10) ? [rejection(gateway, index)] : []
        step(gateway, .submitted(Submission(entries: entries, counts: counts, window: window)))
    }

    private func rejection(_ gateway: SimulatedGateway, _ index: Int) -> (device: DeviceID, counts: StreamCounts) {
        var counts = StreamCounts()
        counts.received = has(.lostCount) ? 3 : 2
        counts.rejected.add(1, for: "empty")
        counts.dropped.add(1, for: "quota")
        return (gateway.sources[index].devices[0], counts)
    }

    private func makeReadings(_ gateway: SimulatedGateway, _ index: Int, upTo most: Int64) -> [Reading] {
        let device = gateway.sources[index].devices[Int(streams.workload.draw(0, 2))]
        return (0..<streams.workload.draw(1, most)).map { _ in
            let value = truth.newValue(at: time)
            return Reading(
                series: Series(device: device, metric: Self.metrics[Int(streams.workload.draw(0, 2))]),
                stamp: stamp(gateway), value: .number(Double(value)))
        }
    }

    private static let metrics = ["m0", "m1", "m2"]

    private func stamp(_ gateway: SimulatedGateway) -> Stamp {
        gateway.clock.stamp(time, jitter: streams.clocks.draw(0, 3))
    }
}
