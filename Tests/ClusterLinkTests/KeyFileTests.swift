import Glibc
import TestKit
import Testing

@testable import ClusterLink

@Suite("A key file")
struct KeyFileTests {
    private static let first = String(repeating: "0f", count: 32)
    private static let second = String(repeating: "A7", count: 32)

    private func load(_ text: String, mode: mode_t = 0o600) throws -> Result<KeyRing, KeyFileError> {
        var template = Array("/tmp/covey-key-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        close(descriptor)
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(path) }
        try MosquittoBroker.write(text, to: path)
        chmod(path, mode)
        do throws(KeyFileError) { return .success(try KeyFile.load(path)) } catch { return .failure(error) }
    }

    private func fault(_ text: String, mode: mode_t = 0o600) throws -> String {
        switch try load(text, mode: mode) {
        case .success: "none"
        case .failure(let error): error.description
        }
    }

    @Test("holds one key or several, with comments and empty lines between, the first to speak with")
    func holdsKeys() throws {
        let (first, second) = (GroupKey(hex: Self.first)!, GroupKey(hex: Self.second)!)
        #expect(try load(Self.first + "\n").get().keys == [first])
        #expect(try load(Self.first).get().keys == [first])
        let text = "# the new one\n\n  \(Self.second.lowercased())  \n# the old one\n\(Self.first)\n\n"
        #expect(try load(text).get().keys == [second, first])
        #expect(try load("\(Self.first)\n\(Self.first)\n").get().keys == [first])
        #expect(first.id != second.id)
    }

    @Test("may have been written on a machine that ends lines otherwise")
    func takesOtherLineEnds() throws {
        let keys = [GroupKey(hex: Self.first)!, GroupKey(hex: Self.second)!]
        #expect(try load("# keys\r\n\(Self.first)\r\n\(Self.second)\r\n").get().keys == keys)
    }

    @Test(
        "that others may read or write is refused, with the command that mends it",
        arguments: [
            0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o666,
        ])
    func refusesOpenFiles(mode: Int) throws {
        let fault = try fault(Self.first, mode: mode_t(mode))
        #expect(fault.contains("others"))
        #expect(fault.contains("chmod 600 /tmp/covey-key-"))
        #expect(!fault.contains(Self.first))
    }

    @Test("that only its owner may read is enough")
    func takesReadOnlyFiles() throws {
        #expect(try load(Self.first, mode: 0o400).get().keys.count == 1)
    }

    @Test("that is missing is named with the command that makes one")
    func namesTheCommand() {
        let path = "/tmp/covey-no-such-folder/key"
        let error = #expect(throws: KeyFileError.self) { try KeyFile.load(path) }
        #expect(
            error?.description == "\(path): No such file or directory; make it with: covey key generate \(path)")
    }

    @Test("that is a folder or a pipe is refused without waiting")
    func refusesOtherKinds() throws {
        let error = #expect(throws: KeyFileError.self) { try KeyFile.load("/tmp") }
        #expect(error?.description == "/tmp is not a file")
        let path = "/tmp/covey-key-pipe-\(getpid())"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        #expect(throws: KeyFileError.self) { try KeyFile.load(path) }
    }

    @Test("with garbage in it is refused by its line, and what stands there is not repeated")
    func neverRepeatsTheSecret() throws {
        let garbage = [
            String(Self.first.dropLast()), Self.first + "0", "g" + Self.first.dropFirst(),
            "key = \"\(Self.first)\"", "0x" + Self.first, String(repeating: "\u{FF10}", count: 64),
        ]
        for line in garbage {
            let fault = try fault("# a key\n\(line)\n")
            #expect(fault.hasSuffix(":2: a key is 64 hexadecimal digits"))
            #expect(!fault.contains("0f0f"))
        }
    }

    @Test("without a key, with too many, too long, or no text, is refused")
    func refusesTheRest() throws {
        #expect(try fault("").contains("holds no key; make one with: covey key generate"))
        #expect(try fault("# nothing\n").contains("holds no key"))
        let keys = (1...9).map { String(repeating: "\($0)0", count: 32) }
        #expect(try load(keys.prefix(8).joined(separator: "\n")).get().keys.count == KeyRing.mostKeys)
        #expect(try fault(keys.joined(separator: "\n")).contains("holds more than 8 keys"))
        #expect(try fault(String(repeating: "#", count: 4097)).contains("too long, or no text"))
    }

    @Test("with random bytes in it is read or refused")
    func isTotal() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                UInt8.random(in: 0...127, using: &random)
            }
            do throws(KeyFileError) {
                #expect(try KeyFile.parse(String(decoding: bytes, as: UTF8.self), "key").keys.count <= 8)
            } catch {
                #expect(error.description.hasPrefix("key"))
            }
        }
    }
}
