import ControlAPI
import TestKit
import Testing

@Suite struct OrderTests {
    @Test(arguments: [
        ("POST /v1/leave", 200, #"{"did":"leave"}"#),
        ("POST /v1/forget?node=shed%20b", 200, #"{"did":"forget("shed b")"}"#),
        ("POST /v1/forget?node=alive", 409, #"{"error":"it is alive"}"#),
        ("POST /v1/forget", 400, ""), ("POST /v1/forget?node=", 400, ""), ("POST /v1/leave?node=a", 400, ""),
        ("POST /v1/key/rotate", 200, #"{"did":"rotateKey(without: [])"}"#),
        ("POST /v1/key/rotate?without=a&without=b", 200, #"{"did":"rotateKey(without: ["a", "b"])"}"#),
        ("POST /v1/key/rotate?without=", 400, ""), ("POST /v1/key/abort", 200, #"{"did":"abortKey"}"#),
        ("POST /v1/join?address=10.0.0.2:8472", 200, #"{"did":"join(["10.0.0.2:8472"])"}"#),
        ("POST /v1/ring/repair", 200, #"{"did":"repairRing"}"#), ("POST /v1/ring/repair?a=b", 400, ""),
        ("GET /v1/ring/repair", 405, #"{"error":"GET is not for this; POST is"}"#),
        ("POST /v1/join", 400, ""), ("GET /v1/join?address=a:1", 405, ""),
        ("GET /v1/leave", 405, #"{"error":"GET is not for this; POST is"}"#), ("GET /v1/forget?node=a", 405, ""),
        ("POST /v1/peers", 405, #"{"error":"POST is not for this; GET is"}"#), ("DELETE /v1/leave", 405, ""),
    ])
    func `orders are posted, and only to where orders are taken`(request: String, status: Int, body: String)
        async throws
    {
        try await withServer { path in
            let answer = try await onThread {
                let client = try RawClient(path: path)
                client.send(request + " HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
            #expect(answer.hasSuffix(body), "\(answer)")
            let isOrder = ["leave", "forget", "join", "key", "repair"].contains { request.contains($0) }
            if status == 405 { #expect(answer.contains("allow: \(isOrder ? "POST" : "GET, HEAD")\r\n")) }
        }
    }

    @Test(arguments: ["/v1/leave", "/v1/forget?node=a", "/v1/key/abort", "/v1/join?address=a:1", "/v1/ring/repair"])
    func `over TCP nobody orders anything, as a port asks nobody who he is`(target: String) async throws {
        try await serve(ControlServer(.tcp(host: "127.0.0.1", port: 0), version: "1", surface: FakeSurface())) {
            endpoint in
            guard case .tcp(_, let port) = endpoint else {
                Issue.record("\(endpoint)")
                return
            }
            let answer = try await onThread {
                let client = try RawClient(port: port)
                client.send("POST \(target) HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
        }
    }
}
