import ArgumentParser
import Model

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "The version of this program.")

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let output = Output()
        try output.line(json ? document : "covey \(programVersion)")
        try output.flush()
    }

    private var document: String {
        var writer = JSONWriter()
        writer.object { writer in
            for (name, text) in [("program", "covey"), ("version", programVersion), ("machine", Self.machine)] {
                writer.key(name)
                writer.string(text)
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// What this program was built for.
    private static var machine: String {
        #if arch(x86_64)
        "x86_64"
        #elseif arch(arm64)
        "aarch64"
        #elseif arch(arm)
        "arm"
        #elseif arch(riscv64)
        "riscv64"
        #else
        "unknown"
        #endif
    }
}
