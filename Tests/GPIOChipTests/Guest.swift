import Dispatch
import FoundationEssentials
import Glibc
import Testing

/// The user-mode Linux guest in which these tests meet a real `/dev/gpiochip0`.
///
/// On the host, the first test that asks boots the guest once; this very test program runs again in it, and its event
/// stream says how each test ended there.
enum Guest {
    /// Whether this process runs inside the guest.
    static let isHere = getenv("COVEY_GUEST") != nil

    /// How every test ended in the guest; the guest is booted by the first caller.
    static func outcomes() async throws -> Outcomes { try await run.value }

    private static let run = Task<Outcomes, any Error> {
        let folder = temporaryFolder()
        let events = folder + "/events.jsonl"
        try? FileManager.default.removeItem(atPath: folder)
        // The guest is stopped before the tests that wait for it lose their patience, so that its output is seen.
        let status = await launch(
            "/usr/bin/env",
            [
                "COVEY_LAB_TIMEOUT=50", lab + "/run-in-guest.sh", folder, "/usr/bin/env", "COVEY_GUEST=1",
                "LD_LIBRARY_PATH=" + (environment("LD_LIBRARY_PATH") ?? ""),
                try testProgram(), "--testing-library", "swift-testing", "--filter", "GPIOChipTests", "--no-parallel",
                "--event-stream-output-path", events,
            ])
        let output = (try? String(contentsOfFile: folder + "/output", encoding: .utf8)) ?? ""
        let console = (try? String(contentsOfFile: folder + "/console.log", encoding: .utf8)) ?? ""
        guard let data = try? Data(contentsOf: URL(filePath: events)) else {
            throw GuestFailure(
                """
                no test ran in the guest (exit code \(status)). Is its kernel built? Run Tests/Lab/build-uml-kernel.sh
                \(output.suffix(2000))\(console.suffix(2000))
                """)
        }
        let outcomes = Outcomes(events: data, exitCode: status, output: output)
        try? FileManager.default.removeItem(atPath: folder)
        return outcomes
    }

    /// `Tests/Lab` of this repository.
    private static let lab = {
        let path = #filePath
        return path.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Lab"
    }()

    private static func temporaryFolder() -> String {
        (environment("TMPDIR") ?? "/tmp") + "/covey-guest-\(getpid())"
    }

    private static func testProgram() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Runs a program to its end, away from the threads that run tests, and returns its exit code.
    private static func launch(_ path: String, _ arguments: [String]) async -> Int32 {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "guest").async {
                var process: pid_t = 0
                var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
                defer { words.forEach { free($0) } }
                let failure = posix_spawn(&process, path, nil, nil, &words, environ)
                guard failure == 0 else { return continuation.resume(returning: failure) }
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                continuation.resume(returning: status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F))
            }
        }
    }
}

struct GuestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What the guest's event stream tells.
struct Outcomes: Sendable {
    /// Issues of each test that ran to its end, by the test's name; none: it passed.
    private(set) var issues: [String: [String]] = [:]
    let exitCode: Int32
    let output: String

    init(events: Data, exitCode: Int32, output: String) {
        self.exitCode = exitCode
        self.output = output
        var found: [String: [String]] = [:]
        for line in events.split(separator: UInt8(ascii: "\n")) {
            guard let record = try? JSONDecoder().decode(Record.self, from: line), record.kind == "event",
                let id = record.payload.testID, let name = Self.name(in: id)
            else { continue }
            switch record.payload.kind {
            case "issueRecorded":
                found[name, default: []].append((record.payload.messages ?? []).map(\.text).joined(separator: "\n"))
            case "testEnded":
                issues[name] = found[name] ?? []
            default: break
            }
        }
    }

    /// `Module.Suite/test()/File.swift:1:2` holds the name before the place.
    private static func name(in id: String) -> String? {
        id.split(separator: "/").last { $0.hasSuffix(")") }.map(String.init)
    }

    private struct Record: Decodable {
        struct Payload: Decodable {
            struct Message: Decodable { let text: String }

            let kind: String?
            let testID: String?
            let messages: [Message]?
        }

        let kind: String
        let payload: Payload
    }
}

/// Runs the tests of a suite in the guest. On the host a test passes if it passed there.
struct InGuest: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard !Guest.isHere else {
            let result: Result<Void, any Error>
            do { result = .success(try await function()) } catch { result = .failure(error) }
            await Workbench.clear()
            return try result.get()
        }
        let outcomes = try await Guest.outcomes()
        guard let issues = outcomes.issues[test.name] else {
            throw GuestFailure(
                "\(test.name) did not end in the guest, which ended with \(outcomes.exitCode): "
                    + outcomes.output.suffix(2000)
            )
        }
        for issue in issues { Issue.record("in the guest: \(issue)", sourceLocation: test.sourceLocation) }
    }
}

extension Trait where Self == InGuest {
    static var inGuest: InGuest { InGuest() }
}
