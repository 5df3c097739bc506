import LocalSinks
import Model
import Sinks
import Synchronization
import Testing

@Suite struct MQTTSinkTests {
    private func batch(gateway: String = "greenhouse-a") -> NativeBatch {
        let item = NativeBatch.Item(
            offset: .zero, series: Series(device: DeviceID("door"), metric: "level"), time: Milliseconds(0),
            value: .flag(true), quality: .good)
        return NativeBatch(node: NodeID(high: 1, low: 2), gateway: gateway, log: LogID(7), base: .zero, items: [item])
    }

    @Test func aBatchIsOneMessageOnItsTopic() async throws {
        let seen = Mutex<[(String, [UInt8])]>([])
        let sink = try MQTTSink(topic: "site/{gateway}/up/{log}") { topic, payload in
            seen.withLock { $0.append((topic, payload)) }
            return .success(())
        }
        #expect(await sink.send(batch()) == .accepted)
        let messages = seen.withLock { $0 }
        #expect(messages.map(\.0) == ["site/greenhouse-a/up/0000000000000007"])
        #expect(messages.first?.1 == batch().json)
    }

    @Test func aPublishThatFailsIsUnavailable() async throws {
        let sink = try MQTTSink(topic: "up") { _, _ in .failure(PublishFailure("the broker is away")) }
        #expect(await sink.send(batch()) == .unavailable(reason: "the broker is away", retryAfter: nil))
    }

    @Test func aNameAddsNoLevels() throws {
        let sink = try MQTTSink(topic: "{gateway}/x") { _, _ in .success(()) }
        #expect(sink.topic(for: batch(gateway: "a/b+#")) == "a_b__/x")
    }

    @Test(arguments: ["", "a/+/b", "a/#", "a/{site}", "a/{gateway", "a}b"])
    func aTemplateThatNoBrokerTakesIsToldAtTheStart(_ template: String) {
        #expect(throws: TopicTemplateError.self) { try MQTTSink(topic: template) { _, _ in .success(()) } }
    }
}
