import Glibc
import Testing

@Suite struct KeyTests {
    @Test func `a key is 64 hexadecimal digits that only the owner may read, each different`() async throws {
        var keys: Set<String> = []
        for _ in 0..<2 {
            try await withFolder { folder in
                let path = folder + "/key"
                let outcome = try await Child.run(["key", "generate", path])
                #expect(outcome.code == 0)
                var status = stat()
                #expect(lstat(path, &status) == 0)
                #expect(status.st_mode & 0o7777 == 0o600)
                let text = try contents(path)
                #expect(text.count == 65 && text.last == "\n" && text.dropLast().allSatisfy(\.isHexDigit))
                keys.insert(text)
            }
        }
        #expect(keys.count == 2)
    }

    @Test func `a key that is there is never overwritten`() async throws {
        try await withFolder { folder in
            let path = folder + "/key"
            _ = try await Child.run(["key", "generate", path])
            let first = try contents(path)
            let outcome = try await Child.run(["key", "generate", path])
            #expect(outcome.code == 2)
            #expect(outcome.errors == "covey: \(path) is there already; a key is never overwritten\n")
            #expect(try contents(path) == first)
        }
    }

    @Test func `a folder that is missing is named`() async throws {
        let outcome = try await Child.run(["key", "generate", "/tmp/covey-no-such-folder/key"])
        #expect(outcome.code == 1)
        #expect(outcome.errors == "covey: /tmp/covey-no-such-folder/key: No such file or directory\n")
    }

    private func contents(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
