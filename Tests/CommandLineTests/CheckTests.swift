import Glibc
import Testing

@Suite struct CheckTests {
    @Test func `a configuration without faults passes, and is shown with its defaults`() async throws {
        let text = "[gateway]\nname = \"greenhouse-a\"\n"
        let outcome = try await check(text)
        #expect(outcome.code == 0, "\(outcome)")
        let shown = try await check(text, ["--show"])
        #expect(shown.code == 0)
        #expect(shown.output.contains("commit_window = \"1 s\""), "\(shown)")
    }

    @Test func `what is shown is a configuration without faults, and shows itself`() async throws {
        let shown = try await check("[gateway]\nname = \"greenhouse-a\"\n", ["--show"])
        let again = try await check(shown.output, ["--show"])
        #expect(again.code == 0, "\(again)")
        #expect(again.output == shown.output)
        #expect(shown.output.contains("acks = 1  # gateways"))
    }

    @Test func `every fault is a line with its place, on standard output`() async throws {
        let outcome = try await check("[gateway]\nname = 3\nnmae = \"x\"\n[api]\nsocket = \"\"\n")
        #expect(outcome.code == 1)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count >= 3, "\(outcome)")
        #expect(lines.allSatisfy { $0.contains("/covey.toml:") }, "\(outcome)")
        #expect(lines.first?.contains("covey.toml:2:") == true, "\(outcome)")
    }

    @Test func `a file that is not there is a fault too`() async throws {
        let outcome = try await Child.run(["check", "--config", "/tmp/covey-no-such.toml"])
        #expect(outcome.code == 1)
        #expect(outcome.output.hasPrefix("/tmp/covey-no-such.toml:1:1: "), "\(outcome)")
    }

    private func check(_ text: String, _ options: [String] = []) async throws -> Outcome {
        try await withFolder { folder in
            let path = folder + "/covey.toml"
            let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
            try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
            close(descriptor)
            return try await Child.run(["check", "--config", path] + options)
        }
    }
}
