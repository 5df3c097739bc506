import ControlAPI
import Testing

@testable import covey

@Suite struct OrderCommandTests {
    @Test func `leave asks again until the gateway has left, and says what then stays to be done`() async throws {
        let orders = Orders([
            #"{"state":"emptying","readings":7,"reason":"no other gateway is alive"}"#,
            #"{"state":"leaving","readings":0,"reason":null}"#, #"{"state":"left","readings":0,"reason":null}"#,
        ])
        let outcome = try await ask(FakeDaemon(orders: orders), ["leave"])
        #expect(outcome.code == 0)
        #expect(outcome.errors == "covey: no other gateway is alive\n")
        #expect(outcome.output.contains("systemctl disable --now covey"))
        #expect(await orders.taken == [.leave, .leave, .leave])
    }

    @Test func `forget names whom it forgot, and a refusal is a wrong call`() async throws {
        let orders = Orders([#"{"forgotten":"shed b","node":"00ff"}"#])
        let outcome = try await ask(FakeDaemon(orders: orders), ["forget", "shed b"])
        #expect(outcome.output == "forgotten: shed b, node 00ff\n")
        #expect(await orders.taken == [.forget("shed b")])
        let refused = try await ask(FakeDaemon(orders: orders), ["forget", "shed b"])
        #expect(refused.code == 2)
        #expect(refused.errors == "covey: it cannot be done\n")
    }
}
