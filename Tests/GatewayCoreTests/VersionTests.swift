import Environment
import GossipState
import LogFormat
import Membership
import Model
import RingLog
import Testing

@testable import GatewayCore

/// Gateways of several versions in one covey. What is written here as bytes is what protocol 1.1 says: a later minor version must still
/// read it, and may put fields behind it.
@Suite struct VersionTests {
    @Test("The bytes are those of protocol 1.1")
    func version() {
        #expect(ClusterSetup.currentVersion == ProtocolVersion(major: 1, minor: 1))
        #expect(Envelope.version == ClusterSetup.currentVersion.major)
        #expect(ClusterFeature.keyRotation == 1 && ClusterFeature.queries == 2)
        let sender = Envelope.Sender(node: NodeID(high: 0, low: 1), start: StartID(2))
        #expect(Envelope.seal(.queries, from: sender, []).first == 0x16)
    }

    @Test("What gateways tell of themselves has these bytes, and fields of later versions behind them are passed over")
    func bulletins() {
        var health = PeerHealth()
        (health.pending, health.held, health.underReplicated) = (300, 70_000, 5)
        let golden: [UInt8] = [1, 0xAC, 2, 0xF0, 0xA2, 4, 5]
        #expect(health.bytes == golden)
        #expect(PeerHealth(golden + [7, 7]) == health)
        let values: [(Value, [UInt8])] = [
            (.number(-2.5), [0, 0, 0, 0, 0, 0, 0, 4, 0xC0]), (.flag(true), [1, 1]), (.text("On"), [2, 2, 0x4F, 0x6E]),
        ]
        for (value, ending) in values {
            let reading = Reading(
                series: Series(device: DeviceID("ab"), metric: "c", unit: "%"),
                stamp: Stamp(
                    boot: BootID(high: 1, low: 2), uptime: Microseconds(3), wallOffset: Microseconds(4), isTrusted: true
                ),
                value: value, quality: .stale)
            let told = PeerValue(
                StoredReading(log: LogID(5), offset: Offset(6), reading: reading), at: Milliseconds(-7))
            let head: [UInt8] = [2, 0x61, 0x62, 1, 0x63, 1, 1, 0x25, 13, Quality.stale.rawValue]
            #expect(told.bytes == head + ending)
            #expect(PeerValue(head + ending + [9, 9, 9]) == told)
        }
    }

    /// Fields of a later version: behind the message, or, where gossip's lists leave no room there, behind its kind.
    private static func withLaterFields(_ message: [UInt8]) -> [UInt8] {
        guard case .gossip = Envelope.open(message) else { return message + [0xEE, 0xEE, 0xEE] }
        return message[..<25] + [message[25] | 0x80, 3, 0xEE, 0xEE, 0xEE] + message[26...]
    }

    @Test("A gateway of a higher minor version, with features and fields that nobody knows, is one of them")
    func higherMinor() throws {
        let later = ProtocolVersion(major: 1, minor: 9)
        let covey = try CoveyBench(gateways: 3, acks: 3) { index, setup in
            guard index == 2 else { return }
            setup.version = later
            setup.features = 0xFF00
        }
        covey.alterations[2] = Self.withLaterFields
        covey.run(seconds: 20)
        for index in 0..<3 {
            covey.feed(index, 40)
            covey.run(seconds: 1)
        }
        covey.run(seconds: 40)
        for index in 0..<3 {
            #expect(covey.core(index).cluster?.alive.count == 2, "gateway \(index)")
            for other in 0..<3 {
                let log = try #require(covey.log(other))
                #expect(covey.held(log, by: index) == 40, "the log of \(other) on \(index)")
            }
            let ignored = covey.core(index).cluster?.ignored.total ?? 0
            #expect(ignored == 0, "gateway \(index) passed \(ignored) messages over")
        }
        let seen = covey.core(0).cluster?.membership.member(CoveyBench.node(2))?.identity
        #expect(seen?.version == later && seen?.features == 0xFF00)
        for log in (0..<3).compactMap({ covey.log($0) }) {
            #expect(Set(covey.sent[log] ?? []) == Set(0..<40))
        }
    }

    @Test("A message of another major version, and one of a kind of later ones, is counted by that and changes nothing")
    func strangeMessages() throws {
        let covey = try CoveyBench(gateways: 3)
        covey.run(seconds: 20)
        let before = covey.core(0).cluster?.gossip.context
        let address = try #require(PeerAddress("g9"))
        covey.step(.datagram([0x21, 1, 2, 3], from: address), 0)
        covey.step(.frame([0x1F, 1, 2, 3], from: address), 0)
        covey.step(.frame([], from: address), 0)
        let ignored = covey.core(0).cluster?.ignored.entries.map { "\($0.reason) \($0.count)" } ?? []
        #expect(
            Set(ignored) == [
                "of another major version 1", "of a kind that this version does not know 1", "not a message 1",
            ])
        #expect(covey.core(0).cluster?.otherVersion?.major == 2)
        #expect(covey.core(0).cluster?.otherVersion?.address == address)
        #expect(covey.core(0).cluster?.gossip.context == before)
        #expect(covey.core(0).cluster?.alive.count == 2)
    }

    @Test("A covey with a gateway that cannot change its key says which one, and one whose keys came changes them")
    func features() throws {
        let covey = try CoveyBench(gateways: 3) { index, setup in
            if index < 2 { setup.identifyKey = KeyWorld.identify }
        }
        covey.run(seconds: 20)
        #expect(covey.core(0).oldForKeys == ["gateway 2"])
        for index in 0..<2 { covey.step(.keysLoaded(KeyState(keys: [KeyWorld.key(1)])), index) }
        covey.kill(2)
        covey.run(seconds: 60)
        covey.step(.forget(CoveyBench.node(2)), 0)
        covey.run(seconds: 20)
        #expect(covey.core(0).oldForKeys.isEmpty)
        covey.step(.keys(.begin(KeyWorld.key(2), skipping: [])), 0)
        covey.run(seconds: 5)
        #expect(covey.boxes[0].fluent.count == 1)
        covey.run(seconds: 60)
        for index in 0..<2 {
            #expect(covey.core(index).keyRotation?.state.keys == [KeyWorld.key(2)], "gateway \(index)")
            #expect(covey.boxes[index].keys?.keys == [KeyWorld.key(2)])
            #expect(covey.boxes[index].fluent.isEmpty)
        }
    }
}
