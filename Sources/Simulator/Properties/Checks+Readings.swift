import GatewayCore
import LogFormat
import Model
import RingLog
import Sinks

extension World {
    /// Whatever shows a reading under its key shows the same one, and no number has two keys.
    func learn(_ stored: StoredReading, from gateway: SimulatedGateway) {
        guard case .number(let number) = stored.reading.value, number >= 0, number < Double(truth.born.count) else {
            return fail(.noRottenReading, gateway, "\(Key(stored)) was never said by a source: \(stored.reading)")
        }
        let book = truth.book(stored.log) ?? truth.open(stored.log, owner: gateway.index, life: gateway.life)
        if let before = book.fate(stored.offset.rawValue) {
            if before.reading != stored.reading {
                fail(.sameKeySameBytes, gateway, "\(Key(stored)): \(before.reading), then \(stored.reading)")
            }
            return
        }
        book.note(stored.offset.rawValue, stored.reading)
        let key = Key(stored)
        if let other = truth.keyOfValue[Int(number)] { checkDouble(key, other, from: gateway) }
        truth.keyOfValue[Int(number)] = key
        if isPoison(stored.reading) {
            book.fates[Int(stored.offset.rawValue)]?.flags.insert(.poison)
            truth.notePoison(stored.reading.series.device)
        }
    }

    /// A message that was stored before is stored again: only where the first key was never promised, or its disk could not keep it.
    private func checkDouble(_ key: Key, _ other: Key, from gateway: SimulatedGateway) {
        guard let first = truth.fate(other), !first.flags.contains(.fromMemory), !gateway.history.wasMemoryOnly,
            !gateway.history.isDishonest
        else { return }
        fail(.noDuplicates, gateway, "the reading \(first.value) has the keys \(other) and \(key)")
    }

    /// A reading is in its gateway's counts of stored ones from now on.
    func count(_ book: LogBook, _ place: Int) {
        guard let fate = book.fates[place], !fate.flags.contains(.counted) else { return }
        book.fates[place]?.flags.insert(.counted)
        gateways[book.owner].storedByDevice[fate.reading.series.device, default: 0] += 1
    }

    func checkSend(_ request: SendRequest, of gateway: SimulatedGateway) {
        guard request.log == gateway.core?.currentLog, !gateway.history.wasMemoryOnly else { return }
        let durable = gateway.core?.ring.durableEnd ?? .zero
        if request.range.upperBound > durable {
            fail(.syncedFirst, gateway, "\(request.range) is sent, \(durable) is durable")
        }
    }

    func checkRead(_ request: SendRequest, _ readings: [StoredReading], of gateway: SimulatedGateway) {
        var expected = request.range.lowerBound
        let wait = Self.clockWait.nanoseconds / 32 * 30
        for stored in readings {
            if stored.log != request.log || stored.offset != expected {
                return fail(.noSilentGap, gateway, "a send has \(stored.offset) where \(expected) belongs")
            }
            expected = expected.advanced(by: 1)
            learn(stored, from: gateway)
            // Of a copy no anchor can come while its gateway is dead: nobody waits for one. That holds for one that this box wrote under
            // another node id, before it lost its disk, as well.
            guard gateway.core?.ring.isCopy(request.log) == false,
                !stored.reading.stamp.isTrusted, stored.reading.stamp.boot == gateway.clock.boot,
                let fate = truth.fate(Key(stored)), truth.born.indices.contains(fate.value)
            else { continue }
            let since = max(truth.born[fate.value], gateway.lifeStart)
            let isDated = gateway.core?.ring.time(of: stored.reading.stamp).isTrusted ?? true
            if !isDated, time - since < wait {
                fail(.waitsForClock, gateway, "\(stored.offset) is sent undated after \(time - since) ns")
            }
        }
    }

    func checkAcknowledged(_ message: Message, of gateway: SimulatedGateway) {
        for reading in message.readings {
            guard case .number(let value) = reading.value, let key = truth.keyOfValue[Int(value)],
                let fate = truth.fate(key)
            else { return fail(.syncedFirst, gateway, "\(reading.value) is acknowledged and has no place") }
            truth.book(key.log)?.fates[Int(key.offset)]?.flags.insert(.acknowledged)
            if fate.flags.contains(.durable) || gateway.unsynced.contains(key) { continue }
            let judges = sinks.contains { $0.plan.isRequired } ? sinks.filter { $0.plan.isRequired } : sinks
            for (index, sink) in sinks.enumerated() where judges.contains(where: { $0.plan.name == sink.plan.name }) {
                if fate.sinks & 1 << UInt8(index) == 0, !isPoison(reading) {
                    fail(.syncedFirst, gateway, "\(key) is acknowledged without a disk and is not at \(sink.plan.name)")
                }
            }
        }
    }

    /// A sink gets again what it has: only where its answer was lost, with a process or on the way, or another gateway's word of it was.
    func checkDouble(_ key: Key, _ shipment: Shipment) {
        sinks[shipment.sink].doubles += 1
        guard let taker = truth.book(key.log)?.taker(of: key.offset, at: shipment.sink) else { return }
        let first = gateways[Int(taker.gateway)]
        guard first.life == Int(taker.life), first.core != nil else { return }
        // What an earlier process sent may come late.
        guard gateways[shipment.gateway].life == shipment.life else { return }
        if first.index == shipment.gateway {
            fail(.boundedDuplicates, first, "\(key) goes to \(sinks[shipment.sink].plan.name) twice from one process")
        } else if healedAt > 0 {
            sinks[shipment.sink].doublesInPeace += 1
        }
    }
}
