import ArgumentParser
import Gateway
import Model
import RingLog

struct RingInfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "What a ring holds: its segments, every log with its ranges, and what is missing.",
        discussion: "Of a running gateway; with --data-dir or --ring out of the file, which also works while none runs."
    )

    @OptionGroup var ring: RingFileOptions
    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws { try ring.check(daemon) }

    func run() throws {
        defer { Progress.end() }
        let document = try ring.file.map(Self.document) ?? ask()
        Progress.end()
        let output = Output()
        if json {
            try output.write(document)
            try output.write("\n")
        } else {
            guard let info = JSONValue(document), info["logs"] != nil else {
                throw Failure(.noDaemon, "what answers at the socket is no covey daemon")
            }
            for line in RingText.lines(info, .current, now: .now) { try output.line(line) }
        }
        try output.flush()
    }

    private func ask() throws -> [UInt8] {
        Progress.begin("waiting for the daemon")
        return try daemon.client.get("/v1/ring")
    }

    private static func document(_ file: RingFile) throws -> [UInt8] {
        let stopped = try StoppedRing(file)
        stopped.tellIfInUse()
        return RingDocument(
            gateway: stopped.gateway, node: stopped.node, inventory: stopped.ring.inventory,
            recovery: stopped.seen.sentences
        ) { stopped.owner(of: $0.log) }.json
    }
}
