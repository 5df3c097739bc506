import ControlAPI
import Model
import Testing

@testable import covey

@Suite struct HelpfulErrorTests {
    @Test(arguments: [
        (["staus"], "\"staus\" is no verb of covey; did you mean covey status?"),
        (["Latest"], "\"Latest\" is no verb of covey; did you mean covey latest?"),
        (["key", "genrate", "x"], "\"genrate\" is no verb of covey key; did you mean covey key generate?"),
        (["fly"], "\"fly\" is no verb of covey; the verbs are run, check, status"),
    ])
    func `a mistyped verb is told with the one that was meant`(words: [String], message: String) async throws {
        let outcome = try await Child.run(words)
        #expect(outcome.code == 2)
        #expect(outcome.errors.hasPrefix("covey: " + message), "\(outcome)")
    }

    @Test(arguments: [
        ("query", "sol-3", "did you mean soil-3?"), ("query", "soil-3/mosture", "did you mean soil-3/moisture?"),
        ("latest", "plugg", "did you mean plug?"), ("latest", "soil-3/x*", "soil-3 has moisture"),
        ("query", "nothing-like-it", "there are plug, soil-3"),
    ])
    func `a pattern that nothing matches is a wrong call, told with what there is`(
        verb: String, glob: String, help: String
    ) async throws {
        // The daemon finds nothing for it, and knows these when it is asked for all.
        var daemon = FakeDaemon(latestReadings: Samples.readings)
        daemon.filtersLatest = true
        let outcome = try await ask(daemon, [verb, glob])
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.errors == "covey: nothing matches \"\(glob)\"; \(help)\n")
    }

    @Test func `a name that another gateway may know is a remark, unless all of them were asked for all of time`()
        async throws
    {
        var daemon = FakeDaemon(peersText: #"[{"name":"shed"}]"#, latestReadings: Samples.readings)
        daemon.filtersLatest = true
        let remark = "covey: nothing matches \"sol-3\"; did you mean soil-3?\n"
        let all = try await ask(daemon, ["query", "sol-3"])
        #expect(all.code == 2 && all.errors == remark)
        let late = try await ask(daemon, ["query", "sol-3", "--since", "1h"])
        #expect(late.code == 0 && late.errors == "covey: no readings in that time\n" + remark, "\(late)")
        daemon.readings = [#"{"note":"the answer may be partial"}"#]
        let partial = try await ask(daemon, ["query", "sol-3"])
        #expect(partial.code == 0 && partial.errors.hasSuffix("covey: no readings\n" + remark), "\(partial)")
    }

    @Test func `a pattern that matches among others that do not is an answer with a remark`() async throws {
        var daemon = FakeDaemon(latestReadings: Samples.readings)
        daemon.filtersLatest = true
        let outcome = try await ask(daemon, ["latest", "soil-3", "plugg"])
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("moisture"))
        #expect(outcome.errors == "covey: nothing matches \"plugg\"; did you mean plug?\n")
    }

    @Test func `a device that has sent nothing yet is no slip`() async throws {
        let outcome = try await ask(FakeDaemon(devicesText: Samples.devices), ["query", "soil-*"])
        #expect(outcome.code == 0)
        #expect(outcome.errors == "covey: no readings\n")
    }

    @Test func `times that make no range are told as the person's clock shows them`() async throws {
        let now = Milliseconds.now
        let daemon = FakeDaemon(statusText: #"{"ring":{"oldest_t":\#(now.rawValue - 60_000)}}"#)
        for (options, message) in [
            (
                ["--since", "2001-09-09T08:00", "--until", "2001-09-09T07:00"],
                "(2001-09-09 08:00:00) is not before --until"
            ),
            (["--since", "2999-01-01"], "--since (2999-01-01 00:00:00) is in the future"),
            (["--until", "1h"], "is before the oldest reading held"),
        ] {
            let outcome = try await ask(daemon, ["query"] + options)
            #expect(outcome.code == 2 && outcome.errors.contains(message), "\(outcome)")
        }
        let outcome = try await ask(daemon, ["query", "--since", "1h"])
        #expect(outcome.code == 0 && outcome.errors == "covey: no readings in that time\n", "\(outcome)")
    }

    @Test func `who may not enter is told which group may, and how to join it`() {
        let path = "/run/covey/covey.sock"
        #expect(
            SocketTrouble.denied(path, .init(group: "covey", user: "ada"))
                == "\(path): permission denied: you are not in group covey: sudo usermod -aG covey ada, then log in again"
        )
        #expect(
            SocketTrouble.denied(path, .init(group: "covey", user: "ada", isMember: true)).hasSuffix("log in again"))
        #expect(SocketTrouble.denied(path, .init()).hasSuffix("try it with sudo"))
    }

    @Test func `a file at the socket's place is called one`() async throws {
        let outcome = try await Child.run(["status", "--socket", "/etc/passwd"])
        #expect(outcome.code == 3)
        #expect(outcome.errors == "covey: no daemon answers at /etc/passwd: that is a file, and no socket\n")
    }

    @Test func `a daemon that knows no history is asked without`() async throws {
        let refusal = ControlError(.badRequest, "parameter \"history\" is unknown here, or stands twice")
        let outcome = try await ask(FakeDaemon(readings: Samples.readings, historyRefusal: refusal), ["latest"])
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("moisture"))
    }

    @Test func `the version is one JSON object where that is asked for`() async throws {
        let outcome = try await Child.run(["version", "--json"])
        #expect(JSONValue(outcome.output.utf8)?["version"]?.string == programVersion)
        #expect(try await Child.run(["latest", "--history"]).code == 2)
    }
}
