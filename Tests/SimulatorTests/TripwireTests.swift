import Glibc
import Testing

/// What the floors that the simulator steps must not do: a history would not be the same twice.
@Suite("Floors 1 to 3 hold no chance and no time of their own")
struct TripwireTests {
    private static let targets = [
        "Model", "Environment", "LogFormat", "Membership", "GossipState", "Replication", "SupervisionCore", "RingLog",
        "KeyValue", "Devices", "Sinks", "GatewayCore",
    ]

    /// Lines that look wrong and are not: part of a path, part of the line, why.
    private static let allowed: [(path: String, line: String, reason: String)] = []

    private static let words: [(word: String, reason: String)] = [
        ("import Foundation", "Foundation is of higher floors"), ("Date(", "real time"),
        ("ContinuousClock", "real time"),
        ("SuspendingClock", "real time"), ("clock_gettime", "real time"), ("Task.sleep", "real time"),
        ("Task.detached", "unordered work"), ("UUID(", "real randomness"),
        ("SystemRandomNumberGenerator", "real randomness"),
        ("arc4random", "real randomness"), (".shuffled()", "real randomness"), (".randomElement()", "real randomness"),
    ]

    struct Line {
        let path: String
        let number: Int
        let text: String
    }

    private static let root: String = {
        let file = #filePath
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()

    private static func files(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            let path = folder + "/" + name
            if name.hasSuffix(".swift") { found.append(path) } else { found += files(in: path) }
        }
        return found.sorted()
    }

    private static func lines(of path: String) -> [Line] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        let texts = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return texts.enumerated().compactMap { index, text in
            let code = text.drop { $0 == " " }
            return code.hasPrefix("//") ? nil : Line(path: path, number: index + 1, text: String(text))
        }
    }

    private func isAllowed(_ line: Line) -> Bool {
        Self.allowed.contains { line.path.hasSuffix($0.path) && line.text.contains($0.line) }
    }

    @Test("No real time, no real randomness, no Foundation", arguments: targets)
    func words(target: String) {
        let files = Self.files(in: Self.root + "/Sources/" + target)
        #expect(!files.isEmpty, "\(target) has no files under \(Self.root)")
        for file in files {
            let lines = Self.lines(of: file)
            for (index, line) in lines.enumerated() where !isAllowed(line) {
                for (word, reason) in Self.words where line.text.contains(word) {
                    Issue.record("\(line.path):\(line.number): \(word): \(reason)")
                }
                guard line.text.contains(".random(") else { continue }
                let call = lines[index..<min(index + 3, lines.count)].map(\.text).joined()
                if !call.contains("using:") { Issue.record("\(line.path):\(line.number): real randomness") }
            }
        }
    }

    @Test("No walk over a set or a dictionary in the order of its hashes", arguments: targets)
    func hashOrder(target: String) {
        for file in Self.files(in: Self.root + "/Sources/" + target) {
            let lines = Self.lines(of: file)
            let names = lines.compactMap { Self.unorderedName($0.text) }
            for line in lines where !isAllowed(line) {
                guard let walked = Self.walkedName(line.text), names.contains(walked) else { continue }
                Issue.record("\(line.path):\(line.number): walks over \(walked)")
            }
        }
    }

    /// The name that a line declares as a set or a dictionary.
    static func unorderedName(_ line: String) -> String? {
        for keyword in ["var ", "let "] {
            guard let rest = text(of: line, behind: keyword) else { continue }
            let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            let type = rest.dropFirst(name.count)
            let isSet = type.hasPrefix(": Set<") || type.hasPrefix(" = Set(") || type.hasPrefix(" = Set<")
            // `: [Key: Value]`, and not an array `: [Value]` nor a tuple's label `: [(a: A)]`.
            var isDictionary = false
            if type.hasPrefix(": [") || type.hasPrefix(" = [") {
                let inside = type.drop { $0 != "[" }.dropFirst()
                if let colon = inside.firstIndex(of: ":") {
                    isDictionary = !inside[..<colon].contains { "(]\"".contains($0) }
                }
            }
            if isSet || isDictionary { return String(name) }
        }
        return nil
    }

    /// What follows the first `word`.
    private static func text(of line: String, behind word: String) -> Substring? {
        line.firstRange(of: word).map { line[$0.upperBound...] }
    }

    /// The name that a `for` walks over as it is; `nil` where something orders it first.
    static func walkedName(_ line: String) -> String? {
        guard line.contains("for "), let rest = text(of: line, behind: " in "), !line.contains(".sorted") else {
            return nil
        }
        let walked = rest.prefix { !" {".contains($0) }
        let parts = walked.split(separator: ".")
        guard !walked.contains("("), let last = parts.last else { return nil }
        if ["keys", "values"].contains(last) { return parts.dropLast().last.map(String.init) }
        return String(last)
    }

    @Test("The tripwire itself tells a dictionary from an array, and a sorted walk from a plain one")
    func itself() {
        #expect(Self.unorderedName("    var logs: [LogID: Int] = [:]") == "logs")
        #expect(Self.unorderedName("    let known = Set(ring.logs)") == "known")
        #expect(Self.unorderedName("    var seen: Set<LogID> = []") == "seen")
        #expect(Self.unorderedName("    var waiting: [(log: LogID, end: Offset)] = []") == nil)
        #expect(Self.unorderedName("    var lines: [String] = []") == nil)
        #expect(Self.walkedName("        for (key, value) in self.logs {") == "logs")
        #expect(Self.walkedName("        for key in logs.keys where key > 3 {") == "logs")
        #expect(Self.walkedName("        for key in logs.keys.sorted() {") == nil)
        #expect(Self.walkedName("        for index in logs.indices {") == "indices")
    }
}
