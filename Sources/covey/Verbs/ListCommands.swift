import ArgumentParser
import Model

/// What the verbs share that print one array of the daemon's as a table.
private func list(
    _ options: DaemonOptions, _ path: String, asJSON: Bool, empty: String, _ table: ([JSONValue], Milliseconds) -> Table
) throws {
    Progress.begin("waiting for the daemon")
    defer { Progress.end() }
    let output = Output()
    if asJSON {
        try output.write(options.client.get(path))
        try output.write("\n")
    } else {
        let elements = try options.client.document(path).elements
        if elements.isEmpty { tell(empty) }
        for line in elements.isEmpty ? [] : table(elements, .now).lines(.current) { try output.line(line) }
    }
    try output.flush()
}

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "The devices, configured and discovered, and how each of them is.")

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print the daemon's own JSON array.")
    var json = false

    func run() throws {
        let empty = "no devices: none has spoken yet, or none is configured; [[device]] in the configuration adds one"
        try list(daemon, "/v1/devices", asJSON: json, empty: empty) { ListText.devices($0, now: $1) }
    }
}

struct UploadsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uploads", abstract: "The uploads: what is pending, how far behind, what went wrong last.")

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print the daemon's own JSON array.")
    var json = false

    func run() throws {
        let empty = "no uploads are configured: readings stay on this disk; [[upload]] in the configuration adds one"
        try list(daemon, "/v1/uploads", asJSON: json, empty: empty) { uploads, _ in ListText.uploads(uploads) }
    }
}

struct PeersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: "The other gateways of the covey, as this one sees them.")

    @OptionGroup var daemon: DaemonOptions

    @Flag(help: "Print the daemon's own JSON array.")
    var json = false

    func run() throws {
        try list(daemon, "/v1/peers", asJSON: json, empty: "no peers: this gateway stands alone") { peers, _ in
            ListText.peers(peers)
        }
    }
}
