package import Glibc
import Threads

/// A program of its own, whose output is followed line by line, so that a test can wait for what it says and for its
/// end. It is killed when nobody holds it any more.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum Ending: Hashable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    package let processID: pid_t
    private let record: ChildRecord

    /// Starts `program` with `arguments`; its standard output and error are one log, and `onLine` is told of each line as
    /// it comes. Blocks for the moment that the start takes.
    package init(
        _ program: String, _ arguments: [String], onLine: (@Sendable (String) -> Void)? = nil
    ) throws {
        var ends: [Int32] = [-1, -1]
        // Closed in other children from the beginning, or they would keep this log open.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw ChildFailure("socketpair", errno) }
        let (output, input) = (ends[0], ends[1])
        let (record, isStarted) = (ChildRecord(onLine: onLine), Semaphore())
        // A child may have asked the kernel to kill it when the thread that started it ends: this one lasts as long as
        // the child.
        startThread {
            let process = Result { try spawn(program, arguments, output: input, errors: input) }
            _ = close(input)
            record.started(process)
            isStarted.post()
            if case .success(let process) = process { Self.follow(process, output, record) }
            _ = close(output)
        }
        isStarted.wait()
        processID = try record.process.get()
        self.record = record
    }

    deinit { send(SIGKILL) }

    /// Whether it has not ended yet.
    package var isRunning: Bool { record.isRunning }

    package func send(_ signal: Int32) {
        record.whileRunning { _ = Glibc.kill(processID, signal) }
    }

    /// Ends it as a crash would, and returns when it is gone.
    package func kill() async {
        send(SIGKILL)
        _ = await ending()
    }

    /// Asks it to end, and returns how it did.
    package func terminate() async -> Ending {
        send(SIGTERM)
        return await ending()
    }

    /// How it ended; returns when it has.
    package func ending() async -> Ending { await record.ending() }

    /// Returns `true` when a line of its log holds `text`, and `false` when it ended without.
    @discardableResult
    package func waitForLog(containing text: String) async -> Bool { await record.waitForLog(containing: text) }

    /// The lines of its log so far.
    package var log: [String] { record.lines }

    /// Reads its log until it ends, then reaps it.
    private static func follow(_ process: pid_t, _ output: Int32, _ record: ChildRecord) {
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(output, &buffer, buffer.count), count > 0 {
            rest += buffer[..<count]
            var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = Array(lines.removeLast())
            record.took(lines.map { String(decoding: $0, as: UTF8.self) })
        }
        var status: Int32 = 0
        _ = waitpid(process, &status, 0)
        let signal = status & 0x7F
        record.ended(signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal))
    }
}
