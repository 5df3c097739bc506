import ControlAPI
import TestKit
import Testing

@Suite struct BadCallerTests {
    @Test(arguments: [
        ("HELO covey\r\n\r\n", 400), ("\u{0}\u{1}\u{2}\r\n\r\n", 400), ("GET /v1/status HTTP/9.9\r\n\r\n", 400),
        ("GET /v1/status HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("GET /v1/status HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST /v1/status HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", 405),
        ("DELETE /v1/devices HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        ("POST /v1/status HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + String(repeating: "x", count: 20000), 413),
        ("GET /v1/status HTTP/1.1\r\nX: " + String(repeating: "x", count: 70000) + "\r\n\r\n", 431),
        ("GET /v1/status HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 200) + "\r\n", 431),
        ("GET /" + String(repeating: "x", count: 40000) + " HTTP/1.1\r\n\r\n", 431),
    ])
    func `a bad request gets its answer, and the next caller is served`(request: String, code: Int) async throws {
        try await withServer { path in
            let answer = try await exchange(path, request)
            #expect(answer.hasPrefix("HTTP/1.1 \(code) "), "\(answer)")
            #expect(answer.contains(#"{"error":""#))
            let reply = try await get(path, "/v1/status")
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `a request line that never ends is cut off`() async throws {
        try await withServer { path in
            let answer = try await exchange(path, "GET /" + String(repeating: "x", count: 3 << 20))
            #expect(answer.hasPrefix("HTTP/1.1 431 ") || answer.isEmpty, "\(answer.prefix(200))")
            let reply = try await get(path, "/v1/status")
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `callers that vanish at any byte of a request harm nobody`() async throws {
        let request = "GET /v1/query?glob=a HTTP/1.1\r\nHost: x\r\n\r\n"
        try await withServer(
            FakeSurface(query: { _ in lines(Array(repeating: String(repeating: "x", count: 9999) + "\n", count: 99)) })
        ) {
            path in
            try await onThread {
                for length in 0...request.utf8.count {
                    let client = try RawClient(path: path)
                    client.send(String(request.prefix(length)))
                }
            }
            let reply = try await get(path, "/v1/status")
            #expect(reply.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `requests sent ahead are answered one after the other`() async throws {
        try await withServer { path in
            let answer = try await exchange(
                path,
                "GET /v1/peers HTTP/1.1\r\n\r\nGET /v1/nothing HTTP/1.1\r\n\r\nGET /v1/query HTTP/1.1\r\n\r\n"
                    + "HEAD /v1/devices HTTP/1.1\r\n\r\nGET /v1/version HTTP/1.0\r\n\r\n")
            let statuses = answer.split(separator: "HTTP/1.").map { $0.prefix(5) }
            #expect(statuses == ["1 200", "1 404", "1 200", "1 200", "0 200"], "\(answer)")
            #expect(answer.hasSuffix(#"{"version":"1.2.3"}"#))
            #expect(!answer.contains("soil-3"))
        }
    }

    @Test func `a hundred requests sent ahead in one write are all answered`() async throws {
        try await withServer { path in
            let requests = String(repeating: "GET /v1/peers HTTP/1.1\r\nHost: covey\r\n\r\n", count: 99)
            let answer = try await exchange(path, requests + "GET /v1/peers HTTP/1.1\r\nConnection: close\r\n\r\n")
            #expect(answer.split(separator: "HTTP/1.1 200 OK").count == 100)
        }
    }

    @Test func `a caller that says nothing is let go`() async throws {
        var limits = ControlLimits()
        limits.requestTime = .milliseconds(50)
        try await withServer(limits: limits) { path in
            for request in ["", "GET /v1/status HTTP/1.1\r\nX: half a requ"] {
                let reply = try await exchange(path, request)
                #expect(reply == "")
            }
        }
    }

    @Test func `one caller too many is told so, and is welcome once another has gone`() async throws {
        let left = Happening()
        var limits = ControlLimits()
        limits.connections = 2
        let surface = FakeSurface(tail: { _ in LineStream { try await waitForever(left) } })
        try await withServer(surface, limits: limits) { path in
            try await onThread {
                let first = try RawClient(path: path)
                first.send("GET /v1/peers HTTP/1.1\r\n\r\n")
                _ = try first.receive(until: "[]")
                let second = try RawClient(path: path)
                second.send("GET /v1/tail HTTP/1.1\r\n\r\n")
                _ = try second.receive(until: "\r\n\r\n")
                let third = try RawClient(path: path)
                #expect(try third.receiveAll().contains("2 connections are open already"))
                withExtendedLifetime((first, second)) {}
            }
            await left.wait()
            // Its place is free a moment after its stream was cancelled.
            var answer = ""
            repeat { answer = try await get(path, "/v1/peers") } while answer.hasPrefix("HTTP/1.1 503")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
        }
    }
}
