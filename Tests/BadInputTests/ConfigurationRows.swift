/// A configuration file that is wrong, and what `covey check` and `covey run` say about it.
struct ConfigurationRow: Sendable {
    enum File: Sendable {
        case bytes([UInt8])
        case missing
        case folder
        /// There, but not for the user that the program runs as.
        case unreadable
    }

    let page: BadInput
    let file: File
    /// Each `LINE:COL: text`, as each line begins behind the file's name. All of them, in this order.
    let faults: [String]
    /// Said, and no reason not to start.
    let isNote: Bool

    init(_ thing: String, _ file: File, _ faults: [String], isNote: Bool = false, do advice: String) {
        self.file = file
        self.faults = faults
        self.isNote = isNote
        page = BadInput(
            source: .configuration, thing: thing, message: faults.first, counters: [], advice: advice)
    }

    init(_ thing: String, _ text: String, _ faults: String..., isNote: Bool = false, do advice: String) {
        self.init(thing, .bytes(Array(text.utf8)), faults, isNote: isNote, do: advice)
    }
}

extension ConfigurationRow {
    static let rows = files + syntax + meaning + many

    static let files = [
        ConfigurationRow(
            "not there", .missing, ["1:1: cannot read it: No such file or directory"], do: "Check the path."),
        ConfigurationRow("a folder", .folder, ["1:1: cannot read it: Is a directory"], do: "Name the file in it."),
        ConfigurationRow(
            "not readable", .unreadable, ["1:1: cannot read it: Permission denied"],
            do: "chgrp covey, chmod 640."),
        ConfigurationRow(
            "beyond 4 MiB", .bytes([UInt8](repeating: 0x23, count: 5 << 20)),
            ["1:1: it is larger than 4 MiB; is it a configuration?"], do: "Check the path."),
        ConfigurationRow(
            "empty", "", "1:1: there is no [[upload]]: readings stay on this gateway", isNote: true,
            do: "Nothing is wrong; nothing is read either."),
        ConfigurationRow(
            "UTF-16", .bytes([0xFF, 0xFE, 0x5B, 0, 0x67, 0]), ["1:1: there is a control character in this line"],
            do: "Save the file as UTF-8."),
        ConfigurationRow(
            "invalid UTF-8", .bytes(Array("[gateway]\nname = \"a".utf8) + [0xFF] + Array("\"\n".utf8)),
            ["2:9: this is not UTF-8 text"], do: "Save the file as UTF-8."),
        ConfigurationRow(
            "a NUL byte", "[gateway]\nname = \"a\0b\"\n", "2:10: there is a control character in this line",
            do: "Remove it; an editor shows it as ^@."),
        ConfigurationRow(
            "1 MiB of [", .bytes([UInt8](repeating: 0x5B, count: 1 << 20)), ["1:1: this line cannot be read"],
            do: "Put the file back in place."),
    ]

    static let syntax = [
        ConfigurationRow(
            "a text that is not closed", "[gateway]\nname = \"a\n", "2:10: a text is not closed (write \" at its end)",
            do: "As it says."),
        ConfigurationRow(
            "a section that stands twice", "[log]\nlevel = \"info\"\n[log]\nlevel = \"debug\"\n",
            "3:1: section [log] is there already (first on line 1; put its keys together)", do: "As it says."),
        ConfigurationRow(
            "a key that stands twice", "[log]\nlevel = \"info\"\nlevel = \"debug\"\n",
            "3:1: key `level` is there already in this section (first on line 2; keep one of them)",
            do: "As it says."),
        ConfigurationRow(
            "an unknown escape", "[gateway]\ndata_dir = \"C:\\q\"\n",
            "2:16: a backslash begins an escape, and this is none", do: "Write two, or use single quotes."),
        ConfigurationRow(
            "a stray character", "[gateway]\nname = \"a\" ;\n", "2:12: this is no TOML value: ", do: "Remove it."),
        ConfigurationRow(
            "a stray line", "[gateway]\n@@@\n", "2:1: a key or a [section] must stand here", do: "Remove it."),
        ConfigurationRow(
            "YAML", "[log]\nlevel: info\n", "2:6: a key needs = and a value (TOML writes key = value, not key: value)",
            do: "As it says."),
        ConfigurationRow(
            "three brackets", "[gateway]\n[[[device]]]\n",
            "2:1: this line cannot be read (a section begins with [name] or [[name]])",
            "2:1: [[device]] needs `id`", "2:1: [[device]] needs `driver`", do: "Two are enough."),
        ConfigurationRow(
            "500 levels deep", "x = " + String(repeating: "[", count: 500) + "\n",
            "1:21: values are nested too deeply (16 levels at most)", do: "Nothing here is that deep."),
        ConfigurationRow(
            "a byte order mark before a fault", "\u{FEFF}[gateway]\nname = 7\n", "2:8: `name` must be a text",
            do: "The mark is no fault."),
        ConfigurationRow(
            "CRLF and tabs before a fault", "[gateway]\r\n\tname\t=\t7\r\n", "2:9: `name` must be a text",
            do: "They are no faults; a tab is one column."),
    ]

    static let meaning = [
        ConfigurationRow(
            "an unknown key", "[gateway]\ndata-dir = \"/x\"\n",
            "2:1: unknown key `data-dir` in [gateway] (did you mean `data_dir`?)", do: "As it says."),
        ConfigurationRow(
            "an unknown section", "[gatway]\n", "1:2: unknown section `gatway` (did you mean [gateway]?)",
            do: "As it says."),
        ConfigurationRow(
            "a wrong type", "[storage]\nacks = \"1\"\n",
            #"2:8: `acks` must be a whole number from 1 to 16, not the text "1" (write 1, without quotes)"#,
            do: "As it says."),
        ConfigurationRow(
            "a number out of range", "[storage]\nacks = 17\n",
            "2:8: `acks` must be a whole number from 1 to 16, not 17",
            do: "As it says."),
        ConfigurationRow(
            "an unknown unit", "[storage]\nclock_wait = \"5 parsec\"\n",
            #"2:14: `clock_wait` must be a duration from "0 s" to "1 d", not "5 parsec" (units: us, ms, s, min, h, d, w)"#,
            do: "As it says."),
        ConfigurationRow(
            "a size without unit", "[storage]\nring_size = 64\n", "2:13: `ring_size` must be a size from",
            do: "Say MiB."),
        ConfigurationRow(
            "a broker's URL without host", "[[broker]]\nname = \"b\"\nurl = \"mqtt://\"\n",
            #"3:7: `url` must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT], not "mqtt://" (the host is missing)"#,
            do: "As it says."),
        ConfigurationRow(
            "a port that is none", "[[broker]]\nname = \"b\"\nurl = \"mqtt://h:99999\"\n",
            "3:7: `url` must be mqtt://HOST[:PORT]", do: "A port is a number from 1 to 65535."),
        ConfigurationRow(
            "an upload's URL", "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"ftp://h/\"\n",
            "4:7: `url` must be http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH", do: "As it says."),
        ConfigurationRow(
            "an unknown broker", device(broker: "lokal"),
            #"7:11: `broker` names no [[broker]] of this file: "lokal" (did you mean "local"?)"#, do: "As it says."),
        ConfigurationRow(
            "a wildcard in the middle of a topic", device(topic: "a/#/b"),
            "8:11: `topic` is no topic filter: '#' is only allowed as the last level of 'a/#/b'", do: "As it says."),
        ConfigurationRow(
            "an unknown decoder", device(decoder: "tasmotta"),
            #"9:11: `decoder` cannot be "tasmotta" (did you mean "tasmota"?)"#, do: "As it says."),
        ConfigurationRow(
            "two devices of one id",
            "[[device]]\nid = \"x\"\ndriver = \"simulated\"\n[[device]]\nid = \"x\"\ndriver = \"simulated\"\n",
            #"5:6: two [[device]] have the id "x" (the first is on line 2)"#, do: "Give each a name of its own."),
        ConfigurationRow(
            "a certificate that is not there",
            "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"https://h/\"\nca_file = \"/nonexistent/ca.pem\"\n",
            "5:11: `ca_file`: cannot read /nonexistent/ca.pem: No such file or directory",
            do: "Put it there. A daemon starts all the same, and the sink waits for it."),
        ConfigurationRow(
            "HTTP on all addresses", "[api]\nlisten = \"0.0.0.0:8470\"\n",
            "2:10: `listen`: 0.0.0.0:8470 is not a loopback address, and the interface has no passwords (write \"127.0.0.1:8470\" and put a proxy before it)",
            do: "Use 127.0.0.1; a proxy with passwords may stand before it."),
    ]

    static let many = [
        ConfigurationRow(
            "twelve faults of all kinds in one file",
            """
            [gateway]
            name = green house
            datadir = "/x"
            [storage]
            ring_size = 64
            commit_window = "2 h"
            acks = 99
            acks = 1
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
            """,
            "2:8: this is no TOML value: \"green house\"", "3:1: unknown key `datadir`", "5:13: ", "6:17: ", "7:8: ",
            "8:1: key `acks` is there already",
            "11:7: ", #"12:1: [[device]] "door" needs `line`"#, "15:8: ", "19:10: `broker` names no [[broker]]",
            "20:9: `topic` is no topic filter", "21:11: `decoder` cannot be",
            do: "Mend them all; one run shows them all.")
    ]

    private static func device(broker: String = "local", topic: String = "a", decoder: String = "json") -> String {
        """
        [[broker]]
        name = "local"
        url  = "mqtt://127.0.0.1"
        [[device]]
        id      = "x"
        driver  = "mqtt"
        broker  = "\(broker)"
        topic   = "\(topic)"
        decoder = "\(decoder)"

        """
    }
}
