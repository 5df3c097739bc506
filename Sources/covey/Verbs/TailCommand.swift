import ArgumentParser
import Glibc

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Readings as they are stored, until Ctrl-C.")

    @Argument(
        help: "Patterns over DEVICE/METRIC, or over DEVICE alone: * for any text, ? for one character. None means all.",
        completion: Completion.series)
    var globs: [String] = []

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print one JSON object per line.")
    var json = false

    func run() throws {
        endOnSignal()
        var hasBegun = false
        var printer = ReadingPrinter(json ? .jsonLines : .table, to: Output(), terminal: .current)
        do {
            try noteUnknown()
            try daemon.client.lines(
                target("/v1/tail", globs: globs),
                begin: {
                    hasBegun = true
                    try printer.begin()
                    Progress.begin("waiting for the first reading; Ctrl-C ends it", isPatient: false)
                },
                line: { line in
                    Progress.end()
                    try printer.take(line)
                }, pause: { try printer.flush() })
        } catch let failure as Failure {
            Progress.end()
            try printer.flush()
            if let told = printer.notes.failure { throw told }
            throw hasBegun && failure.code == .noDaemon ? Failure(.noDaemon, Self.brokenOff) : failure
        }
        Progress.end()
        throw printer.notes.failure ?? Failure(.noDaemon, "the daemon ended the stream; did it stop?")
    }

    private static let brokenOff =
        "the daemon broke off the stream: it stopped, or this was not read for longer than it waits"

    /// Ending it is how one is done with it. Nothing is open but the socket, and whole lines are written at once.
    private func endOnSignal() {
        // The terminal has put ^C on a line that the shell's prompt would share.
        let ending: @convention(c) (CInt) -> Void =
            Progress.isShown
            ? { _ in
                _ = write(STDERR_FILENO, "\r\u{1B}[K", 4)
                _exit(0)
            } : { _ in _exit(0) }
        for number in [SIGINT, SIGTERM] { signal(number, ending) }
    }

    /// A device may yet come that a pattern means, so this is no fault; a slip would wait for ever.
    private func noteUnknown() throws {
        guard !globs.isEmpty else { return }
        for complaint in try KnownNames(daemon.client).complaints(about: globs) { tell(complaint) }
    }
}
