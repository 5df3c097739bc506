import Testing

/// What a person and a script see, to the letter.
@Suite struct FormatTests {
    @Test func `a query is a table in local time, with controls made harmless`() async throws {
        let outcome = try await ask(FakeDaemon(readings: Samples.readings), ["query"])
        #expect(
            outcome.output == #"""
                                   TIME  DEVICE         METRIC    VALUE           QUALITY
                2001-09-09 07:31:40.123  soil-3         moisture  41.2 %          good
                2001-09-09 07:31:40.250  door, "front"  level     true            clock-unsynced
                2001-09-09 07:31:41.000  plug           state     on\e[31m\n"no…  good

                """#)
    }

    @Test func `a query is csv with a header and quotes where they are needed`() async throws {
        let outcome = try await ask(FakeDaemon(readings: Samples.readings), ["query", "--format", "csv"])
        let end = "greenhouse-a,9f86d081884c7d659a2feaa0c55ad015,4be1aa0011223344"
        #expect(
            outcome.output == """
                time,t,device,metric,value,unit,quality,gateway,node,log,offset
                2001-09-09T01:46:40.123Z,1000000000123,soil-3,moisture,41.2,%,good,\(end),4096
                2001-09-09T01:46:40.250Z,1000000000250,"door, ""front""\",level,true,,clock-unsynced,\(end),4097
                2001-09-09T01:46:41.000Z,1000000001000,plug,state,"on\u{1B}[31m
                ""now""\",,good,\(end),4098

                """)
    }

    @Test func `a query is line protocol, one line per reading whatever it holds`() async throws {
        let outcome = try await ask(FakeDaemon(readings: Samples.readings), ["query", "--format", "line"])
        #expect(
            outcome.output == #"""
                soil-3,gateway=greenhouse-a,unit=% moisture=41.2 1000000000123000000
                door\,\ "front",gateway=greenhouse-a level=true,quality="clock-unsynced" 1000000000250000000
                plug,gateway=greenhouse-a state="on\#u{1B}[31m\n\"now\"" 1000000001000000000

                """#)
    }

    @Test func `json is one array of readings, untouched`() async throws {
        let daemon = FakeDaemon(readings: Samples.readings)
        #expect(
            try await ask(daemon, ["query", "--format", "json"]).output == "[\n"
                + Samples.readings.joined(separator: ",\n") + "\n]\n")
        #expect(
            try await ask(daemon, ["latest", "--json"]).output == "[" + Samples.readings.joined(separator: ",") + "]\n")
        #expect(try await ask(FakeDaemon(), ["query", "--format", "json"]).output == "[]\n")
        #expect(try await ask(FakeDaemon(), ["latest", "--json"]).output == "[]\n")
    }

    @Test func `an empty gateway says so, in words beside the answer`() async throws {
        for (verb, words) in [
            ("query", "no readings"), ("latest", "no readings yet"),
            ("devices", "no devices: none has spoken yet, or none is configured; "),
            ("uploads", "no uploads are configured: readings stay on this disk; "),
            ("peers", "no peers: this gateway stands alone"),
        ] {
            let outcome = try await ask(FakeDaemon(), [verb])
            #expect(outcome.code == 0)
            #expect(outcome.output == "")
            #expect(outcome.errors.hasPrefix("covey: \(words)") && outcome.errors.hasSuffix("\n"))
        }
    }

    @Test func `latest, devices, uploads and peers are tables`() async throws {
        #expect(
            try await ask(FakeDaemon(readings: Samples.readings), ["latest"]).output == #"""
                DEVICE         METRIC    VALUE            TREND        TIME  QUALITY
                soil-3         moisture  41.2 %                  2001-09-09  good
                door, "front"  level     true                    2001-09-09  clock-unsynced
                plug           state     on\e[31m\n"now"         2001-09-09  good

                """#)
        #expect(
            try await ask(FakeDaemon(devicesText: Samples.devices), ["devices"]).output == """
                DEVICE               DRIVER     STATE          SEEN  READINGS  REJECTED  DROPPED
                soil-3               mqtt       running  2001-09-09        20        12        0
                  ! payload of 3 bytes: not JSON
                a-device-with-a-ve…  simulated  stale             –         0         0        7

                """)
        #expect(
            try await ask(FakeDaemon(uploadsText: Samples.uploads), ["uploads"]).output == """
                UPLOAD   STATE  PENDING  BACK-FILL  RETRY IN  REFUSED
                cloud    ok           0          0         –        –
                archive  –            –          –         –        –

                """)
        #expect(
            try await ask(FakeDaemon(peersText: Samples.peers), ["peers"]).output == """
                PEER          STATE    SINCE   HELD  PENDING  ADDRESS        NODE
                greenhouse-b  suspect   12 s  12034        7  10.0.0.2:8472  001122334455667788…

                """)
    }

    @Test func `uploads tell why nothing is sent, and whose log is uploaded by whom`() async throws {
        let uploads =
            #"[{"name":"cloud","state":"ok","pending":3,"back_fill":3,"last_error":null,"reason":"waits for its turn","relayed":[{"node":"00ff","gateway":"shed","log":"a1","pending":12}],"relayed_by":[{"node":"00ff","gateway":"","log":"b2","pending":0}]}]"#
        #expect(
            try await ask(FakeDaemon(uploadsText: uploads), ["uploads"]).output == """
                UPLOAD  STATE  PENDING  BACK-FILL  RETRY IN  REFUSED
                cloud   ok           3          3         –        –
                  ! waits for its turn
                  for shed: 12 readings of log a1
                  by 00ff: log b2 of this gateway

                """)
    }

    @Test func `readings of several gateways are told apart by a column`() async throws {
        let readings = [("a", "1"), ("b", "2")].map { gateway, node in
            #"{"device":"door","metric":"level","t":1763700000123,"value":true,"quality":"good","gateway":"\#(gateway)","node":"\#(node)","log":"1","offset":1}"#
        }
        let latest = try await ask(FakeDaemon(readings: readings), ["latest"]).output
        #expect(latest.hasPrefix("GATEWAY  DEVICE"))
        #expect(latest.contains("\nb        door"))
        let query = try await ask(FakeDaemon(readings: readings), ["query"]).output
        #expect(query.contains("GATEWAY  DEVICE"))
        let one = try await ask(FakeDaemon(readings: [readings[0]]), ["latest"]).output
        #expect(!one.contains("GATEWAY"))
    }

    @Test func `latest shows the last values of numbers and flags as bars`() async throws {
        let outcome = try await ask(FakeDaemon(readings: Samples.trends), ["latest"])
        let trends = outcome.output.split(separator: "\n").dropFirst().map { $0.dropFirst(24).prefix(8) }
        #expect(outcome.output.hasPrefix("DEVICE  METRIC  VALUE   TREND"), "\(outcome)")
        #expect(trends == ["▁▂▃▄▅▆▇█", "▁▁▁     ", "█▁█     ", "██      ", "        "], "\(outcome)")
        #expect(!outcome.output.contains("QUALITY"))
    }

    @Test func `status shows health, ledger, sinks, ring and the tree`() async throws {
        let outcome = try await ask(FakeDaemon(statusText: Samples.status("degraded")), ["status"])
        #expect(
            outcome.output == """
                greenhouse-a  degraded: broker local is retrying: connection refused by
                    127.0.0.1:1883 and a long story about why that may have happened
                  damaged: 1 reading of the ring cannot be read any more
                up 3.2 h, covey 0.1.0, node 9f86d081884c7d659a2feaa0c55ad015

                Readings
                  RECEIVED  WAITING  STORED  DUPLICATE  REJECTED  DROPPED
                     12034        3   12000          4        20        7
                  rejected: malformed 12, too-large 8
                  dropped: quota 7
                  soil-3: rejected malformed 12

                Sinks
                  SINK   STORED  UPLOADED  PENDING  REFUSED  EVICTED  DAMAGED
                  cloud   12000     11000      990       10        0        0

                Uploads
                  UPLOAD  STATE  PENDING  BACK-FILL  RETRY IN  REFUSED
                  cloud   down       990        900    12.5 s        –
                    ! https://ingest.example/v1/readings answered 503

                Brokers
                  BROKER  STATE     RECEIVED  ERROR
                  local   retrying         –  connection refused

                Ring
                  256 segments, 200 free, 12000 readings, oldest 2001-09-08, 1.2 GiB written,
                    1 damaged
                  wear: 12 GiB written in all, 409.6 MiB a day; the card lasts more than 100
                    years at that
                  segment 7 was torn: 3 blocks are set aside

                  TREE          KIND         STATE        RESTARTS  LAST FAILURE
                  covey         one_for_one  running             0
                  ├─ devices    one_for_one  running             0
                  │  ├─ soil-3  worker       running             3  the driver threw: no such f…
                  │  └─ door    worker       quarantined         5  stuck
                  └─ api        worker       running             0

                """)
    }

    @Test func `a status that says nothing is shown as not known`() async throws {
        let outcome = try await ask(FakeDaemon(statusText: "{}"), ["status"])
        #expect(outcome.code == 0)
        #expect(outcome.output.hasPrefix("–  –\nup –, covey –, node –\n"), "\(outcome)")
    }

    @Test func `a gateway that is well says so, an empty one what it lacks, a failing one every reason`() async throws {
        func head(_ status: String) async throws -> [Substring] {
            let outcome = try await ask(FakeDaemon(statusText: status), ["status"])
            return outcome.output.split(separator: "\n\n")[0].split(separator: "\n")
        }
        #expect(try await head(Samples.well).first == "g  ok: 5 readings stored, all of them uploaded")
        let empty = try await head(Samples.empty)
        #expect(empty[0] == "g  ok: 0 readings stored")
        #expect(empty[1].hasPrefix("  next: no device is configured: add a [[device]]"), "\(empty)")
        #expect(empty.contains { $0.hasPrefix("  next: no upload is configured") }, "\(empty)")
        let failing = try await head(Samples.failing)
        #expect(failing[0] == "g  failed: readings stay in memory: no space left on device")
        #expect(failing[1...2] == ["  also: broker local is refused", "  also: door is quarantined: stuck"])
    }

    @Test func `the daemon's own status is passed on as it is`() async throws {
        #expect(
            try await ask(FakeDaemon(statusText: Samples.status("ok")), ["status", "--json"]).output == Samples.status(
                "ok") + "\n")
    }

    @Test(arguments: [40, 60, 80, 132])
    func `no line is wider than the terminal`(columns: Int) async throws {
        for (daemon, verb) in [
            (FakeDaemon(statusText: Samples.status("failed")), "status"),
            (FakeDaemon(devicesText: Samples.devices), "devices"),
            (FakeDaemon(uploadsText: Samples.uploads), "uploads"), (FakeDaemon(peersText: Samples.peers), "peers"),
            (FakeDaemon(readings: Samples.readings), "query"), (FakeDaemon(readings: Samples.readings), "latest"),
        ] {
            let piped = try await ask(daemon, [verb], environment: ["COLUMNS": "\(columns)"])
            let shown = try await ask(daemon, [verb], environment: ["NO_COLOR": "1"], onTerminal: columns)
            #expect(
                shown.output.split(separator: "\r\n").joined(separator: "\n")
                    == piped.output.split(separator: "\n").joined(separator: "\n"))
            for line in piped.output.split(separator: "\n") { #expect(line.count <= columns, "\(line)") }
            #expect(!piped.output.contains(" \n"))
        }
    }

    @Test func `colours are for terminals that want them`() async throws {
        let daemon = FakeDaemon(statusText: Samples.status("failed"))
        #expect(try await ask(daemon, ["status"], onTerminal: 80).output.contains("\u{1B}[31mfailed\u{1B}[0m"))
        #expect(
            try await !ask(daemon, ["status"], environment: ["TERM": "dumb"], onTerminal: 80).output.contains("\u{1B}"))
        #expect(try await !ask(daemon, ["status"]).output.contains("\u{1B}"))
    }
}
