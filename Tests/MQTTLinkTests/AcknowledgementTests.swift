import Devices
import MQTTLink
import Model
import TestKit
import Testing

/// What leaves the link and when, seen by a broker that a test plays itself.
@Suite struct AcknowledgementTests {
    @Test("No PUBACK leaves before the batch is durable, and then all do", .timeLimit(.minutes(1)))
    func afterCommit() async throws {
        let broker = FakeBroker()
        let gate = Gate()
        let running = RunningLink(.test(port: broker.port)) { _ in
            await gate.pass()
            return true
        }
        let connection = await broker.connection(1)
        await connection.accept()
        for id in 1...3 { connection.send(Packet.publish("t/a", [1], messageID: id)) }
        _ = await gate.arrivals.wait(count: 1)
        // More comes while the commit runs; it belongs to the next batch.
        connection.send(Packet.publish("t/a", [1], messageID: 4))
        #expect(!connection.packets.elements.contains { $0?.kind == .puback })
        let count = running.messages.elements.count
        gate.open()
        let acknowledged = await connection.packet(.puback, number: count)
        #expect(acknowledged?.messageID == count)
        _ = await connection.packet(.puback, number: 4)
        #expect(
            connection.packets.elements.compactMap { $0 }.filter { $0.kind == .puback }.map(\.messageID) == [
                1, 2, 3, 4,
            ])
        try await running.stop()
    }

    @Test(
        "A batch that is not durable is not acknowledged: the connection is dropped, and what the broker resends is flagged",
        .timeLimit(.minutes(1)))
    func notDurable() async throws {
        let broker = FakeBroker()
        let refused = Log<Int>()
        let running = RunningLink(.test(port: broker.port)) { batch in
            guard refused.elements.isEmpty else { return true }
            refused.append(batch.messages.count)
            return false
        }
        let first = await broker.connection(1)
        await first.accept()
        first.send(Packet.publish("t/a", [7], messageID: 5))
        await first.waitForEnd()
        #expect(first.packets.elements.compactMap { $0?.kind } == [.connect, .subscribe])
        let second = await broker.connection(2)
        _ = await second.packet(.connect)
        second.send(Packet.connack(sessionPresent: true) + Packet.publish("t/a", [7], messageID: 5, isDuplicate: true))
        second.send(Packet.publish("t/a", [8], messageID: 6))
        _ = await second.packet(.puback, number: 2)
        let messages = running.messages.elements
        try #require(messages.map(\.messageID) == [5, 5, 6], "\(running.events.elements)")
        #expect(messages.map(\.isRedelivery) == [false, true, false])
        #expect(messages[0].message.deliveryHash == messages[1].message.deliveryHash)
        #expect(running.link.status.abandonedBatches == 1)
        #expect(running.link.status.lastFailure?.code == .notDurable)
        try await running.stop()
    }

    @Test("Without a session on the broker nothing is a redelivery, and the owner is told", .timeLimit(.minutes(1)))
    func noSession() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        let connection = await broker.connection(1)
        await connection.accept()
        connection.send(Packet.publish("t/a", [7], messageID: 5))
        _ = await connection.packet(.puback)
        #expect(running.messages.elements.map(\.isRedelivery) == [false])
        #expect(running.events.elements.contains(.connected(sessionPresent: false, version: .version5)))
        try await running.stop()
    }

    @Test("CONNECT asks for MQTT 5, the kept session with its expiry, and Receive Maximum", .timeLimit(.minutes(1)))
    func connectPacket() async throws {
        let broker = FakeBroker()
        var settings = BrokerSettings.test(port: broker.port)
        settings.sessionExpiry = .seconds(0x0102_0304)
        settings.receiveMaximum = 0x0506
        let running = RunningLink(settings)
        let connect = try #require(await broker.connection(1).packet(.connect))
        #expect(connect.protocolLevel == 5)
        #expect(connect.connectFlags & 2 == 0, "clean start is off")
        let body = Array(connect.body)
        #expect(body.contains([0x11, 1, 2, 3, 4]), "session expiry")
        #expect(body.contains([0x21, 5, 6]), "receive maximum")
        try await running.stop()
    }

    @Test("A broker that refuses MQTT 5 is spoken to in 3.1.1, without delay", .timeLimit(.minutes(1)))
    func fallback() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        let first = await broker.connection(1)
        #expect(await first.packet(.connect)?.protocolLevel == 5)
        first.send(Packet.connack(code: 1, version: 4))
        let second = await broker.connection(2)
        let connect = try #require(await second.packet(.connect))
        #expect(connect.protocolLevel == 4)
        #expect(connect.connectFlags & 2 == 0, "clean session is off")
        second.send(Packet.connack(version: 4))
        let subscribe = try #require(await second.packet(.subscribe))
        second.send(Packet.suback(subscribe.messageID, codes: [1], version: 4))
        second.send(Packet.publish("t/a", [1], messageID: 9, version: 4))
        #expect(await second.packet(.puback)?.messageID == 9)
        #expect(running.events.elements.contains(.connected(sessionPresent: false, version: .version311)))
        #expect(running.events.elements.allSatisfy { $0.failure == nil })
        try await running.stop()
    }

    @Test("A broker that closes on MQTT 5 without a word is tried with 3.1.1 the third time", .timeLimit(.minutes(1)))
    func silentFallback() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        for number in 1...2 {
            let connection = await broker.connection(number)
            #expect(await connection.packet(.connect)?.protocolLevel == 5)
            connection.cut()
        }
        #expect(await broker.connection(3).packet(.connect)?.protocolLevel == 4)
        try await running.stop()
    }

    @Test("A server that ends the connection without an answer is told as what is no broker", .timeLimit(.minutes(1)))
    func wordless() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        let connection = await broker.connection(1)
        _ = await connection.packet(.connect)
        connection.cut()
        let failure = await running.events.waitForFailure()
        #expect(failure?.message.contains("without an answer: check that host and port are a broker's") == true)
        #expect(running.link.status.failures >= 1)
        try await running.stop()
    }

    @Test("A filter that the broker refuses is named, and the others work", .timeLimit(.minutes(1)))
    func refusedFilter() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port), filters: ["a/#", "b/#", "bad#filter"])
        let connection = await broker.connection(1)
        _ = await connection.packet(.connect)
        connection.send(Packet.connack())
        // The library refuses the packet with the bad filter in it, so that each is asked for alone.
        let first = try #require(await connection.packet(.subscribe, number: 1))
        connection.send(Packet.suback(first.messageID, codes: [0x87]))
        let second = try #require(await connection.packet(.subscribe, number: 2))
        connection.send(Packet.suback(second.messageID, codes: [1]))
        await running.events.waitForSubscription("b/#")
        let refused = running.link.status.refusedFilters
        #expect(refused.map(\.filter) == ["a/#", "bad#filter"])
        #expect(refused[0].reason.contains("Not authorized"))
        #expect(refused[1].reason.contains("not a valid MQTT topic"))
        try await running.stop()
    }

    @Test("A stop commits and acknowledges what was read, and says good-bye", .timeLimit(.minutes(1)))
    func stop() async throws {
        let broker = FakeBroker()
        var settings = BrokerSettings.test(port: broker.port)
        settings.commitWindow = .seconds(60)
        let reasons = Log<CloseReason>()
        let running = RunningLink(settings) { batch in
            reasons.append(batch.reason)
            return true
        }
        let connection = await broker.connection(1)
        await connection.accept()
        connection.send(Packet.publish("t/a", [1], messageID: 1))
        await running.waitUntilRead(1)
        try await running.stop()
        await connection.waitForEnd()
        #expect(reasons.elements == [.stop])
        #expect(connection.packets.elements.compactMap { $0?.kind } == [.connect, .subscribe, .puback, .disconnect])
    }

    @Test("A stop does not wait for a commit that hangs, and acknowledges nothing of it", .timeLimit(.minutes(1)))
    func stopInCommit() async throws {
        let broker = FakeBroker()
        let gate = Gate()
        let running = RunningLink(.test(port: broker.port)) { _ in
            await gate.pass()
            return true
        }
        let connection = await broker.connection(1)
        await connection.accept()
        connection.send(Packet.publish("t/a", [1], messageID: 1))
        _ = await gate.arrivals.wait(count: 1)
        let begin = ContinuousClock.now
        try await running.stop()
        #expect(ContinuousClock.now - begin < .seconds(1))
        await connection.waitForEnd()
        #expect(connection.packets.elements.compactMap { $0?.kind } == [.connect, .subscribe])
        gate.open()
    }

    @Test("A payload beyond the limit comes empty and measured, and is acknowledged", .timeLimit(.minutes(1)))
    func oversize() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        let connection = await broker.connection(1)
        await connection.accept()
        connection.send(Packet.publish("t/a", [UInt8](repeating: 1, count: 300_000), messageID: 1))
        #expect(await connection.packet(.puback)?.messageID == 1)
        #expect(running.messages.elements.map(\.oversize) == [300_000])
        #expect(running.messages.elements[0].message.payload.isEmpty)
        try await running.stop()
    }

    @Test(
        "A broker that keeps 20 messages in flight is served batch by batch, without waiting for windows",
        .timeLimit(.minutes(1)))
    func inFlightLimit() async throws {
        let broker = FakeBroker()
        var settings = BrokerSettings.test(port: broker.port)
        settings.commitWindow = .seconds(1)
        let running = RunningLink(settings)
        let connection = await broker.connection(1)
        await connection.accept()
        let begin = ContinuousClock.now
        for id in 1...20 { connection.send(Packet.publish("t/a", [1], messageID: id)) }
        for acknowledged in 1...380 {
            _ = await connection.packet(.puback, number: acknowledged)
            connection.send(Packet.publish("t/a", [1], messageID: acknowledged + 20))
        }
        // 20 per window would take 20 seconds.
        #expect(ContinuousClock.now - begin < .seconds(10))
        _ = await connection.packet(.puback, number: 400)
        try await running.stop()
        #expect(running.messages.elements.map { Int($0.messageID) } == Array(1...400))
    }

    @Test("A batch ends near its limit of bytes, however fast large messages come", .timeLimit(.minutes(1)))
    func byteLimit() async throws {
        let broker = FakeBroker()
        var settings = BrokerSettings.test(port: broker.port)
        settings.commitWindow = .seconds(60)
        let sizes = Log<Int>()
        let running = RunningLink(settings) { batch in
            sizes.append(batch.messages.map(\.message.payload.count).reduce(0, +))
            return true
        }
        let connection = await broker.connection(1)
        await connection.accept()
        let payload = [UInt8](repeating: 1, count: 200_000)
        await onThread {
            for id in 1...24 { connection.send(Packet.publish("t/a", payload, messageID: id)) }
        }
        _ = await connection.packet(.puback, number: 24)
        #expect(sizes.elements == [1_200_000, 1_200_000, 1_200_000, 1_200_000])
        try await running.stop()
    }

    @Test("Another client with our id is named as such", .timeLimit(.minutes(1)))
    func takenOver() async throws {
        let broker = FakeBroker()
        let running = RunningLink(.test(port: broker.port))
        let connection = await broker.connection(1)
        await connection.accept()
        await running.events.waitForSubscription("t/#")
        connection.send([0xE0, 2, 142, 0])
        let failure = await running.events.waitForFailure()
        #expect(failure?.code == .takenOver)
        try await running.stop()
    }
}

extension RunningLink {
    /// Returns when the link has read that many messages into its open batch.
    func waitUntilRead(_ count: Int) async {
        while link.status.waiting < count { await Task.yield() }
    }
}
