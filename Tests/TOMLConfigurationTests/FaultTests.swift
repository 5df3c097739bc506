import Testing

@testable import TOMLConfiguration

/// A text, and what is said about it: `LINE:COLUMN: message (suggestion)`.
struct FaultCase: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let faults: [String]

    init(_ name: String, _ text: String, _ faults: String...) {
        self.name = name
        self.text = text
        self.faults = faults
    }

    var testDescription: String { name }
}

@Suite struct FaultTests {
    @Test(arguments: values + sections)
    func aFaultInAValueOrSectionIsReportedWithItsPlaceAndWhatWasMeant(_ row: FaultCase) {
        #expect(faults(row.text) == row.faults)
    }

    @Test(arguments: links + devices)
    func aFaultInABrokerUploadOrDeviceIsReportedWithItsPlaceAndWhatWasMeant(_ row: FaultCase) {
        #expect(faults(row.text) == row.faults)
    }

    @Test(arguments: company)
    func whatOnlyShowsInCompanyIsReportedWithBothPlaces(_ row: FaultCase) {
        #expect(faults(row.text) == row.faults)
    }

    static let values = [
        FaultCase(
            "wrong type: number for text", "[gateway]\nname = 7\n",
            #"2:8: `name` must be a text, not the number 7 (write it in quotes: "7")"#),
        FaultCase(
            "a name that is no topic level", "[gateway]\nname = \"a/b\"\n",
            #"2:8: `name` must be 1 to 64 bytes without spaces, '/', '+' and '#', not "a/b" (it is a level of MQTT topics)"#
        ),
        FaultCase("an empty text", "[gateway]\ndata_dir = \"\"\n", "2:12: `data_dir` must not be empty"),
        FaultCase(
            "a short node id", "[gateway]\nnode = \"12\"\n",
            #"2:8: `node` must be 32 hexadecimal digits, not "12" (it has 2)"#),
        FaultCase(
            "a word that is near", "[gateway]\nclock = \"always_on\"\n",
            #"2:9: `clock` cannot be "always_on" (did you mean "always"?)"#),
        FaultCase(
            "a word that is nowhere near", "[log]\nlevel = \"loud\"\n",
            #"2:9: `level` cannot be "loud" (have: trace, debug, info, notice, warning, error)"#),
        FaultCase(
            "a duration without unit", "[storage]\ncommit_window = 5\n",
            #"2:17: `commit_window` must be a duration from "0 s" to "1 min" or "sync", not the number 5 (did you mean "5 s"?)"#
        ),
        FaultCase(
            "a duration with an unknown unit", "[storage]\nclock_wait = \"5 parsec\"\n",
            #"2:14: `clock_wait` must be a duration from "0 s" to "1 d", not "5 parsec" (units: us, ms, s, min, h, d, w)"#
        ),
        FaultCase(
            "a duration out of range", "[storage]\ncommit_window = \"2 min\"\n",
            #"2:17: `commit_window` must be a duration from "0 s" to "1 min" or "sync", not "2 min""#),
        FaultCase(
            "a size as hands write it", "[storage]\nring_size = \"64m\"\n",
            #"2:13: `ring_size` must be a size from "32 MiB" to "1 TiB", not "64m" (did you mean "64 MiB"?)"#),
        FaultCase(
            "a size out of range", "[storage]\nring_size = \"1 MiB\"\n",
            #"2:13: `ring_size` must be a size from "32 MiB" to "1 TiB", not "1 MiB""#),
        FaultCase(
            "a number in quotes", "[storage]\nacks = \"1\"\n",
            #"2:8: `acks` must be a whole number from 1 to 16, not the text "1" (write 1, without quotes)"#),
        FaultCase(
            "a number out of range", "[storage]\nacks = 0\n", "2:8: `acks` must be a whole number from 1 to 16, not 0"),
        FaultCase(
            "a way of dropping that there is not", "[storage]\nwhen_full = \"drop-newest\"\n",
            #"2:13: `when_full` cannot be "drop-newest" (did you mean "drop-oldest"?)"#),
        FaultCase(
            "an address without port", "[api]\nlisten = \"127.0.0.1\"\n",
            #"2:10: `listen` must be HOST:PORT, not "127.0.0.1" (for example "127.0.0.1:8470")"#),
        FaultCase(
            "a port that is none", "[api]\nlisten = \"[::1]:70000\"\n",
            #"2:10: `listen` must be HOST:PORT, not "[::1]:70000" (for example "127.0.0.1:8470")"#),
        FaultCase(
            "an address that others reach", "[api]\nlisten = \"0.0.0.0:8470\"\n",
            #"2:10: `listen`: 0.0.0.0:8470 is not a loopback address, and the interface has no passwords (write "127.0.0.1:8470" and put a proxy before it)"#
        ),
        FaultCase(
            "a socket's path beyond what the system takes",
            "[api]\nsocket = \"/\(String(repeating: "x", count: 107))\"\n",
            "2:10: `socket` has 108 bytes; a Unix socket's path has 107 at most"),
        FaultCase(
            "a date", "[log]\nlevel = 1979-05-27\n",
            "2:9: `level` must be a word in quotes, not a date or time (have: trace, debug, info, notice, warning, error)"
        ),
    ]

    static let sections = [
        FaultCase(
            "an unknown key near a known one", "[gateway]\ndata-dir = \"/x\"\n",
            "2:1: unknown key `data-dir` in [gateway] (did you mean `data_dir`?)"),
        FaultCase(
            "an unknown key near none", "[api]\n  colour = 1\n",
            "2:3: unknown key `colour` in [api] (known here: listen, socket)"),
        FaultCase("an unknown section", "[gatway]\n", "1:2: unknown section `gatway` (did you mean [gateway]?)"),
        FaultCase(
            "an unknown repeated section", "[[devices]]\nid = \"x\"\n",
            "1:3: unknown section `devices` (did you mean [[device]]?)"),
        FaultCase(
            "a section near none", "[weather]\n",
            "1:2: unknown section `weather` (known: [gateway], [api], [storage], [cluster], [log], [[broker]], [[device]], [[upload]])"
        ),
        FaultCase(
            "a key before the first section", "name = \"x\"\n",
            "1:1: key `name` stands before the first section (every key belongs into a section such as [gateway])"),
        FaultCase(
            "one bracket where two belong", "[broker]\nname = \"b\"\nurl = \"mqtt://h\"\n",
            "1:2: [broker] needs two brackets (write [[broker]]: there may be several)"),
        FaultCase(
            "two brackets where one belongs", "[[gateway]]\nname = \"x\"\n",
            "1:3: `gateway` is a section of its own, not an array (write [gateway])"),
        FaultCase(
            "a value where a section belongs", "device = 3\n",
            "1:1: `device` is a section, not the number 3 (write [[device]])"),
    ]

    static let links = [
        FaultCase(
            "a broker without anything", "[[broker]]\n",
            #"1:1: [[broker]] needs `name` (for example name = "local")"#,
            #"1:1: [[broker]] needs `url` (for example url = "mqtt://127.0.0.1:1883")"#),
        FaultCase(
            "an unknown scheme that is clear", "[[broker]]\nname = \"b\"\nurl = \"tcp://h:1883\"\n",
            #"3:7: `url` must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT], not "tcp://h:1883" (did you mean "mqtt://h:1883"?)"#
        ),
        FaultCase(
            "an address that is no URL", "[[broker]]\nname = \"b\"\nurl = \"10.0.0.1:1883\"\n",
            #"3:7: `url` must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT], not "10.0.0.1:1883" (did you mean "mqtt://10.0.0.1:1883"?)"#
        ),
        FaultCase(
            "a password in a URL", "[[broker]]\nname = \"b\"\nurl = \"mqtt://u:p@h\"\n",
            "3:7: `url` must not hold a user or password (use `username` and `password_file`)"),
        FaultCase(
            "a password", "[[broker]]\nname = \"b\"\nurl = \"mqtt://h\"\nusername = \"u\"\npassword = \"secret\"\n",
            #"5:1: unknown key `password` in [[broker]] "b" (passwords live in a file of their own: password_file)"#),
        FaultCase(
            "TLS files on a plain connection", "[[broker]]\nname = \"b\"\nurl = \"mqtt://h\"\nca_file = \"ca.pem\"\n",
            "4:1: `ca_file` has no meaning without TLS (did you mean mqtts:// in `url`?)"),
        FaultCase(
            "a certificate without its key", "[[broker]]\nname = \"b\"\nurl = \"mqtts://h\"\ncert_file = \"c.pem\"\n",
            "4:1: `cert_file` needs `key_file` beside it (a client certificate and its key go together)"),
        FaultCase(
            "a sink that comes later", "[[upload]]\nname = \"u\"\nsink = \"influx\"\nbucket = \"b\"\n",
            #"3:8: `sink` "influx" is not in this version (have: http, mqtt, file)"#),
        FaultCase(
            "a key of another sink", "[[upload]]\nname = \"u\"\nsink = \"file\"\npath = \"/f\"\ngzip = true\n",
            #"5:1: `gzip` has no meaning in [[upload]] "u" (it belongs to sink = "http")"#),
        FaultCase(
            "an upload's URL", "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"ftp://h/\"\n",
            #"4:7: `url` must be http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH, not "ftp://h/""#),
        FaultCase(
            "a header that the sink sets",
            "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"http://h/\"\nheaders = { Content-Type = \"x\" }\n",
            "5:11: `headers` must not hold Content-Type (the sink sets it itself)"),
        FaultCase(
            "a text for a flag", "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"http://h/\"\nrequired = \"yes\"\n",
            #"5:12: `required` must be true or false, not the text "yes" (write true, without quotes)"#),
        FaultCase(
            "a rate", "[[upload]]\nname = \"u\"\nsink = \"file\"\npath = \"/f\"\nmax_rate = \"fast\"\n",
            #"5:12: `max_rate` must be a rate such as "10/s", "600/min" or "3600/h", not "fast""#),
    ]

    static let devices = [
        FaultCase(
            "a GPIO device without line", "[[device]]\nid = \"door\"\ndriver = \"gpio\"\npin = 3\n",
            #"1:1: [[device]] "door" needs `line` (for example line = 3, or its name: line = "DOOR")"#,
            #"4:1: unknown key `pin` in [[device]] "door" (did you mean `line`?)"#),
        FaultCase(
            "a misspelt required key", "[[device]]\nid = \"door\"\ndriver = \"gpio\"\nlines = 3\n",
            #"1:1: [[device]] "door" needs `line` (did you mean that by `lines`?)"#,
            #"4:1: unknown key `lines` in [[device]] "door" (did you mean `line`?)"#),
        FaultCase(
            "a driver that comes later", "[[device]]\nid = \"x\"\ndriver = \"exec\"\ncommand = [\"a\"]\n",
            #"3:10: `driver` "exec" is not in this version (have: mqtt, gpio, simulated)"#),
        FaultCase(
            "a key of another driver", "[[device]]\nid = \"x\"\ndriver = \"gpio\"\nline = 1\ntopic = \"a\"\n",
            #"5:1: `topic` has no meaning in [[device]] "x" (it belongs to driver = "mqtt")"#),
        FaultCase(
            "a line's number out of range", "[[device]]\nid = \"x\"\ndriver = \"gpio\"\nline = -1\n",
            "4:8: `line` must be a whole number from 0 to 1023, not -1"),
        FaultCase(
            "an interval that says nothing",
            "[[device]]\nid = \"x\"\ndriver = \"gpio\"\nline = 1\ninterval = \"1 s\"\n",
            "5:1: `interval` has no meaning here: changes of the level are told as they come "
                + #"(mode = "count" or "frequency", or edge = "none" to sample)"#),
        FaultCase(
            "a wildcard in the middle",
            broker + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a/#/b\"\ndecoder = \"json\"\n",
            "7:9: `topic` is no topic filter: '#' is only allowed as the last level of 'a/#/b'"),
        FaultCase(
            "a broker that is not there",
            broker
                + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\nbroker = \"lokal\"\ntopic = \"a\"\ndecoder = \"json\"\n",
            #"7:10: `broker` names no [[broker]] of this file: "lokal" (did you mean "local"?)"#),
        FaultCase(
            "no broker at all", "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a\"\ndecoder = \"json\"\n",
            #"1:1: [[device]] "x" needs `broker` (describe one with [[broker]])"#),
        FaultCase(
            "a decoder that comes later",
            broker + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a\"\ndecoder = \"senml\"\n",
            #"8:11: `decoder` "senml" is not in this version (have: json, number, tasmota, zigbee2mqtt)"#),
        FaultCase(
            "{device} in the id alone",
            broker + "[[device]]\nid = \"{device}\"\ndriver = \"mqtt\"\ntopic = \"a\"\ndecoder = \"json\"\n",
            #"5:6: `id` holds {device}, and the topic "a" does not say where it is (write {device} for one level of the topic)"#
        ),
        FaultCase(
            "{device} in the topic alone",
            broker + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a/{device}\"\ndecoder = \"json\"\n",
            #"5:6: the topic names {device}, and `id` does not hold it: all would be one device (id = "{device}", or + in the topic)"#
        ),
        FaultCase(
            "a unit where units belong",
            broker + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a\"\ndecoder = \"json\"\nunit = \"V\"\n",
            #"9:1: `unit` has no meaning with decoder = "json" (use units = { METRIC = "…" })"#),
        FaultCase(
            "a named zone",
            broker
                + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"a\"\ndecoder = \"tasmota\"\ntime_zone = \"Europe/Rome\"\n",
            #"9:13: `time_zone` must be "UTC" or an offset such as "+02:00", not "Europe/Rome" (names of zones are not in this version)"#
        ),
    ]

    static let company = [
        FaultCase(
            "two devices of one id",
            "[[device]]\nid = \"x\"\ndriver = \"simulated\"\n[[device]]\nid = \"x\"\ndriver = \"simulated\"\n",
            #"5:6: two [[device]] have the id "x" (the first is on line 2)"#),
        FaultCase(
            "two brokers of one name, one of them faulty",
            "[[broker]]\nname = \"b\"\nurl = \"mqtt://h\"\n[[broker]]\nname = \"b\"\nurl = \"h\"\n",
            #"5:8: two [[broker]] have the name "b" (the first is on line 2)"#,
            #"6:7: `url` must be mqtt://HOST[:PORT] or mqtts://HOST[:PORT], not "h" (did you mean "mqtt://h"?)"#),
        FaultCase(
            "two devices on one topic",
            broker + "[[device]]\nid = \"x-{device}\"\ndriver = \"mqtt\"\ntopic = \"a/{device}\"\ndecoder = \"json\"\n"
                + "[[device]]\nid = \"y\"\ndriver = \"mqtt\"\ntopic = \"a/+\"\ndecoder = \"json\"\n",
            "9:1: two devices take the topic a/+ of broker local (the first begins on line 4)"),
        FaultCase(
            "two devices on one line",
            "[[device]]\nid = \"x\"\ndriver = \"gpio\"\nline = 3\n[[device]]\nid = \"y\"\ndriver = \"gpio\"\nline = 3\n",
            "5:1: two devices read line 3 of gpiochip0 (the first begins on line 1)"),
        FaultCase(
            "an upload that a device hears",
            "[gateway]\nname = \"g\"\n" + broker
                + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"out/#\"\ndecoder = \"json\"\n"
                + "[[upload]]\nname = \"u\"\nsink = \"mqtt\"\ntopic = \"out/{gateway}\"\n",
            #"11:1: device "x" hears what this upload publishes: readings would go round (its section begins on line 6)"#
        ),
        FaultCase(
            "a device that hears the gateway's own topics",
            broker + "[[device]]\nid = \"x\"\ndriver = \"mqtt\"\ntopic = \"#\"\ndecoder = \"json\"\n",
            ##"4:1: the topic "#" takes the gateway's own covey/\##(Paths.hostName)/…: readings would go round "##
                + #"(publish = false in [[broker]] "local", or a narrower topic)"#),
    ]
}
