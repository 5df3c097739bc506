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
    /// So that no broker outlives a test run that crashed. Of util-linux, which every Debian has.
    package static let leash = ["/usr/bin/setpriv", "--pdeathsig", "KILL"]

    package let port: Int
    /// Its configuration, its database, and whatever a test puts there.
    package let directory: String
    private let wrapper: [String]
    private let process = Mutex<ChildProcess?>(nil)

    /// `options`: further lines of its configuration, for the listener on ``port``; an `allow_anonymous` among them replaces the
    /// `true` that is set otherwise. `wrapper`: what it is started under; that must see to it that it does not outlive a test run.
    package init(options: [String] = [], under wrapper: [String] = MosquittoBroker.leash) throws {
        guard access(Self.program, X_OK) == 0 else {
            throw MosquittoFailure(description: "\(Self.program) is missing: install the package mosquitto")
        }
        self.wrapper = wrapper
        port = try Self.freePort()
        directory = try Self.makeFolder()
        try configure(options: options)
    }

    deinit {
        current?.send(SIGKILL)
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
        let arguments = wrapper.dropFirst() + [Self.program, "-c", "\(directory)/mosquitto.conf"]
        let started = try ChildProcess(wrapper[0], Array(arguments))
        process.withLock { process in
            precondition(process?.isRunning != true, "the broker runs already")
            process = started
        }
        guard await started.waitForLog(containing: " running") else {
            throw MosquittoFailure(
                description: "mosquitto ended at once: \(started.log.suffix(5).joined(separator: "; "))")
        }
    }

    /// Ends it in an orderly way: it saves its sessions and messages.
    package func stop() async {
        thaw()
        _ = await current?.terminate()
    }

    /// Ends it as a crash would. What it had not saved is lost.
    package func kill() async {
        await current?.kill()
    }

    /// Stops it from doing anything; the kernel goes on acknowledging its TCP segments.
    package func freeze() {
        current?.send(SIGSTOP)
    }

    package func thaw() {
        current?.send(SIGCONT)
    }

    /// Returns `true` when a line of the present process' log holds `text`, and `false` when the process ended without.
    @discardableResult
    package func waitForLog(containing text: String) async -> Bool {
        await current?.waitForLog(containing: text) ?? false
    }

    /// Of the present process; 0 while it is not running.
    package var processID: pid_t {
        guard let current, current.isRunning else { return 0 }
        return current.processID
    }

    /// The lines of the present process' log so far.
    package var log: [String] { current?.log ?? [] }

    /// The process that was started last.
    private var current: ChildProcess? { process.withLock { $0 } }

    /// A port that nobody listens on, below those that the kernel gives to connections and to listeners that do not mind which: one of
    /// those may be given to somebody else before the broker has it.
    package static func freePort() throws -> Int {
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
