import ControlAPI
import Model
import Synchronization
import Testing

@Suite struct RouteTests {
    @Test(arguments: [
        ("/v1/status", #"{"health":"ok"}"#), ("/v1/devices", #"[{"id":"soil-3"}]"#),
        ("/v1/uploads", #"[{"name":"cloud"}]"#),
        ("/v1/peers", "[]"), ("/v1/version", #"{"version":"1.2.3"}"#), ("/healthz", #"{"health":"ok","reasons":[]}"#),
        ("/metrics", "covey_received_total 7\n"),
        ("/v1/latest?glob=soil-*&glob=a%2Fb%20c%c3%a4+d", #"["soil-*","a/b cä+d"]"#),
        ("/v1/latest", "[]"), ("/v1/latest?history=24&glob=a", #"["a",24]"#), ("/v1/latest?history=0", "[]"),
    ])
    func `every route answers with what the gateway says`(target: String, body: String) async throws {
        try await withServer { path in
            let answer = try await get(path, target)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n" + body))
            #expect(answer.contains("content-length: \(body.utf8.count)\r\n"))
        }
    }

    @Test func `a query reaches the gateway as it was asked`() async throws {
        let seen = Mutex<[QueryRequest]>([])
        let surface = FakeSurface(query: { request in
            seen.withLock { $0.append(request) }
            return lines([])
        })
        try await withServer(surface) { path in
            _ = try await get(path, "/v1/query?glob=soil-*&since=-5&until=1763700000123&limit=10")
            _ = try await get(path, "/v1/query?gateway=shed&gateway=9f")
            _ = try await get(path, "/v1/query")
        }
        #expect(
            seen.withLock { $0 } == [
                QueryRequest(
                    globs: [Glob("soil-*")], since: Milliseconds(-5), until: Milliseconds(1_763_700_000_123), limit: 10),
                QueryRequest(gateways: ["shed", "9f"]),
                QueryRequest(),
            ])
    }

    @Test func `health that failed is a 503, so that a load balancer understands it`() async throws {
        try await withServer(FakeSurface(health: HealthReport(.failed, reasons: ["the disk is gone"]))) { path in
            let answer = try await get(path, "/healthz")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.hasSuffix(#"{"health":"failed","reasons":["the disk is gone"]}"#))
        }
        try await withServer(FakeSurface(health: HealthReport(.degraded))) { path in
            let reply = try await get(path, "/healthz")
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test(arguments: [
        ("/", 404, "nothing is at"), ("/v1/status?x=1", 400, "unknown here"),
        ("/v1/query?limit=0", 400, "not a whole number from 1"),
        ("/v1/query?limit=many", 400, "limit="), ("/v1/query?since=1h", 400, "since="),
        ("/v1/query?limit=1&limit=2", 400, "stands twice"), ("/v1/query?gateway=", 400, "gateway= is empty"),
        ("/v1/query?glob=", 400, "1 to 300 bytes"), ("/v1/tail?glob=%zz", 400, "not percent-encoded"),
        ("/v1/tail?glob=%ff", 400, "not percent-encoded"), ("/v1/latest?glob=%", 400, "not percent-encoded"),
        ("/v1/latest?" + String(repeating: "glob=a&", count: 65), 400, "the limit is 64"),
        ("/v1/query?limit=99999999999999999999", 400, "limit="),
        ("/v1/latest?history=25", 400, "whole number from 0 to 24"), ("/v1/latest?history=-1", 400, "history="),
        ("/v1/tail?history=1", 400, "unknown here"),
    ])
    func `a request for what is not there gets a JSON error that says so`(target: String, code: Int, part: String)
        async throws
    {
        try await withServer { path in
            let answer = try await get(path, target)
            #expect(answer.hasPrefix("HTTP/1.1 \(code) "), "\(answer)")
            #expect(answer.contains(#"{"error":""#))
            #expect(answer.contains(part), "\(answer)")
        }
    }

    @Test func `an error of the gateway keeps its code and hint, any other is a 500`() async throws {
        let refusing = FakeSurface(status: { throw ControlError(.unavailable, "not yet", hint: "wait") })
        try await withServer(refusing) { path in
            let answer = try await get(path, "/v1/status")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.hasSuffix(#"{"error":"not yet","hint":"wait"}"#))
        }
        struct Fault: Error {}
        try await withServer(FakeSurface(status: { throw Fault() })) { path in
            let reply = try await get(path, "/v1/status")
            #expect(reply.hasPrefix("HTTP/1.1 500 "))
        }
    }

    @Test func `a call that hangs in the gateway is answered for, and the next one is served`() async throws {
        let cancelled = Happening()
        var limits = ControlLimits()
        // Long enough for the second call to be answered on a busy machine.
        limits.answerTime = .seconds(3)
        let surface = FakeSurface(status: { try await waitForever(cancelled) ?? [] })
        try await withServer(surface, limits: limits) { path in
            let answer = try await get(path, "/v1/status")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.contains("no answer within 3 s"))
            await cancelled.wait()
            let reply = try await get(path, "/v1/devices")
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `only so many calls may hang`() async throws {
        let release = Happening()
        var limits = ControlLimits()
        limits.answerTime = .milliseconds(20)
        limits.abandonedCalls = 2
        // Deaf to cancellation: it goes on hanging after it was given up.
        let surface = FakeSurface(status: {
            await Task { await release.wait() }.value
            return []
        })
        try await withServer(surface, limits: limits) { path in
            for _ in 0..<2 {
                let reply = try await get(path, "/v1/status")
                #expect(reply.contains("no answer within"))
            }
            let reply = try await get(path, "/v1/status")
            #expect(reply.contains("2 calls hang in the gateway already"))
            release.happen()
        }
    }
}
