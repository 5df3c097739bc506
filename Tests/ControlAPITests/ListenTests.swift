import ControlAPI
import Glibc
import TestKit
import Testing

@Suite struct ListenTests {
    private func run(_ endpoint: ControlEndpoint) async -> ListenError? {
        do {
            try await ControlServer(endpoint, version: "1", surface: FakeSurface()).run { _ in
                Issue.record("it listens at \(endpoint)")
            }
            return nil
        } catch {
            return error as? ListenError
        }
    }

    @Test func `only owner and group may connect`() async throws {
        try await withServer { path in
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o660)
        }
    }

    @Test func `a socket that a killed gateway left is taken over`() async throws {
        try await withFolder { folder in
            let path = folder + "/api.sock"
            let descriptor = try bound(path)
            close(descriptor)
            #expect(access(path, F_OK) == 0)
            try await serve(ControlServer(.unix(path: path), version: "1", surface: FakeSurface())) { _ in
                let reply = try await get(path, "/v1/peers")
                #expect(reply.hasSuffix("[]"))
            }
        }
    }

    @Test func `a socket that somebody answers on is left to him`() async throws {
        try await withServer { path in
            let error = await run(.unix(path: path))
            #expect(error?.code == .inUse)
            #expect(error?.description.contains("another gateway answers there") == true)
            let reply = try await get(path, "/v1/peers")
            #expect(reply.hasSuffix("[]"))
        }
    }

    @Test func `a file that is no socket is left alone`() async throws {
        try await withFolder { folder in
            let path = folder + "/api.sock"
            close(open(path, O_WRONLY | O_CREAT, 0o600))
            #expect(await run(.unix(path: path))?.code == .notASocket)
            #expect(access(path, F_OK) == 0)
        }
    }

    @Test func `at its end it removes its own file only`() async throws {
        try await withFolder { folder in
            let path = folder + "/api.sock"
            try await serve(ControlServer(.unix(path: path), version: "1", surface: FakeSurface())) { _ in
                unlink(path)
                close(open(path, O_WRONLY | O_CREAT, 0o600))
            }
            #expect(access(path, F_OK) == 0)
        }
    }

    @Test func `a path that the kernel cannot hold, or whose folder is missing, is named`() async throws {
        let long = "/tmp/" + String(repeating: "x", count: 103)
        #expect(await run(.unix(path: long))?.code == .pathTooLong)
        let missing = await run(.unix(path: "/tmp/covey-no-such-folder/api.sock"))
        #expect(missing?.code == .noDirectory)
        #expect(missing?.description.contains("/tmp/covey-no-such-folder") == true)
        #expect(await run(.unix(path: "/dev/null/api.sock"))?.code == .noDirectory)
    }

    @Test func `over TCP it serves this machine, and says which port it got`() async throws {
        try await serve(ControlServer(.tcp(host: "127.0.0.1", port: 0), version: "1", surface: FakeSurface())) {
            endpoint in
            guard case .tcp(_, let port) = endpoint else {
                Issue.record("\(endpoint)")
                return
            }
            let answer = try await onThread {
                let client = try RawClient(port: port)
                client.send("GET /v1/peers HTTP/1.1\r\nConnection: close\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasSuffix("[]"))
            #expect(await run(.tcp(host: "127.0.0.1", port: port))?.code == .inUse)
        }
    }

    @Test(arguments: ["0.0.0.0:8470", "192.168.1.5:80", "[::]:8470", "example.net:1"])
    func `other machines are not served`(text: String) async throws {
        let endpoint = try #require(ControlEndpoint(listen: text))
        #expect(await run(endpoint)?.code == .notLoopback)
    }

    @Test func `an address is a host and a port`() {
        #expect(ControlEndpoint(listen: "127.0.0.1:8470") == .tcp(host: "127.0.0.1", port: 8470))
        #expect(ControlEndpoint(listen: "[::1]:0") == .tcp(host: "::1", port: 0))
        for text in ["", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1"] {
            #expect(ControlEndpoint(listen: text) == nil)
        }
        #expect(ControlEndpoint(listen: "127.0.0.1.example.net:80")?.isLocal == false)
    }

    private func bound(_ path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }
}
