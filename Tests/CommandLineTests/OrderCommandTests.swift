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

    @Test func `join names whom it joined, and says of each address why nobody was`() async throws {
        let joined = Orders([
            #"{"alive":0,"link_error":null,"addresses":[{"address":"a:1","member":null,"error":null}]}"#,
            #"{"alive":2,"link_error":null,"addresses":[{"address":"a:1","member":"shed","error":null}]}"#,
        ])
        let outcome = try await ask(FakeDaemon(orders: joined), ["join", "a:1"])
        #expect(outcome.code == 0)
        #expect(outcome.output == "joined: shed at a:1; 2 other gateways are alive\n")
        #expect(await joined.taken == [.join(["a:1"]), .join(["a:1"])])
        let nobody = Orders([
            #"{"alive":0,"link_error":null,"addresses":[{"address":"a:1","member":null,"error":"nobody listens there"}]}"#
        ])
        let failed = try await ask(FakeDaemon(orders: nobody), ["join", "a:1", "--timeout", "1 ms"])
        #expect(failed.code == 1)
        #expect(failed.errors == "covey: nobody was joined in 1 ms; it is tried on. a:1: nobody listens there\n")
        let broken = Orders([#"{"alive":0,"link_error":"no key","addresses":[]}"#])
        let down = try await ask(FakeDaemon(orders: broken), ["join", "a:1", "--timeout", "1 ms"])
        #expect(down.code == 1)
        #expect(down.errors.contains("link to the covey is down: no key"))
        #expect(try await ask(FakeDaemon(orders: Orders([])), ["join", "a:1", "--timeout", "soon"]).code == 2)
        #expect(try await ask(FakeDaemon(orders: Orders([])), ["join"]).code != 0)
    }

    private func status(_ change: String) -> String {
        #"{"covey":{"key":{"id":"0a0b","known":2,"error":null,"change":\#(change)}}}"#
    }

    @Test func `key rotate watches until one key is left, and says once for whom it waits`() async throws {
        let waiting =
            #"{"number":3,"stage":"installed","waits_for":[{"name":"shed","node":"00","state":"dead","stage":"unaware"}]}"#
        let orders = Orders([#"{"id":"0a0b","known":2,"error":null,"change":\#(waiting)}"#])
        var daemon = FakeDaemon(orders: orders)
        daemon.statusText = status(#"{"number":3,"stage":"done","waits_for":[]}"#)
        let outcome = try await ask(daemon, ["key", "rotate", "--without", "shed b"])
        #expect(outcome.code == 0)
        #expect(outcome.errors.contains("shed is dead"))
        #expect(outcome.output.contains("a new key, 0a0b: no other is known any more"))
        #expect(await orders.taken == [.rotateKey(without: ["shed b"])])

        daemon.statusText = status(waiting)
        let asked = try await ask(daemon, ["key", "rotate", "--status"])
        #expect(asked.code == 1)
        #expect(asked.output.contains("change 3: the new key is on this disk, not in use; waits for shed\n"))
        daemon.statusText = status("null")
        let never = try await ask(daemon, ["key", "rotate", "--status"])
        #expect(never.output == "the key is 0a0b; it was never changed\n")
        #expect(never.code == 0)
        daemon.statusText = #"{"covey":null}"#
        #expect(try await ask(daemon, ["key", "rotate", "--status"]).code == 2)
        daemon.statusText = #"{"covey":{"key":null}}"#
        #expect(try await ask(daemon, ["key", "rotate", "--status"]).code == 2)
        #expect(try await ask(daemon, ["key", "rotate", "--status", "--abort"]).code != 0)
    }
}
