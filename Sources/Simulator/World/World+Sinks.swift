import Environment
import GatewayCore
import LogFormat
import Model
import Replication
import RingLog
import Sinks

extension World {
    /// A chunk is read for a sink, and goes on its way.
    func read(_ sink: Int, _ request: SendRequest, _ source: SendSource, of gateway: SimulatedGateway) {
        let (whole, result) = source.perform(on: gateway.disk)
        let readings = options.bug == nil ? whole : tamper(read: whole)
        for reading in source.memory {
            learn(reading, from: gateway)
            truth.book(reading.log)?.fates[Int(reading.offset.rawValue)]?.flags.insert(.fromMemory)
        }
        let count = request.range.lowerBound.distance(to: request.range.upperBound)
        guard readings.count == count else {
            if result.gaps.isEmpty, result.damage.isEmpty, !result.overwritten, result.failure == nil {
                fail(.noSilentGap, gateway, "a send has \(readings.count) of \(request.range) of \(request.log)")
            }
            for damage in result.damage { noteDamage(damage, at: gateway) }
            return step(
                gateway,
                .unreadable(sink: sink, request.id, request.log, missing: result.gaps, damage: result.damage))
        }
        checkRead(request, readings, of: gateway)
        let mood = gateway.reaches[sink] ? sinks[sink].mood : .gone
        let isSlow = mood == .late || mood == .storesAndTimesOut
        let delay = isSlow ? streams.sinks.draw(5000, 30_000) : streams.sinks.draw(1, 300)
        let shipment = Shipment(
            gateway: gateway.index, life: gateway.life, sink: sink, request: request, readings: readings, mood: mood)
        later(delay * SimulatedTime.millisecond, .arrival(shipment))
    }

    func arrive(_ shipment: Shipment) {
        let gateway = gateways[shipment.gateway]
        if let fault = shipment.mood.fault { cover(fault) }
        let isPoisoned = scenario.faults.contains(.poison) && shipment.readings.contains { isPoison($0.reading) }
        if isPoisoned { cover(.poison) }
        if shipment.mood.keeps, !isPoisoned, !(has(.emptyReceipt) && isTurn(5)) {
            keep(shipment)
            if has(.repeatedUpload), isTurn(20) { later(SimulatedTime.second, .arrival(shipment)) }
        }
        var outcome = answer(shipment.mood, isPoisoned: isPoisoned)
        if has(.muteSink), shipment.sink == 0 { return }
        if has(.selfishSurvivor), gateways.contains(where: \.isGone),
            truth.book(shipment.request.log)?.owner != shipment.gateway
        {
            outcome = .unavailable(reason: "not mine", retryAfter: nil)
        }
        if outcome == .accepted, gateway.life == shipment.life { noteReceipt(shipment) }
        let devices = SendDevices(shipment.readings)
        deliver(
            .sent(sink: shipment.sink, shipment.request.id, outcome, devices), to: gateway, life: shipment.life)
    }

    private func answer(_ mood: SharedSink.Mood, isPoisoned: Bool) -> SendOutcome {
        switch mood {
        case .good, .late: isPoisoned ? .refused(reason: "422") : .accepted
        case .storesAndTimesOut: .unavailable(reason: "timed out", retryAfter: nil)
        case .unavailable: .unavailable(reason: "503", retryAfter: nil)
        case .throttles: .unavailable(reason: "429", retryAfter: .seconds(streams.sinks.draw(0, 20)))
        case .gone: .unavailable(reason: "connection refused", retryAfter: nil)
        }
    }

    private func keep(_ shipment: Shipment) {
        let bit = UInt8(1) << UInt8(shipment.sink)
        sinks[shipment.sink].arrivals += 1
        for reading in shipment.readings {
            learn(reading, from: gateways[shipment.gateway])
            guard let book = truth.book(reading.log), let fate = book.fate(reading.offset.rawValue) else { continue }
            guard fate.sinks & bit == 0 else {
                checkDouble(Key(reading), shipment)
                continue
            }
            book.fates[Int(reading.offset.rawValue)]?.sinks |= bit
            truth.storedByDevice[shipment.sink][reading.reading.series.device, default: 0] += 1
        }
    }

    /// The gateway knows now that the sink has these readings, for as long as this process lives.
    private func noteReceipt(_ shipment: Shipment) {
        guard let book = truth.book(shipment.request.log) else { return }
        let taker = LogBook.Taker(gateway: Int32(shipment.gateway), life: Int32(shipment.life))
        for reading in shipment.readings { book.note(taker, of: reading.offset.rawValue, at: shipment.sink) }
    }

    func isPoison(_ reading: Reading) -> Bool {
        guard scenario.faults.contains(.poison), case .number(let value) = reading.value else { return false }
        return Truth.isPoison(Int(value))
    }

    /// Readings that were found unreadable here are no longer on this disk; a peer may have them yet.
    func noteDamage(_ damage: DamagedRange, at gateway: SimulatedGateway) {
        if !gateway.history.isDishonest { fail(.noRottenReading, gateway, "damage without a fault: \(damage)") }
        guard let book = truth.book(damage.log) else { return }
        // Should it be fetched again before the next look, that look must find it new.
        gateway.holdings[damage.log]?.remove(damage.range)
        for offset in damage.range.lowerBound.rawValue..<damage.range.upperBound.rawValue
        where offset < UInt64(book.fates.count) {
            book.fates[Int(offset)]?.disks &= ~gateway.bit
        }
    }
}
