import ArgumentParser
import Glibc
import Model

struct LeaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave", abstract: "Let this gateway leave its covey for good, once nothing is lost by that.",
        discussion: """
            It takes no more readings, waits until what it holds is uploaded or held by others, and says good-bye. It \
            then stays idle, as systemd would start it again if it ended: stop and disable it. A restart calls it off, \
            also while it waits, and lets a gateway that has left join again. Ctrl-C ends only the watching.
            """)

    @OptionGroup var daemon: DaemonOptions

    /// Between two questions how far it is.
    private static let pause: useconds_t = 500_000

    func run() throws {
        defer { Progress.end() }
        Progress.begin("waiting for the daemon")
        var told: String?
        while true {
            let answer = try daemon.client.order("/v1/leave")
            let left = answer["readings"]?.integer ?? 0
            switch answer["state"]?.string {
            case "left":
                Progress.end()
                let output = Output()
                for line in Self.farewell { try output.line(line) }
                return try output.flush()
            case "emptying":
                Progress.say { "\(grouped(Int(left))) readings are still here alone" }
                // What a person waits for in vain is said once, terminal or not.
                if let reason = answer["reason"]?.string, reason != told {
                    told = reason
                    tell(reason)
                }
            case "leaving": Progress.say { "saying good-bye" }
            default: throw Failure(.noDaemon, "what answers at the socket knows no leaving; is it an older daemon?")
            }
            usleep(Self.pause)
        }
    }

    private static let farewell = [
        "This gateway has left its covey. It takes no more readings and stays idle:",
        "  sudo systemctl disable --now covey   ends it",
        "  sudo systemctl restart covey         lets it join again",
    ]
}

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget", abstract: "Say that a dead gateway of the covey does not come back.",
        discussion: """
            Nobody waits for it any more, and its share of the copies is made elsewhere. What only its disk has is lost \
            to the covey unless it joins again; that it may. A gateway that is alive is not forgotten: covey leave on it.
            """)

    @Argument(help: "Its name, or the start of its node id (4 digits or more): covey peers shows both.")
    var node: String

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let answer = try daemon.client.order("/v1/forget?node=" + percentEncoded(node))
        let output = Output()
        let name = answer["forgotten"]?.string ?? node
        try output.line("forgotten: \(printable(name)), node \(printable(answer["node"]?.string ?? "–"))")
        try output.flush()
    }
}
