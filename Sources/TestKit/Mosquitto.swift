import CCovey
package import Glibc
import Synchronization

/// What kept a test's broker from running.
package struct MosquittoFailure: Error, CustomStringConvertible {
    package let description: String
}

/// A real mosquitto on a loopback port and in a folder of its own, with persistence. Ends with its last reference at the latest.
package final class MosquittoBroker: Sendable {
    /// Where Debian installs it.
    package static let program = "/usr/sbin/mosquitto"
    /// Of util-linux, which every Debian has.
    private static let leash = "/usr/bin/setpriv"

    private struct Waiter {
        let text: String
        let wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var process: pid_t = 0
        var lines: [String] = []
        /// Lines of former processes, which ``waitForLog(containing:)`` passes over.
        var firstLine = 0
        var waiters: [Waiter] = []
        var endings: [CheckedContinuation<Void, Never>] = []
    }

    /// Beyond it the oldest lines go.
    private static let lineLimit = 100_000

    package let port: Int
    /// Its configuration, its database, and whatever a test puts there.
    package let directory: String
    private let state = Mutex(State())

    /// `options`: further lines of its configuration, for the listener on ``port``; an `allow_anonymous` among them replaces the
    /// `true` that is set otherwise.
    package init(options: [String] = []) throws {
        guard access(Self.program, X_OK) == 0 else {
            throw MosquittoFailure(description: "\(Self.program) is missing: install the package mosquitto")
        }
        port = try Self.freePort()
        directory = try Self.makeFolder()
        try configure(options: options)
    }

    deinit {
        let process = state.withLock { $0.process }
        if process > 0 { _ = Glibc.kill(process, SIGKILL) }
        for name in ["mosquitto.conf", "mosquitto.db", "mosquitto.db.new"] { _ = unlink("\(directory)/\(name)") }
        _ = rmdir(directory)
    }

    /// Writes the configuration anew; it counts from the next ``start()``.
    package func configure(options: [String]) throws {
        var lines = [
            "listener \(port) 127.0.0.1", "persistence true", "persistence_location \(directory)/",
            "log_dest stderr", "connection_messages true", "set_tcp_nodelay true",
        ]
        if geteuid() == 0 { lines.append("user root") }
        lines += ["log_type error", "log_type warning", "log_type notice", "log_type information"]
        if !options.contains(where: { $0.hasPrefix("allow_anonymous") }) { lines.append("allow_anonymous true") }
        try Self.write((lines + options).joined(separator: "\n") + "\n", to: "\(directory)/mosquitto.conf")
    }

    /// Starts it and returns when it takes connections.
    package func start() async throws {
        var pipes: [Int32] = [-1, -1]
        // Closed in other children from the beginning, or they would keep this log open.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pipes) == 0 else { throw Self.systemFailure("socketpair") }
        let (reading, writing) = (pipes[0], pipes[1])
        try await withCheckedThrowingContinuation { (started: CheckedContinuation<Void, any Error>) in
            let directory = directory
            // The kernel kills the broker when the thread that started it ends: this one, which lasts as long as the broker.
            runOnThread { [weak self] in
                let spawned = Result { try Self.spawn(directory: directory, output: writing) }
                _ = close(writing)
                if case .success(let process) = spawned { self?.launched(process) }
                started.resume(with: spawned.map { _ in })
                Self.readLines(reading) { self?.took($0) }
                guard case .success(let process) = spawned else { return }
                var status: Int32 = 0
                _ = waitpid(process, &status, 0)
                self?.ended()
            }
        }
        guard await waitForLog(containing: " running") else {
            let log = state.withLock { $0.lines.suffix(5).joined(separator: "; ") }
            throw MosquittoFailure(description: "mosquitto ended at once: \(log)")
        }
    }

    /// Ends it in an orderly way: it saves its sessions and messages.
    package func stop() async {
        thaw()
        await end(SIGTERM)
    }

    /// Ends it as a crash would. What it had not saved is lost.
    package func kill() async {
        await end(SIGKILL)
    }

    /// Stops it from doing anything; the kernel goes on acknowledging its TCP segments.
    package func freeze() {
        signal(SIGSTOP)
    }

    package func thaw() {
        signal(SIGCONT)
    }

    /// Returns `true` when a line of the present process' log holds `text`, and `false` when the process ended without.
    @discardableResult
    package func waitForLog(containing text: String) async -> Bool {
        await withCheckedContinuation { wake in
            let answer = state.withLock { state -> Bool? in
                if state.lines[state.firstLine...].contains(where: { $0.contains(text) }) { return true }
                if state.process == 0 { return false }
                state.waiters.append(Waiter(text: text, wake: wake))
                return nil
            }
            if let answer { wake.resume(returning: answer) }
        }
    }

    /// Of the present process; 0 while it is not running.
    package var processID: pid_t { state.withLock { $0.process } }

    /// The lines of the present process' log so far.
    package var log: [String] { state.withLock { Array($0.lines[$0.firstLine...]) } }

    private func signal(_ number: Int32) {
        let process = state.withLock { $0.process }
        if process > 0 { _ = Glibc.kill(process, number) }
    }

    private func end(_ number: Int32) async {
        await withCheckedContinuation { ending in
            let isOver = state.withLock { state in
                if state.process == 0 { return true }
                state.endings.append(ending)
                _ = Glibc.kill(state.process, number)
                return false
            }
            if isOver { ending.resume() }
        }
    }

    private static func spawn(directory: String, output: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        // Sockets of other tests must not live on in this child.
        _ = covey_spawn_close_from(&actions, 3)
        // So that no broker outlives a test run that crashed.
        let words = [leash, "--pdeathsig", "KILL", program, "-c", "\(directory)/mosquitto.conf"]
        var arguments = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        // A thread of the cooperative pool blocks all signals, and its children would, too.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let result = posix_spawn(&process, leash, &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw systemFailure(leash, result) }
        return process
    }

    private func launched(_ process: pid_t) {
        state.withLock { state in
            precondition(state.process == 0, "the broker runs already as \(state.process)")
            state.process = process
            state.firstLine = state.lines.count
        }
    }

    /// Reads to the end, and closes.
    private static func readLines(_ descriptor: Int32, _ take: ([String]) -> Void) {
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            rest += buffer[..<count]
            var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = Array(lines.removeLast())
            take(lines.map { String(decoding: $0, as: UTF8.self) })
        }
        _ = close(descriptor)
    }

    private func took(_ lines: [String]) {
        let woken = state.withLock { state in
            state.lines += lines
            let excess = state.lines.count - Self.lineLimit
            if excess > 0 {
                state.lines.removeFirst(excess)
                state.firstLine = max(0, state.firstLine - excess)
            }
            let woken = state.waiters.filter { waiter in lines.contains { $0.contains(waiter.text) } }
            state.waiters.removeAll { waiter in lines.contains { $0.contains(waiter.text) } }
            return woken
        }
        for waiter in woken { waiter.wake.resume(returning: true) }
    }

    private func ended() {
        let (waiters, endings) = state.withLock { state in
            state.process = 0
            defer {
                state.waiters = []
                state.endings = []
            }
            return (state.waiters, state.endings)
        }
        for waiter in waiters { waiter.wake.resume(returning: false) }
        for ending in endings { ending.resume() }
    }

    /// A port that nobody listens on, below those that the kernel gives to connections and to listeners that do not mind which: one of
    /// those may be given to somebody else before the broker has it.
    private static func freePort() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 12_000..<32_000)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw systemFailure("socket") }
            defer { _ = close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if result == 0 { return port }
        }
        throw MosquittoFailure(description: "no free port between 12000 and 32000")
    }

    private static func makeFolder() throws -> String {
        var template = Array("/tmp/covey-mosquitto-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw systemFailure("mkdtemp") }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Writes a small file that only its owner reads.
    package static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemFailure(path) }
        defer { _ = close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw systemFailure(path) }
    }

    private static func systemFailure(_ what: String, _ code: Int32 = errno) -> MosquittoFailure {
        MosquittoFailure(description: "\(what): \(String(cString: strerror(code)))")
    }
}

/// Runs `body` on a detached OS thread, for calls that block.
package func runOnThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let result = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    precondition(result == 0, "no thread: \(result)")
    pthread_detach(thread)
}
