import Testing

@testable import TOMLConfiguration

/// The files of `Config/`, read from the source tree.
@Suite struct ShippedFilesTests {
    private func text(_ name: String, here: String = #filePath) throws -> String {
        var folder = here[...]
        for _ in 0..<3 { folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)] }
        return String(decoding: try Paths.read("\(folder)/Config/\(name)", limit: 1 << 20).get(), as: UTF8.self)
    }

    /// The file with every setting that is commented out put into effect.
    private func uncommented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix("#"), let next = line.dropFirst().first, next == "[" || next.isLetter else {
                return line
            }
            return line.dropFirst()
        }.joined(separator: "\n")
    }

    @Test func theInstalledFileIsValidAsItStands() throws {
        let configuration = try loaded(text("covey.toml"))
        #expect(configuration.brokers.map(\.name) == ["local"])
        #expect(configuration.devices.map(\.id) == ["{device}"])
        #expect(configuration.uploads.isEmpty)
    }

    @Test func theInstalledFileIsValidWithEverySettingInEffect() throws {
        let configuration = try loaded(uncommented(text("covey.toml")))
        #expect(configuration.uploads.map(\.target.sink) == [.http, .mqtt, .file])
        #expect(Set(configuration.devices.map(\.source.driver)) == [.mqtt, .gpio, .simulated])
        #expect(configuration.cluster != nil)
    }

    @Test func theInstalledFileExplainsEveryKeyThatHasAnEffect() throws {
        let file = try text("covey.toml")
        let keys = try loaded(uncommented(file)).describe().split(separator: "\n").compactMap { line in
            line.hasPrefix("[") ? nil : line.split(separator: " ").first
        }
        #expect(keys.count > 80)
        for key in keys {
            #expect(file.contains("#\(key) = ") || file.contains("\n\(key) ") || file.contains("#   \(key) "), "\(key)")
        }
    }

    @Test func whatTheInstalledFileCallsADefaultIsTheDefault() throws {
        let lines = try text("covey.toml").split(separator: "\n", omittingEmptySubsequences: false)
        let others = lines.filter { !($0.hasPrefix("#") && $0.contains("# default")) }
        #expect(lines.count - others.count > 25)
        var whole = try loaded(uncommented(lines.joined(separator: "\n")))
        var bare = try loaded(uncommented(others.joined(separator: "\n")))
        whole.notes = []
        bare.notes = []
        #expect(whole == bare)
    }

    @Test func theDemonstrationsFileIsValidOnceItsPlaceholdersAreFilled() throws {
        var demo = try text("demo.toml")
        for (placeholder, value) in [
            ("@PORT@", "1883"), ("@RECEIVER_PORT@", "8080"), ("@DIR@", "/tmp/demo"), ("@NAME@", "barn"),
            ("@CLUSTER_PORT@", "8472"), ("@SEEDS@", #""127.0.0.1:8473""#),
        ] {
            #expect(demo.contains(placeholder))
            demo = demo.split(separator: placeholder, omittingEmptySubsequences: false).joined(separator: value)
        }
        let configuration = try loaded(demo)
        #expect(configuration.devices.count == 5)
        #expect(configuration.uploads.map(\.target.sink) == [.http, .file])
        #expect(configuration.notes.isEmpty)
    }
}
