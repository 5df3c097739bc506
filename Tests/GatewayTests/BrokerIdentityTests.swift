import Devices
import Model
import SharedFeeds
import Testing

@testable import Gateway
@testable import TOMLConfiguration

@Suite("Which brokers and routes are the same to all gateways of a covey")
struct BrokerIdentityTests {
    private func id(_ host: String, _ port: Int = 1883, from own: String?, node: UInt64 = 1) -> BrokerID {
        SharedBrokers.id(of: HostPort(host: host, port: port), seenFrom: own, node: NodeID(high: 0, low: node))
    }

    @Test("A loop address stands for the gateway's own")
    func loop() {
        #expect(id("127.0.0.1", from: "10.0.0.5") == id("10.0.0.5", from: "10.0.0.6"))
        #expect(id("127.0.0.1", from: "10.0.0.5") != id("127.0.0.1", from: "10.0.0.6"))
        #expect(id("localhost", from: "127.0.0.1") == id("127.0.0.1", from: "127.0.0.1", node: 2))
        #expect(id("127.0.0.1", from: nil, node: 1) != id("127.0.0.1", from: nil, node: 2))
    }

    @Test("Names count in any case, ports as they are")
    func names() {
        #expect(id("Broker.Example", from: "10.0.0.5") == id("broker.example", from: "10.0.0.6"))
        #expect(id("broker.example", from: nil) != id("broker.example", 1884, from: nil))
    }

    private func route(_ text: String) throws -> RouteID {
        let broker = "[[broker]]\nname = \"b\"\nurl = \"mqtt://b\"\n[[device]]\ndriver = \"mqtt\"\nbroker = \"b\"\n"
        let loaded = try GatewayConfiguration.load(text: broker + text, path: "covey.toml", files: .none).get()
        return try #require(loaded.routes(from: "b").first?.shared)
    }

    @Test("A route is its filter, its device and its decoder; limits and windows are each gateway's own")
    func routes() throws {
        let one = try route("id = \"d\"\ntopic = \"t/1\"\ndecoder = \"json\"\nunits = { a = \"V\", b = \"A\" }\n")
        #expect(
            one == (try route("id = \"d\"\ntopic = \"t/1\"\ndecoder = \"json\"\nunits = { b = \"A\", a = \"V\" }\n")))
        #expect(
            one
                == (try route(
                    "id = \"d\"\ntopic = \"t/1\"\ndecoder = \"json\"\nunits = { a = \"V\", b = \"A\" }\nmax_rate = \"9/s\"\n"
                )))
        #expect(
            one != (try route("id = \"e\"\ntopic = \"t/1\"\ndecoder = \"json\"\nunits = { a = \"V\", b = \"A\" }\n")))
        #expect(
            one != (try route("id = \"d\"\ntopic = \"t/+\"\ndecoder = \"json\"\nunits = { a = \"V\", b = \"A\" }\n")))
        #expect(one != (try route("id = \"d\"\ntopic = \"t/1\"\ndecoder = \"json\"\n")))
    }
}
