import Devices
import MQTTLink
import TestKit
import Testing

@Suite struct PublishTests {
    private static let presence = PublishLink.Presence(
        topic: "covey/gate/status", online: Array("on".utf8), offline: Array("off".utf8))

    /// Takes CONNECT.
    private func accept(_ broker: FakeBroker, number: Int = 1) async -> FakeConnection {
        let connection = await broker.connection(number)
        _ = await connection.packet(.connect)
        connection.send(Packet.connack())
        return connection
    }

    @Test(
        "A publish returns only after the broker's acknowledgement, with what the broker says", .timeLimit(.minutes(1)))
    func outcome() async throws {
        let broker = FakeBroker()
        let running = RunningPublisher(.test(port: broker.port))
        let connection = await accept(broker)
        await running.events.waitForConnection()
        let order = Log<String>()
        let publish = Task {
            let outcome = await running.link.publish(topic: "t", payload: [1])
            order.append("returned")
            return outcome
        }
        let packet = try #require(await connection.packet(.publish))
        order.append("acknowledging")
        connection.send(Packet.puback(packet.publishID))
        #expect(await publish.value == .acknowledged)
        #expect(order.elements == ["acknowledging", "returned"])
        let refused = Task { await running.link.publish(topic: "t", payload: [1]) }
        let second = try #require(await connection.packet(.publish, number: 2))
        connection.send(Packet.puback(second.publishID, code: 0x97))
        #expect(await refused.value == .refused("the broker says: Quota exceeded"))
        #expect(
            await running.link.publish(topic: "a/#", payload: [])
                == .refused(
                    "not a valid MQTT topic: wildcards stand alone between slashes, and # comes last"))
        try await running.stop()
    }

    @Test(
        "A publish fails when the connection is lost, when it takes too long, and when its task is cancelled",
        .timeLimit(.minutes(1)))
    func failures() async throws {
        let broker = FakeBroker()
        var limits = PublishLimits()
        limits.timeout = .milliseconds(100)
        let running = RunningPublisher(.test(port: broker.port), limits: limits)
        if case .disconnected = await running.link.publish(topic: "t", payload: []) {
        } else {
            Issue.record("connected?")
        }
        let connection = await accept(broker)
        await running.events.waitForConnection()
        #expect(await running.link.publish(topic: "t", payload: []) == .timedOut)
        try await running.stop()

        let patient = RunningPublisher(.test(port: broker.port))
        let second = await accept(broker, number: 2)
        await patient.events.waitForConnection()
        let lost = Task { await patient.link.publish(topic: "t", payload: []) }
        let cancelled = Task { await patient.link.publish(topic: "t", payload: []) }
        _ = await second.packet(.publish, number: 2)
        cancelled.cancel()
        #expect(await cancelled.value == .cancelled)
        second.cut()
        #expect(await lost.value == .disconnected("the broker closed the connection"))
        try await patient.stop()
        connection.cut()
    }

    @Test(
        "The presence is retained online, offline after a clean stop, and offline by the last will when the link is cut",
        .timeLimit(.minutes(1)))
    func presence() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let watcher = RunningLink(.test(port: broker.port), filters: ["covey/#"])
        await watcher.events.waitForSubscription("covey/#")
        func states(_ count: Int) async -> [String] {
            await watcher.messages.wait(count: count).map { String(decoding: $0.message.payload, as: UTF8.self) }
        }
        let running = RunningPublisher(.test(port: broker.port, clientID: "gate"), presence: Self.presence)
        #expect(await states(1) == ["on"])
        try await running.stop()
        #expect(await states(2) == ["on", "off"])

        let relay = Relay(to: broker.port)
        let cut = RunningPublisher(.test(port: relay.port, clientID: "gate"), presence: Self.presence)
        #expect(await states(3) == ["on", "off", "on"])
        relay.cut()
        #expect(await states(4) == ["on", "off", "on", "off"])
        try await cut.stop()
        try await watcher.stop()
        await broker.stop()
    }

    @Test(
        "Latest values offered before there is a broker arrive when there is one, retained, the newest of each topic",
        .timeLimit(.minutes(1)))
    func latest() async throws {
        let broker = try MosquittoBroker()
        let running = RunningPublisher(.test(port: broker.port, clientID: "gate"))
        for value in 0..<10 {
            for topic in 0..<3 { running.link.offerLatest(topic: "covey/\(topic)", payload: Array("\(value)".utf8)) }
        }
        try await broker.start()
        await running.events.waitForConnection()
        // Behind them in the queue, so that all have arrived when it has.
        #expect(await running.link.publish(topic: "end", payload: []) == .acknowledged)
        let watcher = RunningLink(.test(port: broker.port), filters: ["covey/#"])
        let messages = await watcher.messages.wait(count: 3)
        #expect(messages.map(\.message.topic).sorted() == ["covey/0", "covey/1", "covey/2"])
        #expect(messages.allSatisfy { $0.message.payload == Array("9".utf8) && $0.message.isRetained })
        #expect(running.link.status.latestSuperseded == 27)
        try await watcher.stop()
        try await running.stop()
        await broker.stop()
    }

    @Test("A thousand publishes at once are all acknowledged or refused for lack of room", .timeLimit(.minutes(1)))
    func flood() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let running = RunningPublisher(.test(port: broker.port, clientID: "gate"))
        await running.events.waitForConnection()
        let outcomes = await withTaskGroup(of: PublishOutcome.self) { group in
            for _ in 0..<1000 {
                group.addTask { await running.link.publish(topic: "t", payload: [1]) }
            }
            return await group.reduce(into: [PublishOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0 == .acknowledged || $0 == .queueFull })
        #expect(outcomes.filter { $0 == .acknowledged }.count >= 256)
        #expect(running.link.status.waiting == 0)
        try await running.stop()
        await broker.stop()
    }
}
