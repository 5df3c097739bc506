import Foundation
import Testing

@testable import TOMLConfiguration

@Suite struct FilesTests {
    /// A folder of its own, gone with the suite's instance.
    private final class Folder {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "covey-configuration-\(ProcessInfo.processInfo.globallyUniqueString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        func write(_ name: String, _ bytes: [UInt8], mode: Int = 0o640) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path + "/" + name)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private let text = """
        [[broker]]
        name = "b"
        url = "mqtts://broker.example"
        ca_file = "ca.pem"
        username = "u"
        password_file = "missing/password"
        """

    @Test func aMissingFileIsAFaultForCheckANoteForTheDaemonAndNothingWithoutFiles() throws {
        let folder = try Folder()
        try folder.write("ca.pem", [])
        try folder.write("covey.toml", Array(text.utf8))
        let path = folder.path + "/covey.toml"
        let message = "`password_file`: cannot read \(folder.path)/missing/password: No such file or directory"
        guard case .failure(let faults) = GatewayConfiguration.load(path: path) else { throw Unexpected() }
        #expect(faults.lines == ["\(path):6:17: \(message)"])
        let lenient = try GatewayConfiguration.load(path: path, files: .note).get()
        #expect(lenient.notes.map(\.message).contains(message))
        #expect(lenient.brokers[0].passwordFile == folder.path + "/missing/password")
        #expect(try GatewayConfiguration.load(path: path, files: .none).get().notes.count == 1)
    }

    @Test func certificatesOfACoveyGoTogetherAndAreLookedInto() throws {
        let folder = try Folder()
        for name in ["ca.pem", "own.pem", "own.key"] { try folder.write(name, []) }
        let path = folder.path + "/covey.toml"
        let head = "[cluster]\nlisten = \"127.0.0.1:1\"\nca_file = \"ca.pem\"\n"
        try folder.write("covey.toml", Array((head + "cert_file = \"own.pem\"\n").utf8))
        guard case .failure(let faults) = GatewayConfiguration.load(path: path) else { throw Unexpected() }
        #expect(faults.faults.map(\.message) == ["`ca_file` needs `cert_key_file` beside it"])
        #expect(faults.faults.map(\.line) == [3])

        let whole = head + "cert_file = \"own.pem\"\ncert_key_file = \"own.key\"\n"
        try folder.write("covey.toml", Array(whole.utf8))
        let loaded = try GatewayConfiguration.load(path: path).get()
        let files = try #require(loaded.cluster?.certificates)
        #expect(files.keyFile == folder.path + "/own.key")
        let again = try GatewayConfiguration.load(text: loaded.describe(), path: path).get()
        #expect(again.cluster == loaded.cluster)
        // What others find in them has the place of its key; at the start of the daemon nobody is asked.
        let inspect: CertificateInspection = { [("cert_file", "it is over", $0 == files), ("ca_file", "soon", false)] }
        guard case .failure(let found) = GatewayConfiguration.load(path: path, inspect: inspect) else {
            throw Unexpected()
        }
        #expect(found.lines == ["\(path):4:1: `cert_file`: it is over"])
        #expect((try? GatewayConfiguration.load(path: path, files: .note, inspect: inspect).get()) != nil)
    }

    @Test func aFolderInPlaceOfAFileIsAFault() throws {
        let folder = try Folder()
        try folder.write(
            "covey.toml", Array("[[broker]]\nname = \"b\"\nurl = \"mqtts://h\"\nca_file = \"/tmp\"\n".utf8))
        guard case .failure(let faults) = GatewayConfiguration.load(path: folder.path + "/covey.toml") else {
            throw Unexpected()
        }
        #expect(faults.faults.map(\.message) == ["`ca_file`: /tmp is a folder, not a file"])
    }

    @Test func aSecretThatEveryoneCanReadIsNoted() throws {
        let folder = try Folder()
        try folder.write("token", [], mode: 0o644)
        let text = "[[upload]]\nname = \"u\"\nsink = \"http\"\nurl = \"https://h/\"\ntoken_file = \"token\"\n"
        try folder.write("covey.toml", Array(text.utf8))
        let notes = try GatewayConfiguration.load(path: folder.path + "/covey.toml").get().notes
        #expect(notes.map(\.message) == ["`token_file`: every user of this machine can read \(folder.path)/token"])
    }

    @Test func aConfigurationThatIsNotThereSaysSo() {
        guard case .failure(let faults) = GatewayConfiguration.load(path: "/nonexistent/covey.toml") else {
            Issue.record("loaded what is not there")
            return
        }
        #expect(faults.description == "/nonexistent/covey.toml:1:1: cannot read it: No such file or directory")
    }

    @Test func aFolderGivenAsConfigurationSaysSo() {
        guard case .failure(let faults) = GatewayConfiguration.load(path: "/tmp") else {
            Issue.record("loaded a folder")
            return
        }
        #expect(faults.description == "/tmp:1:1: cannot read it: Is a directory")
    }

    @Test func aFileBeyondTheLimitIsNotParsed() throws {
        let folder = try Folder()
        try folder.write("huge.toml", [UInt8](repeating: UInt8(ascii: "#"), count: Bounds.fileBytes + 1))
        guard case .failure(let faults) = GatewayConfiguration.load(path: folder.path + "/huge.toml") else {
            throw Unexpected()
        }
        #expect(faults.faults.map(\.message) == ["it is larger than 4 MiB; is it a configuration?"])
    }

    @Test func aSourceThatNeverEndsIsReadUpToTheLimit() {
        guard case .failure(let faults) = GatewayConfiguration.load(path: "/dev/zero") else {
            Issue.record("loaded /dev/zero")
            return
        }
        #expect(faults.faults.map(\.message) == ["it is larger than 4 MiB; is it a configuration?"])
    }
}
