import ControlAPI
import Glibc
import Model
import TestKit
import Testing

@Suite struct ExitCodeTests {
    @Test(arguments: [("ok", 0), ("degraded", 1), ("failed", 1)])
    func `status exits with 1 while the gateway is not well`(health: String, code: Int32) async throws {
        let daemon = FakeDaemon(statusText: Samples.status(health))
        for arguments in [["status"], ["status", "--json"]] {
            let outcome = try await ask(daemon, arguments)
            #expect(outcome.code == code)
            #expect(outcome.errors == "")
        }
    }

    @Test(arguments: ["status", "devices", "uploads", "peers", "query", "latest", "tail", "leave"])
    func `without a daemon every verb that asks one exits with 3 and says how to start it`(verb: String) async throws {
        let path = "/tmp/covey-nobody-here.sock"
        let outcome = try await Child.run([verb, "--socket", path])
        #expect(outcome.code == 3)
        #expect(outcome.errors == "covey: no daemon answers at \(path); is it running? covey run --config …\n")
        #expect(outcome.output == "")
    }

    @Test func `a daemon that died and left its socket is no daemon`() async throws {
        try await withFolder { folder in
            let path = folder + "/api.sock"
            close(try listening(path))
            let outcome = try await Child.run(["status", "--socket", path])
            #expect(outcome.code == 3)
            #expect(outcome.errors.contains("no daemon answers at \(path)"))
        }
    }

    @Test(arguments: [
        "", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 200 OK\r\n\r\nhello",
    ])
    func `what answers but is no daemon counts as none`(answer: String) async throws {
        try await withFolder { folder in
            let path = folder + "/api.sock"
            let listener = try listening(path)
            async let served: Void = onThread {
                let caller = accept(listener, nil, nil)
                var request = [UInt8](repeating: 0, count: 4096)
                _ = recv(caller, &request, request.count, 0)
                _ = send(caller, answer, answer.utf8.count, CInt(MSG_NOSIGNAL))
                close(caller)
                close(listener)
            }
            let outcome = try await Child.run(["status", "--socket", path])
            await served
            #expect(outcome.code == 3, "\(outcome)")
            #expect(outcome.output == "")
        }
    }

    @Test(arguments: [
        [], ["fly"], ["status", "--yaml"], ["query", "--format", "xml"], ["query", "--format", "jsonLines"],
        ["query", "--limit", "0"], ["query", "--data-dir", "/tmp", "--gateway", "a"],
        ["query", "--limit", "many"], ["query", "--since", "soon"], ["query", "--since", "1h", "--until", "2h"],
        ["query", "--since"], ["check"], ["key"], ["key", "generate"], ["latest", ""],
        ["tail", String(repeating: "x", count: 301)],
        ["status", "--socket", "/tmp/" + String(repeating: "x", count: 110)],
    ])
    func `a wrong call exits with 2, says why and prints nothing else`(arguments: [String]) async throws {
        try await withDaemon(FakeDaemon()) { path in
            // Bare `covey` shows its help, as a person who types it wants.
            let outcome = try await Child.run(arguments, environment: ["COVEY_SOCKET": path])
            #expect(outcome.code == (arguments == [] || arguments == ["key"] ? 0 : 2), "\(outcome)")
            #expect(outcome.code == 0 || (outcome.output == "" && !outcome.errors.isEmpty), "\(outcome)")
        }
    }

    @Test(arguments: [
        ["--help"], ["help", "query"], ["query", "--help"], ["--version"], ["version"],
        ["--generate-completion-script", "bash"],
    ])
    func `help, version and completions go to standard output`(arguments: [String]) async throws {
        let outcome = try await Child.run(arguments)
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("covey") || outcome.output.hasPrefix("0."))
        #expect(outcome.errors == "")
    }

    @Test func `a fault of the gateway exits with 1 and is told with its hint`() async throws {
        let outcome = try await ask(FakeDaemon(), ["tail"])
        #expect(outcome.code == 1)
        #expect(outcome.errors == "covey: no tails here\n")
    }

    @Test func `the socket is taken from the environment, and the option goes before it`() async throws {
        try await withDaemon(FakeDaemon(statusText: Samples.status("ok"))) { path in
            #expect(try await Child.run(["status"], environment: ["COVEY_SOCKET": path]).code == 0)
            let outcome = try await Child.run(["status", "--socket", path], environment: ["COVEY_SOCKET": "/nowhere"])
            #expect(outcome.code == 0)
        }
    }

    private func listening(_ path: String) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0 && listen(descriptor, 1) == 0)
        return descriptor
    }
}
