import ArgumentParser
import Gateway
import Glibc
import Posix

/// The program. `covey run` is the daemon; every other verb asks one, or looks at files.
struct Covey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "covey",
        abstract: "A gateway for sensors: reads them, keeps every reading, brings it to a sink once.",
        discussion: """
            Exit codes: 0 done, 1 the thing asked about is not well, 2 the call was wrong, 3 no daemon answers.
            """,
        version: programVersion,
        subcommands: [
            RunCommand.self, CheckCommand.self, StatusCommand.self, DevicesCommand.self, PeersCommand.self,
            UploadsCommand.self, QueryCommand.self, RingCommand.self, LatestCommand.self, TailCommand.self,
            KeyCommand.self,
            JoinCommand.self, LeaveCommand.self, ForgetCommand.self, VersionCommand.self,
        ])
}

/// The version of the program, as `covey version` and `/v1/version` tell it.
let programVersion = Gateway.version

@main
enum Program {
    static func main() async {
        // Before any other thread takes memory.
        ProcessMemory.shareOneHeap()
        do {
            if let complaint = VerbSlip.complaint(Array(CommandLine.arguments.dropFirst())) {
                throw Failure(.wrongCall, complaint)
            }
            var command = try Covey.parseAsRoot()
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Says what is to be said, on the right stream, and ends the process with the exit code of the contract.
    private static func end(with error: any Error) -> Never {
        if error is ReaderGone { exit(0) }
        if let failure = error as? Failure {
            tell(failure.message)
            exit(failure.code.rawValue)
        }
        let code = Covey.exitCode(for: error)
        let message = Covey.fullMessage(for: error)
        if code.isSuccess {
            let output = Output()
            try? output.write(message + "\n")
            try? output.flush()
        } else if !message.isEmpty {
            writeError(message + "\n")
        }
        // The parser's own code for a wrong call is 64; the contract says 2.
        exit(code == .validationFailure ? Failure.Code.wrongCall.rawValue : code.rawValue)
    }
}
