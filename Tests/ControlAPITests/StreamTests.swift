import ControlAPI
import Model
import TestKit
import Testing

@Suite struct StreamTests {
    @Test func `a query's lines arrive in their order, in a whole chunked answer`() async throws {
        let chunks = (0..<300).map { "{\"offset\":\($0)}\n{\"offset\":\($0).5}\n" }
        try await withServer(FakeSurface(query: { _ in lines(chunks) })) { path in
            let answer = try await get(path, "/v1/query")
            #expect(answer.contains("transfer-encoding: chunked"))
            let (body, isWhole) = unchunked(answer)
            #expect(isWhole)
            #expect(body == chunks.joined())
        }
    }

    @Test func `the gateway produces no more than a slow reader has taken, and a few chunks`() async throws {
        let produced = Counter()
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65535) + [UInt8(ascii: "\n")]
        let surface = FakeSurface(query: { _ in LineStream { produced.next() < 200 ? chunk : nil } })
        try await withServer(surface) { path in
            try await onThread {
                let client = try RawClient(path: path)
                client.send("GET /v1/query HTTP/1.1\r\nConnection: close\r\n\r\n")
                var received = 0
                while case let bytes = try client.receive(), !bytes.isEmpty {
                    // What the kernel holds for a Unix socket is some 200 KiB, three or four chunks.
                    #expect(produced.value <= received / chunk.count + 10)
                    received += bytes.count
                }
                #expect(received > 200 * chunk.count)
            }
        }
    }

    @Test func `an answer that breaks off ends in an error line and without a last chunk`() async throws {
        let count = Counter()
        let surface = FakeSurface(query: { _ in
            LineStream {
                if count.next() == 0 { return Array("{\"offset\":1}\n".utf8) }
                throw ControlError(.failed, "segment 7 is damaged", hint: "ask for less")
            }
        })
        try await withServer(surface) { path in
            let (body, isWhole) = unchunked(try await get(path, "/v1/query"))
            #expect(body == "{\"offset\":1}\n{\"error\":\"segment 7 is damaged\",\"hint\":\"ask for less\"}\n")
            #expect(!isWhole)
        }
    }

    @Test func `a tail brings what is published, and blank lines while nothing is`() async throws {
        let hub = TailHub()
        var limits = ControlLimits()
        limits.heartbeat = .milliseconds(20)
        try await withServer(FakeSurface(tail: { try hub.follow($0) }), limits: limits) { path in
            let client = try await onThread { try RawClient(path: path) }
            _ = try await onThread {
                client.send("GET /v1/tail?glob=soil-* HTTP/1.1\r\n\r\n")
                return try client.receive(until: "1\r\n\n\r\n")
            }
            #expect(hub.isFollowed)
            hub.publish(Series(device: DeviceID("door"), metric: "level")) { Array("{\"device\":\"door\"}".utf8) }
            hub.publish(Series(device: DeviceID("soil-3"), metric: "moisture")) {
                Array("{\"device\":\"soil-3\"}".utf8)
            }
            let answer = try await onThread { try client.receive(until: "soil-3") }
            #expect(!answer.contains("door"))
        }
    }

    @Test func `a tail that is not read misses readings and is told how many`() async throws {
        let hub = TailHub()
        let series = Series(device: DeviceID("soil-3"), metric: "moisture")
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 999)
        try await withServer(FakeSurface(tail: { try hub.follow($0) })) { path in
            try await onThread {
                let client = try RawClient(path: path)
                client.send("GET /v1/tail HTTP/1.1\r\n\r\n")
                var text = try client.receive(until: "\r\n\r\n")
                while !hub.isFollowed {}
                for _ in 0..<5000 { hub.publish(series) { line } }
                hub.close()
                text += try client.receive(until: "0\r\n\r\n")
                let told = unchunked(text).body.split(separator: "\n")
                let dropped = told.filter { $0.hasPrefix("{\"dropped\"") }.compactMap {
                    Int($0.dropFirst(11).dropLast())
                }
                #expect(dropped.reduce(0, +) > 0)
                #expect(dropped.reduce(0, +) + told.filter { $0.hasPrefix("x") }.count == 5000)
            }
        }
    }

    @Test func `the count of missed readings stands where they are missing`() async throws {
        let hub = TailHub()
        let series = Series(device: DeviceID("d"), metric: "m")
        let stream = try hub.follow([])
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: TailHub.waitingBytes / 2 - 1)
        for _ in 0..<5 { hub.publish(series) { line } }
        let first = try #require(try await stream.next())
        #expect(String(decoding: first.suffix(15), as: UTF8.self) == "\n{\"dropped\":3}\n")
        hub.publish(series) { [UInt8(ascii: "y")] }
        #expect(try await stream.next() == Array("y\n".utf8))
        hub.close()
        #expect(try await stream.next() == nil)
    }

    @Test func `a follower that goes is forgotten, and there is room for so many`() throws {
        let hub = TailHub()
        var streams = try (0..<TailHub.followers).map { _ in try hub.follow([]) }
        #expect(throws: ControlError.self) { _ = try hub.follow([]) }
        streams.removeLast()
        streams.append(try hub.follow([]))
        streams.removeAll()
        #expect(!hub.isFollowed)
    }

    @Test func `a reader that hangs up cancels what was made for it`() async throws {
        let cancelled = Happening()
        try await withServer(FakeSurface(tail: { _ in LineStream { try await waitForever(cancelled) } })) { path in
            try await onThread {
                let client = try RawClient(path: path)
                client.send("GET /v1/tail HTTP/1.1\r\n\r\n")
                _ = try client.receive(until: "\r\n\r\n")
            }
            await cancelled.wait()
        }
    }

    @Test func `a reader that takes nothing loses its connection`() async throws {
        let over = Happening()
        var limits = ControlLimits()
        limits.writeTime = .milliseconds(50)
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        let surface = FakeSurface(query: { _ in
            let held = OnRelease { over.happen() }
            return LineStream {
                withExtendedLifetime(held) {}
                return chunk
            }
        })
        try await withServer(surface, limits: limits) { path in
            let client = try await onThread { try RawClient(path: path) }
            client.send("GET /v1/query HTTP/1.1\r\n\r\n")
            await over.wait()
        }
    }

    @Test func `it ends within a second of being cancelled, though tails and idle callers are open`() async throws {
        var began: ContinuousClock.Instant?
        try await withFolder { folder in
            let surface = FakeSurface(tail: { _ in LineStream { try await waitForever() } })
            let server = ControlServer(.unix(path: folder + "/api.sock"), version: "1", surface: surface)
            try await serve(server) { _ in
                try await onThread {
                    for _ in 0..<3 {
                        let client = try RawClient(path: folder + "/api.sock")
                        client.send("GET /v1/tail HTTP/1.1\r\n\r\n")
                        _ = try client.receive(until: "\r\n\r\n")
                        Leaked.clients.append(client)
                        Leaked.clients.append(try RawClient(path: folder + "/api.sock"))
                    }
                }
                began = ContinuousClock.now
            }
        }
        let time = try #require(began).duration(to: .now)
        #expect(time < .seconds(1))
    }
}

/// Says when the last reference to it is gone.
private final class OnRelease: Sendable {
    private let action: @Sendable () -> Void

    init(_ action: @escaping @Sendable () -> Void) {
        self.action = action
    }

    deinit { action() }
}

/// Keeps callers connected until the test process ends.
private enum Leaked {
    nonisolated(unsafe) static var clients: [RawClient] = []
}
