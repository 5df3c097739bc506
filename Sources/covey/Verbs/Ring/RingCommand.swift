import ArgumentParser

struct RingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring",
        abstract: "Look into a ring: what it holds, whether all of it can be read, get it out, and repair it.",
        discussion: "Nothing of this but repair writes to the ring.",
        subcommands: [
            RingInfoCommand.self, RingVerifyCommand.self, RingExportCommand.self, RingRepairCommand.self,
        ])
}

/// Which ring is read as a file, where it is.
struct RingFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Read the ring in this data_dir, without a daemon.", valueName: "dir"),
        completion: .directory)
    var dataDir: String?

    @Option(
        help: ArgumentHelp("Read this file, such as a ring that was set aside, or a copy.", valueName: "file"),
        completion: .file())
    var ring: String?

    func validate() throws {
        if dataDir != nil, ring != nil { throw ValidationError("--data-dir and --ring each name a ring: give one") }
    }

    /// `nil` where a daemon is to be asked.
    var file: RingFile? { ring.map(RingFile.init(path:)) ?? dataDir.map(RingFile.init(directory:)) }

    func check(_ daemon: DaemonOptions) throws {
        if file != nil, daemon.socket != nil {
            throw ValidationError("--data-dir and --ring ask no daemon: leave out --socket")
        }
    }
}
