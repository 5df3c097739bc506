import FoundationEssentials
import Glibc
import TestKit

/// One of the gateways: a process of its own, which may be killed and started again.
final class Node {
    /// What this one says of another.
    struct Peer: Decodable, Sendable {
        let name: String
        let state: String
    }

    let name: String
    let socket: String
    private let program: String
    private let directory: String
    private var process: ChildProcess?

    /// Of util-linux, which every Debian has: so that no gateway outlives a demonstration that was killed.
    private static let leash = "/usr/bin/setpriv"

    init(name: String, program: String, directory: String) {
        self.name = name
        self.program = program
        self.directory = directory
        socket = "\(directory)/\(name).sock"
    }

    var isRunning: Bool { process?.isRunning ?? false }
    var processID: pid_t { process?.processID ?? 0 }
    var log: [String] { process?.log ?? [] }
    var isReady: Bool { log.contains { $0.contains("is ready") } }

    func start() throws {
        process = try ChildProcess(
            Self.leash, ["--pdeathsig", "KILL", program, "run", "--config", "\(directory)/\(name).toml"])
    }

    func send(_ signal: Int32) { process?.send(signal) }

    func kill() async { await process?.kill() }

    /// Asks it to end, and makes it after half a minute. `nil` where it did not run.
    func stop() async -> ChildProcess.Ending? {
        guard let process, process.isRunning else { return nil }
        let force = Task {
            try await Task.sleep(for: .seconds(30))
            process.send(SIGKILL)
        }
        defer { force.cancel() }
        return await process.terminate()
    }

    /// The other gateways as this one sees them; `nil` where it does not answer.
    func peers() async -> [Peer]? { await ask("/v1/peers") }

    func status() async -> Status? { await ask("/v1/status") }

    private func ask<Answer: Decodable & Sendable>(_ target: String) async -> Answer? {
        guard isRunning else { return nil }
        let socket = socket
        let body = await onThread { httpBody(of: target, at: socket) }
        return body.flatMap { try? JSONDecoder().decode(Answer.self, from: Data($0)) }
    }

    /// What `covey` prints for `words`, line by line.
    func run(_ words: [String]) async throws -> [String] {
        let asked = try ChildProcess(program, words)
        _ = await asked.ending()
        return asked.log
    }

    /// The readings of its own that lie on its disk; for while it does not run. It acknowledges none before.
    func onDisk() async throws -> [Tally.Key] {
        struct Line: Decodable {
            let gateway: String
            let log: String
            let offset: Int
        }
        let lines = try await run(["query", "--data-dir", "\(directory)/\(name)", "--format", "json"])
        return lines.compactMap { line in
            let text = line.hasSuffix(",") ? line.dropLast() : Substring(line)
            guard let found = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)), found.gateway == name
            else { return nil }
            return Tally.Key(log: found.log, offset: found.offset)
        }
    }
}

/// The body of what a daemon answers at its socket; `nil` where it does not, or not within three seconds.
private func httpBody(of target: String, at path: String) -> [UInt8]? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { _ = close(descriptor) }
    var patience = timeval(tv_sec: 3, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
    }
    let request = Array("GET \(target) HTTP/1.1\r\nHost: covey\r\nConnection: close\r\n\r\n".utf8)
    guard connected == 0, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    else { return nil }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count != 0 {
        guard count > 0 else { return nil }
        answer += buffer[..<count]
    }
    let gap = Array("\r\n\r\n".utf8)
    guard answer.starts(with: Array("HTTP/1.1 200".utf8)), let end = answer.firstRange(of: gap) else { return nil }
    return Array(answer[end.upperBound...])
}
