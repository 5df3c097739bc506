import Testing

@testable import TOMLConfiguration

/// What breaks the syntax is located and named, and does not hide what follows.
@Suite struct SyntaxTests {
    @Test(arguments: rows)
    func aFaultOfTheSyntaxIsLocatedAndNamed(_ row: FaultCase) {
        #expect(faults(row.text) == row.faults)
    }

    static let rows = [
        FaultCase(
            "a text without quotes", "[[broker]]\nname = local\nurl = \"mqtt://h\"\n",
            #"2:8: this is no TOML value: "local" (texts, durations and sizes stand in quotes: "local")"#),
        FaultCase(
            "a duration without quotes", "[storage]\ncommit_window = 1 s\n",
            #"2:19: this is no TOML value: "1 s" (texts, durations and sizes stand in quotes: "1 s")"#),
        FaultCase(
            "yes for true", "[x]\na = yes\n",
            "1:2: unknown section `x` (known: [gateway], [api], [storage], [cluster], [log], [[broker]], [[device]], [[upload]])",
            #"2:5: this is no TOML value: "yes" (did you mean true?)"#),
        FaultCase("a missing value", "[log]\nlevel =\n", "2:8: a value is missing behind the ="),
        FaultCase(
            "a text that does not end", "[log]\nlevel = \"info\n", #"2:14: a text is not closed (write " at its end)"#),
        FaultCase(
            "a header that does not end", "[log\nlevel = \"info\"\n",
            "1:5: this header is not closed (write ] behind the name)"),
        FaultCase(
            "YAML", "[log]\nlevel: info\n", "2:6: a key needs = and a value (TOML writes key = value, not key: value)"),
        FaultCase(
            "a key that stands twice", "[log]\nlevel = \"info\"\nlevel = \"debug\"\n",
            "3:1: key `level` is there already in this section (first on line 2; keep one of them)"),
        FaultCase(
            "a section that stands twice", "[log]\nlevel = \"info\"\n[api]\n[log]\nlevel = \"debug\"\n",
            "4:1: section [log] is there already (first on line 1; put its keys together)"),
        FaultCase(
            "single and double brackets",
            "[device]\nid = \"x\"\ndriver = \"simulated\"\n[[device]]\nid = \"y\"\ndriver = \"simulated\"\n",
            "1:2: [device] needs two brackets (write [[device]]: there may be several)",
            "4:1: section [[device]] is there already (first on line 1; write [[device]] every time)"),
        FaultCase(
            "an array that does not end", "[cluster]\nseeds = [\"a:1\",\nreplicas = 1\n",
            "3:1: this array needs a comma or its closing ] before this"),
        FaultCase("letters beyond ASCII in a key", "[gateway]\nnäme = \"x\"\n", "2:2: a key needs = and a value"),
        FaultCase(
            "an unknown escape", "[gateway]\nname = \"C:\\q\"\n",
            #"2:12: a backslash begins an escape, and this is none (write \\ for a backslash, or put the text in single quotes)"#
        ),
        FaultCase(
            "what the parser chokes on, behind good lines", "[gateway]\nname = \"x\"\n\n[[[log]]]\nlevel = \"info\"\n",
            "4:1: this line cannot be read (a section begins with [name] or [[name]])",
            "4:3: `log` is a section of its own, not an array (write [log])"),
        FaultCase("a NUL byte", "[gateway]\nname = \"a\u{0}b\"\n", "2:10: there is a control character in this line"),
    ]

    @Test func slipsOfSyntaxDoNotHideEachOtherNorFaultsOfMeaning() {
        let text = """
            [gateway]
            name = greenhouse
            nod = "1"
            [[device]
            id = "door"
            driver = gpio
            line = 3
            [storage]
            ring_size = 64 MiB
            acks = 99
            acks = 1
            """
        #expect(
            faults(text) == [
                #"2:8: this is no TOML value: "greenhouse" (texts, durations and sizes stand in quotes: "greenhouse")"#,
                "3:1: unknown key `nod` in [gateway] (did you mean `node`?)",
                "4:10: this header is not closed (write ]] behind the name)",
                #"6:10: this is no TOML value: "gpio" (texts, durations and sizes stand in quotes: "gpio")"#,
                #"9:16: this is no TOML value: "64 MiB" (texts, durations and sizes stand in quotes: "64 MiB")"#,
                "10:8: `acks` must be a whole number from 1 to 16, not 99",
                "11:1: key `acks` is there already in this section (first on line 10; keep one of them)",
            ])
    }

    @Test func whatCannotBeMendedStillShowsTheFaultsBeforeIt() {
        let text = "[storage]\nacks = 0\n[cluster]\nseeds = [\"a:1\"\n[log]\nlevel = 1\n"
        #expect(
            faults(text) == [
                "2:8: `acks` must be a whole number from 1 to 16, not 0",
                "5:1: this array needs a comma or its closing ] before this",
            ])
    }

    @Test func tenFaultsGiveTenLines() {
        let text = """
            [gateway]
            name = "green house"
            datadir = "/x"
            [storage]
            ring_size = 64
            commit_window = "2 h"
            [[broker]]
            name = "local"
            url = "http://127.0.0.1"
            [[device]]
            id = "door"
            driver = "gpio"
            bias = "up"
            [[device]]
            id = "soil"
            driver = "mqtt"
            broker = "locl"
            topic = "a/#/b"
            decoder = "tasmotta"
            """
        let lines = faults(text)
        #expect(lines.count == 10)
        #expect(
            lines.map { $0.prefix { $0 != " " } } == [
                "2:8:", "3:1:", "5:13:", "6:17:", "9:7:", "10:1:", "13:8:", "17:10:", "18:9:", "19:11:",
            ])
    }

    @Test func aColumnCountsCharactersNotBytes() {
        #expect(
            faults("[[broker]]\n\"näm\" = 1 ; x\nname = \"b\"\nurl = \"mqtt://h\"\n").first?.hasPrefix("2:11: ") == true
        )
    }
}
