import Environment
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import TestKit
import Testing

@testable import covey

/// `covey ring` on the rings of stopped gateways, and of one that runs.
@Suite struct RingToolTests {
    @Test func `info tells segments, logs with their ranges, and whose copies they are`() async throws {
        try await RingFolder.with(250, copies: 40) { folder in
            let outcome = try await Child.run(["ring", "info", "--data-dir", folder.path, "--json"])
            #expect(outcome.code == 0 && outcome.errors == "", "\(outcome)")
            let info = try #require(JSONValue(outcome.output.utf8.dropLast()))
            #expect(info["readings"]?.integer == 290 && info["copies"]?.integer == 40)
            #expect(info["oldest_t"]?.integer == 1_000_000_000_000 && info["newest_t"]?.integer == 1_000_000_249_000)
            let logs = try #require(info["logs"]?.elements)
            #expect(logs.map { $0["held"]?.plain } == ["0, 250", "0, 40"])
            #expect(logs.map { $0["own"] } == [.flag(true), .flag(false)])
            #expect(logs[1]["node"]?.string == RingFolder.peer.description)
            #expect(logs[1]["log"]?.string == RingFolder.copied.description)
            let segments = try #require(info["segments"]?.elements)
            #expect(segments.reduce(0) { $0 + ($1["count"]?.integer ?? 0) } == 8)
            #expect(segments.contains { $0["kind"]?.string == "hot" && $0["readings"]?.integer == 290 })

            let table = try await Child.run(["ring", "info", "--ring", folder.path + "/ring"])
            #expect(table.output.contains("290 readings, 40 of them copies, from "), "\(table)")
            #expect(table.output.contains(RingFolder.copied.description), "\(table)")
        }
    }

    @Test func `a ring without damage is read in full, and not a byte of it changes`() async throws {
        try await RingFolder.with(2500, copies: 40) { folder in
            let before = try folder.contents
            let outcome = try await Child.run(["ring", "verify", "--data-dir", folder.path])
            #expect(outcome.code == 0 && outcome.errors == "", "\(outcome)")
            #expect(outcome.output.contains("with 2540 readings were read\nnothing is damaged\n"), "\(outcome)")
            #expect(try folder.contents == before)
        }
    }

    @Test func `a damaged block is named with its place and with what is lost by it`() async throws {
        try await RingFolder.with(1000) { folder in
            let units = try folder.blocks()
            try #require(units.count == 10)
            let unit = units[3]
            try folder.spoil(at: unit * Geometry.unit + 200)
            let outcome = try await Child.run(["ring", "verify", "--data-dir", folder.path])
            #expect(outcome.code == 1, "\(outcome)")
            #expect(outcome.output.contains("segment 0, unit \(unit): the block is damaged\n"), "\(outcome)")
            #expect(outcome.output.contains("100 readings from offset 300 on are lost to damage"), "\(outcome)")
            #expect(outcome.output.contains("with 900 readings were read\ndamaged: "), "\(outcome)")
            #expect(outcome.output.hasSuffix(", 100 readings lost\n"), "\(outcome)")
        }
    }

    @Test func `damage to the last block of a finished segment is found, and its readings are told as lost`()
        async throws
    {
        try await RingFolder.withFullSegments { folder in
            let (segment, block) = try folder.oldestFinished()
            try folder.spoil(at: segment * Geometry.standard.segmentBytes + block.unit * Geometry.unit + 200)
            let outcome = try await Child.run(["ring", "verify", "--data-dir", folder.path])
            #expect(outcome.code == 1, "\(outcome)")
            #expect(
                outcome.output.contains("segment \(segment), unit \(block.unit): the block is damaged\n"), "\(outcome)")
            let run = try #require(block.runs.first)
            let lost = "\(run.count) readings of log \(run.log) cannot be read, from offset \(run.first) on\n"
            #expect(outcome.output.contains("segment \(segment): " + lost), "\(outcome)")
            #expect(outcome.output.hasSuffix("damaged: 1 place, \(run.count) readings lost\n"), "\(outcome)")
        }
    }

    @Test func `info fits a terminal of any width, whatever the names`() throws {
        let info = try #require(
            JSONValue(
                #"""
                {"gateway":"a gateway with a name that is long\u001b[31m","bytes":1073741824,"readings":123456789,
                "copies":23456789,"bytes_per_reading":6.54321,"oldest_t":1000000000000,"newest_t":1763700000000,
                "segments":[{"kind":"hot","state":"sealed","count":200,"readings":123456789},
                {"kind":null,"state":"set-aside","count":1,"readings":0}],
                "logs":[{"log":"45e01ee65d6094c9","gateway":"温室温室温室温室温室温室温室温室","node":"9f","own":true,
                "readings":123456789,"end":9223372036854775807,"oldest_t":1000000000000,"newest_t":null,
                "gaps":[{"first":0,"end":1234567,"reason":"evicted"},{"first":1234567,"end":1234569,"reason":"uploaded"}]}],
                "recovery":["segment 3: neither header nor blocks can be read, which is a sentence of some length"]}
                """#.utf8))
        for width in [40, 80, 200] {
            let lines = RingText.lines(
                info, Terminal(width: width, hasColour: false), now: Milliseconds(1_763_700_000_000))
            for line in lines { #expect(columns(line) <= width && !line.contains("\u{1B}"), "\(line)") }
        }
    }

    @Test func `a write that was cut off is told and is no damage; a spoiled header is, and costs nothing`()
        async throws
    {
        try await RingFolder.with(1000) { folder in
            let unit = try #require(try folder.blocks().last)
            try folder.spoil(at: unit * Geometry.unit + 200)
            let torn = try await Child.run(["ring", "verify", "--data-dir", folder.path])
            #expect(torn.code == 0, "\(torn)")
            #expect(torn.output.contains("segment 0, unit \(unit): the last write was cut off"), "\(torn)")
            try folder.spoil(at: 20)
            let header = try await Child.run(["ring", "verify", "--data-dir", folder.path])
            #expect(header.code == 1, "\(header)")
            #expect(
                header.output.contains("segment 0, unit 0: one copy of the segment's header is spoiled"), "\(header)")
            #expect(header.output.hasSuffix("damaged: 1 place, 0 readings lost\n"), "\(header)")
        }
    }

    @Test func `an export has own readings and copies, each with its node, in a new file alone`() async throws {
        try await RingFolder.with(250, copies: 40) { folder in
            let arguments = [
                "ring", "export", "--data-dir", folder.path, "--format", "csv", "--output", folder.path + "/out",
            ]
            let outcome = try await Child.run(arguments)
            #expect(outcome.code == 0 && outcome.output == "" && outcome.errors == "", "\(outcome)")
            let text = try File.readText(folder.path + "/out", limit: 1 << 20)
            let rows = text.split(separator: "\n").dropFirst().map {
                $0.split(separator: ",", omittingEmptySubsequences: false)
            }
            #expect(rows.count == 290)
            #expect(
                rows.filter { $0[2] == "far" && $0[8] == RingFolder.peer.description }.map { $0[10] }
                    == (0..<40).map { "\($0)" })
            #expect(rows.filter { $0[2] == "tide" && $0[8] == "" }.map { $0[10] } == (0..<250).map { "\($0)" })
            let again = try await Child.run(arguments)
            #expect(again.code == 2 && again.errors.contains("is there already"), "\(again)")
            #expect(try File.readText(folder.path + "/out", limit: 1 << 20) == text)

            let lines = try await Child.run([
                "ring", "export", "far", "--ring", folder.path + "/ring", "--format", "jsonl", "--since",
                "2001-09-09T01:46:50Z", "--until", "2001-09-09T01:46:52Z",
            ])
            #expect(
                lines.output.split(separator: "\n").map { JSONValue($0.utf8)?["offset"]?.integer } == [10, 11],
                "\(lines)")
        }
    }

    @Test func `what names no ring, or two, is a wrong call`() async throws {
        for arguments in [
            ["verify"], ["info", "--data-dir", "/tmp", "--ring", "/tmp/x"], ["export", "--format", "table"],
            ["export"], ["info", "--data-dir", "/tmp", "--socket", "/tmp/s"],
            ["verify", "--ring", "/tmp/covey-no-ring"],
        ] {
            let outcome = try await Child.run(["ring"] + arguments)
            #expect(outcome.code == 2 && outcome.output == "" && outcome.errors != "", "\(outcome)")
        }
    }

    @Test func `a gateway that runs tells what its ring holds, and its file is sound while it writes`() async throws {
        try await withFolder { folder in
            let data = folder + "/data"
            mkdir(data, 0o755)
            defer {
                for name in ["ring", "lock", "kv", "covey.db", "covey.db-wal", "covey.db-shm"] {
                    unlink(data + "/" + name)
                }
                rmdir(data)
            }
            try write(
                """
                [gateway]
                name = "live"
                data_dir = "\(data)"
                clock = "always"
                [api]
                socket = "\(folder)/api.sock"
                [storage]
                ring_size = "32 MiB"
                commit_window = "100 ms"
                [[device]]
                id = "tide"
                driver = "simulated"
                metric = "level"
                wave = "sine"
                interval = "20 ms"
                """, to: folder + "/covey.toml")
            let gateway = try Running(["run", "--config", folder + "/covey.toml"])
            defer { kill(gateway.id, SIGKILL) }
            let socket = ["--socket", folder + "/api.sock"]
            let deadline = ContinuousClock.now.advanced(by: .seconds(30))
            var info = JSONValue.null
            while (info["readings"]?.integer ?? 0) < 20, .now < deadline {
                info = JSONValue(try await Child.run(["ring", "info", "--json"] + socket).output.utf8) ?? .null
            }
            #expect(info["gateway"]?.string == "live" && (info["readings"]?.integer ?? 0) >= 20, "\(info)")
            #expect(info["logs"]?.elements.map { $0["gateway"]?.string } == ["live"], "\(info)")
            let verified = try await Child.run(["ring", "verify", "--data-dir", data])
            #expect(verified.code == 0 && verified.errors.contains("a gateway runs on it"), "\(verified)")
            #expect(verified.output.hasSuffix("nothing is damaged\n"), "\(verified)")
            let told = try await Child.run(["ring", "export", "--format", "jsonl"] + socket)
            #expect(told.output.split(separator: "\n").count >= 20, "\(told)")
            kill(gateway.id, SIGTERM)
            #expect(try await onThread { try gateway.wait() }.code == 0)
        }
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }
}
