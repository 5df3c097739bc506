import ControlAPI
import Glibc
import LogFormat
import Model
import Posix
import RingLog
import Testing

@testable import covey

/// `covey ring repair` on the rings of stopped gateways, and as an order to one that runs.
@Suite struct RingRepairTests {
    private func ring(_ verb: String, _ folder: RingFolder) async throws -> Outcome {
        try await Child.run(["ring", verb, "--data-dir", folder.path])
    }

    @Test func `a ring that is whole is read in full, and not a byte of it changes`() async throws {
        try await RingFolder.with(2500, copies: 40) { folder in
            let before = try folder.contents
            let outcome = try await ring("repair", folder)
            #expect(outcome.code == 0 && outcome.errors == "", "\(outcome)")
            #expect(outcome.output.contains("with 2540 readings were read\nnothing is missing\n"), "\(outcome)")
            #expect(outcome.output.hasSuffix("not a byte was written\n"), "\(outcome)")
            #expect(try folder.contents == before)
        }
    }

    @Test func `what a damaged block held is written down once, and verify agrees afterwards`() async throws {
        try await RingFolder.with(1000) { folder in
            let unit = try folder.blocks()[3]
            try folder.spoil(at: unit * Geometry.unit + 200)
            let outcome = try await ring("repair", folder)
            #expect(outcome.code == 1 && outcome.errors == "", "\(outcome)")
            #expect(outcome.output.contains("segment 0, unit \(unit): the block is damaged\n"), "\(outcome)")
            #expect(
                outcome.output.contains("written down: 100 readings are gone; the next start knows it\n"), "\(outcome)")
            #expect(
                outcome.output.contains("from offset 300 on\n100 readings are missing because of damage\n"),
                "\(outcome)")
            #expect(outcome.output.contains("once it runs, peers that hold copies bring them back"), "\(outcome)")

            let info = try await Child.run(["ring", "info", "--data-dir", folder.path, "--json"])
            let document = try #require(JSONValue(info.output.utf8))
            #expect(document["logs"]?.elements.count == 1 && document["repair"] == .null)
            let gaps = try #require(document["logs"]?.elements.first?["gaps"]?.elements)
            #expect(gaps.map { $0["first"]?.integer } == [300] && gaps.map { $0["end"]?.integer } == [400])
            #expect(document["recovery"]?.plain.contains("lost to damage") == false, "\(info)")
            let verified = try await ring("verify", folder)
            #expect(verified.code == 1 && !verified.output.contains("cannot be read"), "\(verified)")
            #expect(verified.output.hasSuffix(", 100 readings lost\n"), "\(verified)")

            let before = try folder.contents
            let again = try await ring("repair", folder)
            #expect(again.code == 1 && !again.output.contains("written down"), "\(again)")
            #expect(again.output.hasSuffix("not a byte was written\n"), "\(again)")
            #expect(try folder.contents == before)
        }
    }

    @Test func `damage in a finished segment, which a start does not see, is a gap for the next start`() async throws {
        try await RingFolder.withFullSegments { folder in
            let (segment, block) = try folder.oldestFinished()
            let run = try #require(block.runs.first)
            try folder.spoil(at: segment * Geometry.standard.segmentBytes + block.unit * Geometry.unit + 200)
            let outcome = try await ring("repair", folder)
            #expect(outcome.code == 1, "\(outcome)")
            #expect(
                outcome.output.contains("segment \(segment): \(run.count) readings of log \(run.log) cannot be read"),
                "\(outcome)")
            #expect(outcome.output.contains("written down: \(run.count) readings are gone"), "\(outcome)")
            let disk = try FileDisk(path: folder.path + "/ring", size: 0, readOnly: true)
            let (opened, report) = try RingLog.openReadOnly(disk: disk, options: RingOptions())
            #expect(opened.gaps(of: run.log).map(\.range) == [run.range] && report.damagedReadings == 0)
            #expect(opened.logs.count == 1)
        }
    }

    @Test func `a header's spoiled copy is written anew, and what can be read again after all is told`() async throws {
        try await RingFolder.with(1000) { folder in
            try folder.spoil(at: 20)
            let header = try await ring("repair", folder)
            #expect(header.code == 0, "\(header)")
            #expect(header.output.contains("segment 0: the spoiled copy of its header was written anew\n"), "\(header)")
            #expect(header.output.hasSuffix("4 KiB were written\n"), "\(header)")
            #expect(try await ring("verify", folder).code == 0)

            // A disk's passing fault.
            let units = try folder.blocks()
            try folder.spoil(at: units[4] * Geometry.unit + 200)
            #expect(try await ring("repair", folder).code == 1)
            try folder.spoil(at: units[4] * Geometry.unit + 200)
            let back = try await ring("repair", folder)
            #expect(back.code == 0, "\(back)")
            #expect(back.output.contains("100 readings that were damaged once can be read again\n"), "\(back)")
        }
    }

    @Test func `a gateway that runs there is not disturbed, and what is no data directory stays as it is`() async throws
    {
        try await RingFolder.with(1000) { folder in
            try folder.spoil(at: try folder.blocks()[3] * Geometry.unit + 200)
            let before = try folder.contents
            let lock = try InstanceLock(directory: folder.path)
            let refused = try await ring("repair", folder)
            withExtendedLifetime(lock) {}
            #expect(refused.code == 2 && refused.output == "", "\(refused)")
            #expect(
                refused.errors
                    == "covey: a gateway runs on \(folder.path): ask it, without --data-dir, or stop it first\n")
            #expect(try folder.contents == before)
        }
        try await withFolder { folder in
            let nothing = try await Child.run(["ring", "repair", "--data-dir", folder])
            #expect(nothing.code == 2 && nothing.errors.contains("is that a gateway's data_dir?"), "\(nothing)")
            #expect(access(folder + "/lock", F_OK) != 0 && access(folder + "/ring", F_OK) != 0)
            let descriptor = open(folder + "/ring", O_WRONLY | O_CREAT, 0o600)
            close(descriptor)
            defer { unlink(folder + "/ring") }
            let empty = try await Child.run(["ring", "repair", "--data-dir", folder])
            #expect(empty.code == 2 && empty.errors.contains("is empty"), "\(empty)")
            #expect(access(folder + "/ring", F_OK) == 0)
        }
    }

    @Test func `what is no ring of Covey's is left alone`() async throws {
        try await RingFolder.with(100) { folder in
            let junk = [UInt8](repeating: 0x5A, count: 8 * Geometry.standard.segmentBytes)
            let descriptor = open(folder.path + "/ring", O_WRONLY | O_TRUNC)
            try #require(Glibc.write(descriptor, junk, junk.count) == junk.count)
            close(descriptor)
            let outcome = try await ring("repair", folder)
            #expect(outcome.code == 1 && outcome.errors.contains("not a ring of Covey's"), "\(outcome)")
            #expect(try folder.contents == junk)
        }
    }

    @Test(arguments: [
        ["--data-dir", "/tmp", "--socket", "/tmp/s"], ["--data-dir", "/tmp", "--wait", "1s"], ["--wait", "soon"],
        ["--ring", "/tmp/x"],
    ])
    func `what cannot be meant is a wrong call`(arguments: [String]) async throws {
        let outcome = try await Child.run(["ring", "repair"] + arguments)
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errors != "", "\(outcome)")
    }

    // MARK: An order

    private func pass(_ state: String, read: Int, damaged: Int = 0, restored: Int = 0, missing: Int = 0) -> String {
        #"{"state":"\#(state)","segments":8,"segments_read":\#(read),"bytes":8192,"damaged":\#(damaged),"#
            + #""unanswered":0,"restored":\#(restored),"missing":\#(missing),"reason":null}"#
    }

    /// `/v1/ring` with that, and a log that lacks what is `missing` from offset 50 on.
    private func document(_ pass: String, missing: Int = 0) -> String {
        let gap = #"{"first":50,"end":\#(50 + missing),"reason":"damaged"}"#
        let old = #"{"first":0,"end":9,"reason":"evicted"}"#
        return #"{"logs":[{"log":"0a","own":true,"gaps":[\#(missing > 0 ? "\(old),\(gap)" : old)]},"#
            + #"{"log":"0b","own":false,"gaps":[{"first":0,"end":3,"reason":"damaged"}]}],"repair":\#(pass)}"#
    }

    @Test func `a running gateway is watched until all has come back`() async throws {
        let orders = Orders([pass("reading", read: 0)])
        var daemon = FakeDaemon(orders: orders)
        daemon.statusText = #"{"covey":{}}"#
        daemon.peersText = #"[{"name":"shed","state":"alive"}]"#
        daemon.ringTexts = Texts([
            document(pass("reading", read: 4, damaged: 7, missing: 7), missing: 7),
            document(pass("done", read: 8, damaged: 7, missing: 7), missing: 7),
            document(pass("done", read: 8, damaged: 7, restored: 5, missing: 2), missing: 2),
            document(pass("done", read: 8, damaged: 7, restored: 7)),
        ])
        let outcome = try await ask(daemon, ["ring", "repair"])
        #expect(outcome.code == 0 && outcome.errors == "", "\(outcome)")
        #expect(
            outcome.output == """
                8 segments were read, 8 KiB in use: 7 readings newly found damaged
                7 readings have come back from peers
                3 copies of other gateways' readings gone; made anew where one is due
                nothing is missing

                """)
        #expect(await orders.taken == [.repairRing])
    }

    @Test func `what nobody brings is named, at once where there is no covey`() async throws {
        var daemon = FakeDaemon(statusText: #"{"covey":null}"#)
        daemon.ringTexts = Texts([document(pass("done", read: 8, damaged: 7, missing: 7), missing: 7)])
        daemon.orders = Orders([pass("done", read: 8, damaged: 7, missing: 7)])
        let alone = try await ask(daemon, ["ring", "repair"])
        #expect(alone.code == 1, "\(alone)")
        #expect(alone.errors == "covey: this gateway is in no covey: nobody can bring anything back\n")
        #expect(
            alone.output.hasSuffix(
                "missing: 7 readings of log 0a, from offset 50 on\n7 readings are missing because of damage\n"),
            "\(alone)")

        daemon.statusText = #"{"covey":{}}"#
        for (state, said) in [
            ("alive", ""), ("dead", "covey: no other gateway is alive that could bring anything back\n"),
        ] {
            daemon.orders = Orders([pass("done", read: 8, damaged: 7, missing: 7)])
            daemon.peersText = #"[{"name":"shed","state":"\#(state)"}]"#
            let given = try await ask(daemon, ["ring", "repair", "--wait", "1 ms"])
            #expect(given.code == 1 && given.errors == said && given.output == alone.output, "\(given)")
        }
    }

    @Test func `one that is given up, forgotten by a restart or not taken at all is told`() async throws {
        var daemon = FakeDaemon(orders: Orders([pass("reading", read: 1)]))
        daemon.ringTexts = Texts([
            document(
                #"{"state":"ended","segments":8,"segments_read":2,"reason":"the disk takes nothing (EIO)"}"#)
        ])
        let ended = try await ask(daemon, ["ring", "repair"])
        #expect(ended.code == 1, "\(ended)")
        #expect(ended.errors == "covey: the ring was not read to its end: the disk takes nothing (EIO)\n")

        daemon.orders = Orders([pass("reading", read: 1)])
        daemon.ringTexts = Texts([document("null")])
        let anew = try await ask(daemon, ["ring", "repair"])
        #expect(anew.code == 1 && anew.errors.contains("started anew"), "\(anew)")

        let refused = try await ask(FakeDaemon(orders: Orders([])), ["ring", "repair"])
        #expect(refused.code == 2 && refused.errors == "covey: it cannot be done\n", "\(refused)")
        let nobody = try await Child.run(["ring", "repair", "--socket", "/tmp/covey-nobody-here.sock"])
        #expect(nobody.code == 3, "\(nobody)")
    }
}
