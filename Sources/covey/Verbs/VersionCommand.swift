import ArgumentParser

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "The version of this program.")

    func run() throws {
        let output = Output()
        try output.line("covey \(programVersion)")
        try output.flush()
    }
}
