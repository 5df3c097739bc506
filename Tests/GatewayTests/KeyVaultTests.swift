import ClusterLink
import Glibc
import GatewayCore
import Model
import Testing

@testable import Gateway

@Suite("The covey's keys on a gateway's disk")
struct KeyVaultTests {
    /// A folder with a key file that a person gives, and the vault that belongs to it.
    private final class Folder {
        let path: String
        var keyFile: String { path + "/key" }
        var copy: String { path + "/" + KeyVault.name }

        init() throws {
            var template = Array("/tmp/covey-vault-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }

        deinit {
            for name in ["key", KeyVault.name, KeyVault.name + ".new"] { unlink(path + "/" + name) }
            rmdir(path)
        }

        func give(_ keys: KeySecret..., mode: mode_t = 0o600) { write(keys.map(Self.line), to: keyFile, mode) }

        func write(_ lines: [String], to path: String, _ mode: mode_t = 0o600) {
            let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
            let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
            _ = Glibc.write(descriptor, bytes, bytes.count)
            close(descriptor)
        }

        func vault() -> KeyVault { KeyVault(keyFile: keyFile, dataDirectory: path) }

        static func line(_ key: KeySecret) -> String {
            key.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }

    private let old = KeySecret.random()
    private let new = KeySecret.random()
    private let other = KeySecret.random()

    @Test("are those of the key file, until a change has made others of them, which a start finds whole")
    func survives() throws {
        let folder = try Folder()
        folder.give(old)
        let vault = folder.vault()
        #expect(try vault.load() == KeyState(keys: [old]))
        var change = Rotation(
            id: RotationID(number: 7, node: NodeID(high: 1, low: 2)), target: new.id, stage: .using)
        change.awaited = [NodeID(high: 3, low: 4), NodeID(high: 5, low: 6)]
        change.skipped = [NodeID(high: 5, low: 6)]
        let state = KeyState(keys: [new, old], rotation: change)
        try vault.write(state)
        #expect(try vault.load() == state)
        #expect(try vault.renew() == (state, false))
        #expect(try folder.vault().load() == state)
        // It is a key file as any other, for a newcomer, and as such private to its owner.
        #expect(try KeyFile.load(folder.copy).keys.map(\.id) == [new.id, old.id])
        // Also where the key file is gone.
        unlink(folder.keyFile)
        #expect(try folder.vault().load() == state)
    }

    @Test("are changed by hand as if there had never been a change by the covey")
    func byHand() throws {
        let folder = try Folder()
        folder.give(old)
        let vault = folder.vault()
        _ = try vault.load()
        let change = Rotation(id: RotationID(number: 1, node: NodeID(high: 1, low: 2)), target: new.id, stage: .done)
        try vault.write(KeyState(keys: [new], rotation: change))
        func now() throws -> [KeySecret] {
            let renewed = try vault.renew().state.keys
            #expect(try folder.vault().load().keys == renewed)
            return renewed
        }
        // Install: a new line behind those that are there. Use: it goes first. Remove: it stays alone.
        folder.give(old, other)
        #expect(try now() == [new, other])
        folder.give(other, old)
        #expect(try now() == [other, new])
        folder.give(other)
        #expect(try now() == [other])
        #expect(try folder.vault().load().rotation == nil)
        folder.give(new)
        #expect(try now() == [new])
        folder.give(old)
        #expect(try now() == [new])
        #expect(try vault.renew().isNew == false)
    }

    @Test("are refused where others may read them, or where they are damaged, and the advice says what to do")
    func refusals() throws {
        let folder = try Folder()
        folder.give(old)
        for remark in ["#covey change 1", "#covey file x", "#covey awaited 1", "#covey change 1 2 3 9"] {
            folder.write([remark, Folder.line(new)], to: folder.copy)
            let error = #expect(throws: KeyFileError.self) { try folder.vault().load() }
            #expect(error?.description.contains("is damaged: put another gateway's in its place") ?? false)
        }
        folder.write(["#covey later 1", Folder.line(new)], to: folder.copy)
        #expect(try folder.vault().load().keys == [old])
        #expect(chmod(folder.copy, 0o644) == 0)
        let error = #expect(throws: KeyFileError.self) { try folder.vault().load() }
        #expect(error?.description.contains("chmod 600") ?? false)
    }

    @Test("that cannot be written are the ones of before")
    func readOnly() throws {
        let folder = try Folder()
        folder.give(old)
        let vault = folder.vault()
        _ = try vault.load()
        // What stands in the way of the fresh file.
        try #require(mkdir(folder.copy + ".new", 0o700) == 0)
        defer { rmdir(folder.copy + ".new") }
        #expect(throws: KeyFileError.self) { try vault.write(KeyState(keys: [new])) }
        #expect(try vault.load() == KeyState(keys: [old]))
        #expect(access(folder.copy, F_OK) != 0)
    }
}
