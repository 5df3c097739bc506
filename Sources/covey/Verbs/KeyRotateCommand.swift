import ArgumentParser
import Glibc

extension KeyCommand {
    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Changes the key of the whole covey while it runs, from any one of its gateways.",
            discussion: """
                A new key is made and given to every gateway; when all have it, all speak with it; when all do, the old \
                one is forgotten. A gateway that is away is waited for, unless --without names it: then it finds its way \
                when it is back. Ctrl-C ends only the watching; asked again it goes on watching.
                """)

        @Option(
            help: ArgumentHelp(
                "A gateway that is away: the new key is used before it has it. May be given again.", valueName: "node"))
        var without: [String] = []

        @Flag(help: "Say how far a change is, and change nothing. Exit 1 while it waits for a gateway that is away.")
        var status = false

        @Flag(help: "Back to the key before the change that is under way.")
        var abort = false

        @OptionGroup var daemon: DaemonOptions

        /// Between two questions how far it is.
        private static let pause: useconds_t = 500_000

        func validate() throws {
            if status, abort || !without.isEmpty { throw ValidationError("--status stands alone") }
            if abort, !without.isEmpty { throw ValidationError("--abort waits for nobody: leave out --without") }
        }

        func run() throws {
            if status { return try tellStatus() }
            defer { Progress.end() }
            Progress.begin("waiting for the daemon")
            let names = without.map { "without=" + percentEncoded($0) }.joined(separator: "&")
            let order = abort ? "/v1/key/abort" : "/v1/key/rotate" + (names.isEmpty ? "" : "?" + names)
            var state = KeyProgress(try daemon.client.order(order))
            var told: [String] = []
            while !state.isDone {
                let line = state.line
                Progress.say { line }
                // What a person may have to do something about is said once, terminal or not.
                for remark in state.remarks where !told.contains(remark) {
                    told.append(remark)
                    tell(remark)
                }
                usleep(Self.pause)
                state = try ask()
            }
            Progress.end()
            let output = Output()
            try output.line(
                "The covey has \(abort ? "its old" : "a new") key, \(state.id): no other is known any more.")
            try output.line(
                "New gateways need it: it is in data_dir/cluster.key of every gateway, a key file as any other.")
            try output.flush()
        }

        private func tellStatus() throws {
            let state = try ask()
            let output = Output()
            for line in [state.line] + state.remarks { try output.line(line) }
            try output.flush()
            if !state.remarks.isEmpty { throw ExitCode(Failure.Code.notWell.rawValue) }
        }

        private func ask() throws -> KeyProgress {
            let document = try daemon.client.document("/v1/status")
            guard let covey = document["covey"], covey != .null else {
                throw Failure(.wrongCall, "this gateway is in no covey; [cluster] in the configuration puts it in one")
            }
            guard let key = covey["key"], key != .null else {
                throw Failure(.wrongCall, "this covey has no key of its own; cluster.key_file names one")
            }
            return KeyProgress(key)
        }
    }
}

/// How far a change of the covey's key is, as the daemon tells it.
private struct KeyProgress {
    let id: String
    private let stage: String?
    private let number: Int64
    private let error: String?
    private let awaited: [(name: String, state: String, stage: String)]

    init(_ key: JSONValue) {
        id = key["id"]?.string ?? "–"
        error = key["error"]?.string
        let change = key["change"]
        stage = change?["stage"]?.string
        number = change?["number"]?.integer ?? 0
        awaited = (change?["waits_for"]?.elements ?? []).map { other in
            let name = other["name"]?.string ?? ""
            return (
                name.isEmpty ? other["node"]?.string ?? "–" : name, other["state"]?.string ?? "unknown",
                other["stage"]?.string ?? "unaware"
            )
        }
    }

    var isDone: Bool { stage == nil || stage == "done" }

    var line: String {
        switch stage {
        case nil: "the key is \(id); it was never changed"
        case "done": "the key is \(id), of change \(number); no other is known"
        case "using": "change \(number): all speak with the new key; the old one is still understood" + names
        case "installed": "change \(number): the new key is on this disk, not in use" + names
        default: "change \(number): the new key is on its way here"
        }
    }

    private var names: String {
        let names = awaited.prefix(4).map(\.name).joined(separator: ", ")
        return awaited.isEmpty
            ? "" : "; waits for \(names)" + (awaited.count > 4 ? " and \(awaited.count - 4) more" : "")
    }

    /// What a person may do something about.
    var remarks: [String] {
        var remarks = error.map { ["the keys cannot be written: \($0)"] } ?? []
        for other in awaited where other.state != "alive" && other.state != "suspect" {
            remarks.append(
                stage == "using"
                    ? "\(other.name) is \(other.state): the old key stays known until it is back, or: covey forget \(other.name)"
                    : "\(other.name) is \(other.state): bring it back, or use the new key before: covey key rotate --without "
                        + other.name)
        }
        return remarks
    }
}
