import Devices
import MQTTLink
import Model
import Synchronization
import TestKit
import Testing

/// The link against the real broker.
@Suite struct MosquittoTests {
    private static func message(_ number: Int) -> (topic: String, payload: [UInt8]) {
        ("t/\(number % 7)", Array("\(number)".utf8))
    }

    private static func numbers(_ messages: [InboundMessage]) -> [Int] {
        messages.compactMap { Int(String(decoding: $0.message.payload, as: UTF8.self)) }
    }

    @Test(
        "Messages at QoS 1 arrive once each and in order, and the broker gets its acknowledgements",
        .timeLimit(.minutes(1)))
    func receives() async throws {
        let broker = try MosquittoBroker(options: ["log_type debug"])
        try await broker.start()
        let running = RunningLink(.test(port: broker.port))
        await running.events.waitForSubscription("t/#")
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 50) { ("t/a", Array("\($0)".utf8)) }
        let messages = await running.messages.wait(count: 50)
        #expect(Self.numbers(messages) == Array(0..<50))
        #expect(messages.allSatisfy { $0.qos == 1 && !$0.isRedelivery && $0.messageID > 0 })
        #expect(await broker.waitForLog(containing: "Received PUBACK from link (Mid: \(messages[49].messageID), RC:0)"))
        try await running.stop()
        await broker.stop()
    }

    @Test("Without a commit window every message is delivered and acknowledged, at speed", .timeLimit(.minutes(1)))
    func noWindow() async throws {
        let broker = try MosquittoBroker(options: ["max_queued_messages 0"])
        try await broker.start()
        var settings = BrokerSettings.test(port: broker.port)
        settings.commitWindow = .zero
        let running = RunningLink(settings)
        await running.events.waitForSubscription("t/#")
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 5000, message: Self.message)
        await running.messages.wait { $0.count == 5000 }
        try await running.stop()
        #expect(Set(Self.numbers(running.messages.elements)).count == 5000)
        await broker.stop()
    }

    @Test(
        "A broker with 20 messages in flight is not slowed down to 20 per window", .timeLimit(.minutes(1)),
        arguments: [MQTTVersion.version5, .version311])
    func defaultInFlight(version: MQTTVersion) async throws {
        let broker = try MosquittoBroker(options: ["max_queued_messages 0"])
        try await broker.start()
        var settings = BrokerSettings.test(port: broker.port)
        settings.commitWindow = .seconds(1)
        settings.version = version
        let running = RunningLink(settings)
        await running.events.waitForSubscription("t/#")
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        let begin = ContinuousClock.now
        try await publisher.publish(count: 5000, message: Self.message)
        await running.messages.wait { $0.count == 5000 }
        // 20 per second would take more than four minutes.
        #expect(ContinuousClock.now - begin < .seconds(20))
        try await running.stop()
        #expect(Set(Self.numbers(running.messages.elements)).count == 5000)
        await broker.stop()
    }

    @Test("After kill -9 of the broker the link comes back, subscribes again and goes on", .timeLimit(.minutes(1)))
    func brokerCrash() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let running = RunningLink(.test(port: broker.port))
        await running.events.waitForSubscription("t/#")
        await broker.kill()
        let failure = await running.events.waitForFailure()
        #expect(failure?.code == .lost)
        // While it is away, that is said in plain words.
        await running.events.wait { $0.contains { $0.failure?.code == .unreachable } }
        #expect(running.link.status.lastFailure?.message.contains("nothing listens") == true)
        try await broker.start()
        await running.events.wait { events in
            events.filter { if case .subscribed = $0 { true } else { false } }.count == 2
        }
        try await CountingPublisher(port: broker.port, clientID: "publisher").publish(count: 1, message: Self.message)
        #expect(Self.numbers(await running.messages.wait(count: 1)) == [0])
        try await running.stop()
        await broker.stop()
    }

    @Test("What was read but not acknowledged comes again, flagged, and only that", .timeLimit(.minutes(1)))
    func redelivery() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let isFirst = Atomic(true)
        let running = RunningLink(.test(port: broker.port)) { _ in
            !isFirst.exchange(false, ordering: .relaxed)
        }
        await running.events.waitForSubscription("t/#")
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 5, message: Self.message)
        await running.events.waitForConnection(number: 2)
        #expect(running.events.elements.contains(.connected(sessionPresent: true, version: .version5)))
        try await publisher.publish(count: 5, message: Self.message)
        await running.messages.wait { Set(Self.numbers($0)).count == 10 && $0.contains { $0.isRedelivery } }
        let messages = running.messages.elements
        let again = messages.filter(\.isRedelivery)
        #expect(!again.isEmpty)
        for message in again {
            let same = messages.first { $0.messageID == message.messageID && !$0.isRedelivery }
            #expect(same?.message.deliveryHash == message.message.deliveryHash)
        }
        #expect(messages.count - again.count == 10, "each came once without the flag")
        try await running.stop()
        #expect(running.link.status.redeliveries == again.count)
        await broker.stop()
    }

    @Test(
        "The session outlives the link and an orderly restart of the broker: messages of the meantime arrive",
        .timeLimit(.minutes(1)))
    func persistentSession() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let first = RunningLink(.test(port: broker.port))
        await first.events.waitForSubscription("t/#")
        try await first.stop()
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 10, message: Self.message)
        await broker.stop()
        try await broker.start()
        let second = RunningLink(.test(port: broker.port))
        await second.messages.wait { Set(Self.numbers($0)).count == 10 }
        #expect(second.link.status.isSessionPresent)
        try await second.stop()
        await broker.stop()
    }

    @Test("A wrong password is named with what to check, and the right one works", .timeLimit(.minutes(1)))
    func password() async throws {
        let broker = try MosquittoBroker(options: ["allow_anonymous false", "password_file /tmp/none"])
        let passwords = "\(broker.directory)/passwords"
        try MosquittoBroker.write("link:secret\n", to: passwords)
        try await runProgram("/usr/bin/mosquitto_passwd", ["-U", passwords])
        try broker.configure(options: ["allow_anonymous false", "password_file \(passwords)"])
        try await broker.start()
        let file = "\(broker.directory)/password"
        for version in [MQTTVersion.version5, .version311] {
            try MosquittoBroker.write("wrong\n", to: file)
            var settings = BrokerSettings.test(port: broker.port)
            settings.username = "link"
            settings.passwordFile = file
            settings.version = version
            let running = RunningLink(settings)
            let failure = await running.events.waitForFailure()
            #expect(failure?.code == .credentials)
            #expect(failure?.message.contains("check username, password_file") == true)
            // Read anew for every connection.
            try MosquittoBroker.write("secret\n", to: file)
            await running.events.waitForConnection()
            try await running.stop()
        }
        await broker.stop()
        removeFiles([file, passwords])
    }

    @Test("A connected link without messages says so once, and says when it is over", .timeLimit(.minutes(1)))
    func silence() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        var settings = BrokerSettings.test(port: broker.port)
        settings.silentAlarm = .milliseconds(300)
        let running = RunningLink(settings)
        await running.events.wait { $0.contains { if case .silent = $0 { true } else { false } } }
        #expect(running.link.status.isSilent)
        try await CountingPublisher(port: broker.port, clientID: "publisher").publish(count: 1, message: Self.message)
        await running.events.wait { $0.contains(.heard) }
        #expect(!running.link.status.isSilent)
        try await running.stop()
        await broker.stop()
    }

    @Test("A broker that hangs is noticed by its silence, and found again when it goes on", .timeLimit(.minutes(1)))
    func frozen() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        var settings = BrokerSettings.test(port: broker.port)
        settings.keepAlive = .seconds(5)
        settings.reconnect.connectTimeout = .seconds(1)
        let running = RunningLink(settings)
        await running.events.waitForSubscription("t/#")
        broker.freeze()
        let failure = await running.events.waitForFailure()
        #expect(failure?.code == .timeout)
        #expect(failure?.message.contains("did not answer") == true)
        // The kernel of a frozen broker still accepts connections; the attempt ends by its own limit.
        await running.events.wait { $0.contains { $0.failure?.message.contains("within 1 s") == true } }
        broker.thaw()
        await running.events.waitForConnection(number: 2)
        try await running.stop()
        await broker.stop()
    }

    @Test("Filters change while the link runs: new ones are heard, old ones no more", .timeLimit(.minutes(1)))
    func filters() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let running = RunningLink(.test(port: broker.port), filters: ["old", "both"])
        await running.events.waitForSubscription("old")
        running.link.setFilters(["both", "new"])
        await running.events.waitForSubscription("new")
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 3) { (["old", "both", "new"][$0], [1]) }
        let messages = await running.messages.wait(count: 2)
        #expect(messages.map(\.message.topic) == ["both", "new"])
        try await running.stop()
        await broker.stop()
    }

    @Test("A retained message is marked as such, and comes once, not at every reconnect", .timeLimit(.minutes(1)))
    func retained() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let publisher = CountingPublisher(port: broker.port, clientID: "publisher")
        try await publisher.publish(count: 1, retain: true, message: Self.message)
        for isFirst in [true, false] {
            let running = RunningLink(.test(port: broker.port))
            await running.events.waitForSubscription("t/#")
            try await publisher.publish(count: 1) { _ in ("t/live", [1]) }
            await running.messages.wait { $0.contains { $0.message.topic == "t/live" } }
            #expect(running.messages.elements.contains { $0.message.isRetained } == isFirst)
            #expect(running.messages.elements.last?.message.isRetained == false)
            try await running.stop()
        }
        await broker.stop()
    }

    @Test("A name with several addresses reaches the broker on the one where it listens", .timeLimit(.minutes(1)))
    func localhost() async throws {
        let broker = try MosquittoBroker()
        try await broker.start()
        let running = RunningLink(.test(port: broker.port, host: "localhost"))
        await running.events.waitForSubscription("t/#")
        try await running.stop()
        await broker.stop()
    }

    @Test("A name that does not exist, and a port where nobody listens, are named", .timeLimit(.minutes(1)))
    func unreachable() async throws {
        let nowhere = RunningLink(.test(port: 1883, host: "no-such-host.invalid"))
        let failure = await nowhere.events.waitForFailure()
        #expect(failure?.code == .unknownHost)
        #expect(failure?.message.contains("no-such-host.invalid") == true)
        try await nowhere.stop()
        let broker = try MosquittoBroker()
        let closed = RunningLink(.test(port: broker.port))
        #expect(await closed.events.waitForFailure()?.code == .unreachable)
        try await closed.stop()
    }

    @Test("Settings that can never work end the link with an error that names them")
    func configuration() async throws {
        var settings = BrokerSettings.test(port: 1883)
        settings.tls = TLSFiles(caFile: "/nonexistent/ca.pem")
        let link = IngestLink(settings: settings, filters: [], seed: 1, events: { _ in }, deliver: { _ in true })
        let error = await #expect(throws: LinkConfigurationError.self) { try await link.run(heartbeat: {}) }
        #expect(error?.message.contains("ca_file /nonexistent/ca.pem cannot be read") == true)
        settings.tls = nil
        settings.keepAlive = .seconds(1)
        #expect(throws: LinkConfigurationError.self) { try settings.validate() }
    }
}
