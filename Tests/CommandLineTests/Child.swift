import Glibc
import TestKit
import Testing

/// What a run of the program left behind.
struct Outcome: Sendable {
    var code: Int32 = -1
    var output = ""
    var errors = ""
}

/// The built program, run as a person runs it.
enum Child {
    /// Beside the tests' own executable, where the build puts both.
    static let program: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path[..<(path.lastIndex(of: "/") ?? path.endIndex)] + "/covey"
    }()

    /// Runs it to its end. Times are those of Kathmandu, 5:45 h ahead of UTC, so that a mistaken zone shows.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], onTerminal columns: Int? = nil
    ) async throws -> Outcome {
        let running = try Running(arguments, environment: environment, columns: columns)
        return try await onThread { try running.wait() }
    }
}

/// A run under way.
final class Running: @unchecked Sendable {
    let id: pid_t
    private let output: CInt
    private let errors: CInt

    init(_ arguments: [String], environment: [String: String] = [:], columns: Int? = nil) throws {
        let (output, childOutput) = try columns.map(Self.terminal) ?? Self.pipe()
        let (errors, childErrors) = try Self.pipe()
        defer {
            close(childOutput)
            close(childErrors)
        }
        var variables = ["TZ": "<+0545>-5:45", "PATH": "/usr/bin:/bin", "TERM": "xterm"]
        variables.merge(environment) { $1 }
        id = try spawn(
            Child.program, arguments, environment: variables, output: childOutput, errors: childErrors)
        self.output = output
        self.errors = errors
    }

    deinit {
        close(output)
        close(errors)
    }

    /// What the program printed next.
    func read() -> String { Self.read(output) ?? "" }

    /// Closes the reading side, as `head` does when it has enough.
    func stopReading() { dup2(errors, output) }

    /// Reads everything, then takes the exit code; `128 + n` where signal `n` ended it.
    func wait() throws -> Outcome {
        var outcome = Outcome()
        var open = [output, errors]
        var bytes: [[UInt8]] = [[], []]
        while open.contains(where: { $0 >= 0 }) {
            var requests = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            try #require(poll(&requests, 2, 20_000) > 0, "\(Child.program) hangs")
            for index in 0...1 where requests[index].revents != 0 {
                var buffer = [UInt8](repeating: 0, count: 65536)
                let count = Glibc.read(open[index], &buffer, buffer.count)
                if count > 0 { bytes[index] += buffer[..<count] } else { open[index] = -1 }
            }
        }
        var status: Int32 = 0
        waitpid(id, &status, 0)
        outcome.code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        outcome.output = String(decoding: bytes[0], as: UTF8.self)
        outcome.errors = String(decoding: bytes[1], as: UTF8.self)
        return outcome
    }

    private static func read(_ descriptor: CInt) -> String? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// A socket pair, because its ends are closed in other children from the start.
    private static func pipe() throws -> (CInt, CInt) {
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    /// A pseudo-terminal of so many columns.
    private static func terminal(columns: Int) throws -> (CInt, CInt) {
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var locked: CInt = 0
        var number: CUnsignedInt = 0
        try #require(master >= 0 && ioctl(master, 0x4004_5431, &locked) == 0)  // TIOCSPTLCK
        try #require(ioctl(master, 0x8004_5430, &number) == 0)  // TIOCGPTN
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(slave >= 0)
        var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        try #require(ioctl(slave, UInt(TIOCSWINSZ), &size) == 0)
        return (master, slave)
    }
}
