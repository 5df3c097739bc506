import ArgumentParser
import Glibc

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Readings as they are stored, until Ctrl-C.")

    @Argument(
        help: "Patterns over DEVICE/METRIC, or over DEVICE alone: * for any text, ? for one character. None means all.")
    var globs: [String] = []

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print one JSON object per line.")
    var json = false

    func run() throws {
        // Ending it is how one is done with it. Nothing is open but the socket, and whole lines are written at once.
        for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(0) } }
        var printer = ReadingPrinter(json ? .jsonLines : .table, to: Output(), terminal: .current)
        do {
            try daemon.client.lines(
                target("/v1/tail", globs: globs), begin: { try printer.begin() }, line: { try printer.take($0) },
                pause: { try printer.flush() })
        } catch let failure as Failure {
            try printer.flush()
            throw printer.failure ?? failure
        }
        throw printer.failure ?? Failure(.noDaemon, "the daemon ended the stream; did it stop?")
    }
}
