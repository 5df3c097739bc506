import FoundationEssentials
import Glibc
package import TestKit

/// A gateway of the program beside this one, as a process of its own, with a folder on a real disk.
package final class RunningGateway {
    package let folder: String
    package let process: ChildProcess
    private let program: String

    package var socket: String { folder + "/covey.sock" }

    /// `configuration` is given the folder, below which it puts socket and data. Returns once a log line holds
    /// `ready`.
    package init(
        program: String = Files.sibling("covey"), folder: String? = nil, ready: String = "is ready",
        configuration: (String) -> String
    ) async throws {
        self.program = program
        self.folder = try folder ?? Files.makeFolder()
        try Files.write(configuration(self.folder), to: self.folder + "/covey.toml")
        process = try ChildProcess(program, ["run", "--config", self.folder + "/covey.toml"])
        guard await process.waitForLog(containing: ready) else {
            throw ChildFailure(description: "the gateway ended:\n" + process.log.joined(separator: "\n"))
        }
    }

    /// The head that all benchmarks share; what is measured follows it.
    package static func head(_ folder: String, ring: String = "64 MiB", window: String = "1 s") -> String {
        """
        [gateway]
        name = "bench"
        data_dir = "\(folder)/data"
        clock = "always"
        [api]
        socket = "\(folder)/covey.sock"
        [storage]
        ring_size = "\(ring)"
        commit_window = "\(window)"

        """
    }

    /// A broker, and every device below `bench/` on it.
    package static func mqtt(port: Int, publish: Bool = false) -> String {
        """
        [[broker]]
        name = "local"
        url = "mqtt://127.0.0.1:\(port)"
        publish = \(publish)
        [[device]]
        id = "{device}"
        driver = "mqtt"
        topic = "bench/{device}/temp"
        decoder = "number"

        """
    }

    package func usage() throws -> Usage { try Usage(of: process.processID) }

    package func status() throws -> Status {
        let command = "\(program) status --json --socket \(socket)"
        guard let pipe = popen(command, "r") else { throw ChildFailure(description: "\(command) cannot be started") }
        defer { _ = pclose(pipe) }
        var text = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 {
            text.append(contentsOf: buffer[..<count])
        }
        do {
            return try JSONDecoder().decode(Status.self, from: text)
        } catch {
            throw ChildFailure(description: "\(command) answers \(String(decoding: text.prefix(200), as: UTF8.self))")
        }
    }

    /// Ends it in order, and removes its folder.
    package func end() async {
        _ = await process.terminate()
        Files.remove(folder)
    }
}
