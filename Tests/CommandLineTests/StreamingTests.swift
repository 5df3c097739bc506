import ControlAPI
import Glibc
import Model
import TestKit
import Testing

@Suite struct StreamingTests {
    private let soil = Series(device: DeviceID("soil-3"), metric: "moisture")

    @Test(arguments: [SIGINT, SIGTERM])
    func `a tail prints readings as they come and ends well when it is told to`(signal: CInt) async throws {
        let hub = TailHub()
        try await withDaemon(FakeDaemon(tails: hub)) { path in
            let running = try Running(["tail", "--json", "--socket", path])
            let line = Samples.readings[0]
            let printed = await onThread {
                while !hub.isFollowed { sched_yield() }
                hub.publish(soil) { Array(line.utf8) }
                return running.read()
            }
            #expect(printed == line + "\n")
            kill(running.id, signal)
            let outcome = try await onThread { try running.wait() }
            #expect(outcome.code == 0)
            #expect(outcome.output == "" && outcome.errors == "")
        }
    }

    @Test func `a tail as a table shows its heading with the first reading`() async throws {
        let hub = TailHub()
        try await withDaemon(FakeDaemon(tails: hub)) { path in
            let running = try Running(["tail", "soil-*", "--socket", path])
            try await onThread {
                while !hub.isFollowed { sched_yield() }
                hub.publish(soil) { Array(Samples.readings[0].utf8) }
                var printed = running.read()
                while printed.split(separator: "\n").count < 2 { printed += running.read() }
                #expect(
                    printed == """
                                           TIME  DEVICE  METRIC    VALUE   QUALITY
                        2001-09-09 07:31:40.123  soil-3  moisture  41.2 %  good

                        """)
                kill(running.id, SIGINT)
                let outcome = try running.wait()
                #expect(outcome.code == 0)
            }
        }
    }

    @Test func `a tail whose daemon stops exits with 3`() async throws {
        let hub = TailHub()
        try await withDaemon(FakeDaemon(tails: hub)) { path in
            let running = try Running(["tail", "--socket", path])
            let outcome = try await onThread {
                while !hub.isFollowed { sched_yield() }
                hub.close()
                return try running.wait()
            }
            #expect(outcome.code == 3)
            #expect(outcome.errors == "covey: the daemon ended the stream; did it stop?\n")
        }
    }

    @Test func `a tail whose daemon goes without a word exits with 3 and says what may have happened`() async throws {
        let hub = TailHub()
        var running: Running?
        try await withDaemon(FakeDaemon(tails: hub)) { path in
            running = try Running(["tail", "--socket", path])
            await onThread { while !hub.isFollowed { sched_yield() } }
        }
        let left = try #require(running)
        let outcome = try await onThread { try left.wait() }
        #expect(outcome.code == 3)
        // Said of the answer where not even its beginning had come, else of the stream.
        #expect(outcome.errors.hasPrefix("covey: ") && outcome.errors.contains("broke off"), "\(outcome)")
        #expect(outcome.errors.contains("stop"))
    }

    @Test func `what a stream tells of itself goes to the person, not among the readings`() async throws {
        let daemon = FakeDaemon(readings: [
            Samples.readings[0], #"{"note":"segment 7 is damaged"}"#, #"{"dropped":12}"#,
        ])
        let outcome = try await ask(daemon, ["query", "--format", "json"])
        #expect(outcome.code == 0)
        #expect(outcome.output == "[\n\(Samples.readings[0])\n]\n")
        #expect(
            outcome.errors == """
                covey: segment 7 is damaged
                covey: 12 readings are missing here: they came faster than they were read

                """)
    }

    @Test func `an answer that breaks off is a whole array, a message and a code`() async throws {
        let daemon = FakeDaemon(
            readings: [Samples.readings[0]], failure: ControlError(.failed, "the disk is gone", hint: "look at it"))
        let outcome = try await ask(daemon, ["query", "--format", "json"])
        #expect(outcome.output == "[\n\(Samples.readings[0])\n]\n")
        #expect(outcome.errors.contains("the disk is gone; look at it"), "\(outcome)")
        #expect(outcome.code == 1, "\(outcome)")
    }

    @Test func `a reader that has enough ends the query quietly`() async throws {
        let daemon = FakeDaemon(readings: Array(repeating: Samples.readings[0], count: 20_000))
        try await withDaemon(daemon) { path in
            let running = try Running(["query", "--format", "json", "--socket", path])
            let outcome = try await onThread {
                _ = running.read()
                running.stopReading()
                return try running.wait()
            }
            #expect(outcome.code == 0)
            #expect(outcome.errors == "")
        }
    }

    @Test func `twenty thousand readings come through every format`() async throws {
        let daemon = FakeDaemon(
            readings: Array(
                repeating: Array(repeating: Samples.readings[0], count: 100).joined(separator: "\n"), count: 200))
        try await withDaemon(daemon) { path in
            for (format, extra) in [("json", 2), ("csv", 1), ("line", 0), ("table", 1)] {
                let outcome = try await Child.run(["query", "--format", format, "--socket", path])
                #expect(outcome.code == 0)
                #expect(outcome.output.utf8.count { $0 == UInt8(ascii: "\n") } == 20_000 + extra)
            }
        }
    }
}
