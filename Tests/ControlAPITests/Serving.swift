import ControlAPI
import Glibc
import Testing

/// A folder that is gone after the test.
func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    var template = Array("/tmp/covey-api-XXXXXX".utf8CString)
    let made = mkdtemp(&template)
    try #require(made != nil)
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
        unlink(folder + "/api.sock")
        rmdir(folder)
    }
    return try await body(folder)
}

/// Serves `surface` on a Unix socket while `body` runs, which is given the socket's path; then stops it and waits for its end.
func withServer(
    _ surface: FakeSurface = FakeSurface(), limits: ControlLimits = ControlLimits(),
    _ body: (String) async throws -> Void
) async throws {
    try await withFolder { folder in
        let path = folder + "/api.sock"
        try await serve(ControlServer(.unix(path: path), version: "1.2.3", surface: surface, limits: limits)) { _ in
            try await body(path)
        }
        #expect(access(path, F_OK) != 0, "the socket's file is left behind")
    }
}

func serve(_ server: ControlServer, _ body: (ControlEndpoint) async throws -> Void) async throws {
    let (readiness, continuation) = AsyncStream.makeStream(of: ControlEndpoint.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { continuation.finish() }
            try await server.run { continuation.yield($0) }
        }
        for await endpoint in readiness {
            try await body(endpoint)
            break
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}
