import Glibc
import TestKit

/// One table of a benchmark: printed, and put where `Documentation/Benchmarks.md` shows it.
package struct Report {
    /// The name of its place in the page: the lines between `<!-- NAME -->` and `<!-- /NAME -->`.
    package let name: String
    package let columns: [String]
    private var rows: [[String]] = []
    private var notes: [String] = []

    package init(_ name: String, columns: [String]) {
        self.name = name
        self.columns = columns
    }

    package mutating func add(_ row: String...) { add(row) }

    package mutating func add(_ row: [String]) {
        precondition(row.count == columns.count, "a row of \(row.count) in a table of \(columns.count) columns")
        rows.append(row)
    }

    /// A sentence below the table, such as the ratio that it is about.
    package mutating func note(_ text: String) { notes.append(text) }

    /// Prints it. Where `COVEY_BENCH_PAGE` names a page, its part of that page is replaced as well.
    package func publish() throws {
        var lines = ["| " + columns.joined(separator: " | ") + " |"]
        lines.append("|---|" + String(repeating: "---:|", count: columns.count - 1))
        lines += rows.map { "| " + $0.joined(separator: " | ") + " |" }
        for note in notes { lines += ["", note] }
        let words = CommandLine.arguments
        let program = words[0].split(separator: "/").last.map(String.init) ?? words[0]
        lines += ["", "`\(([program] + words.dropFirst()).joined(separator: " "))`; \(Machine.description)"]
        print("\n" + lines.joined(separator: "\n") + "\n")
        if let page = getenv("COVEY_BENCH_PAGE") { try replace(in: String(cString: page), with: lines) }
    }

    private func replace(in page: String, with lines: [String]) throws {
        let text = try Files.read(page)
        let (begin, end) = ("<!-- \(name) -->", "<!-- /\(name) -->")
        var kept: [Substring] = []
        var isInside = false
        var isFound = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == end { isInside = false }
            if !isInside { kept.append(line) }
            guard line == begin else { continue }
            isInside = true
            isFound = true
            kept += [""] + lines.map { Substring($0) } + [""]
        }
        guard isFound, !isInside else { throw ChildFailure(description: "\(page) has no place \(begin) … \(end)") }
        try Files.write(kept.joined(separator: "\n"), to: page)
    }
}

/// What a figure was measured on.
package enum Machine {
    package static var description: String {
        let processors = (try? Usage.read("/proc/cpuinfo"))?.split(separator: "\n") ?? []
        let model =
            processors.first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }?
            .split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "unknown processor"
        let kernel = ((try? Usage.read("/proc/sys/kernel/osrelease")) ?? "").prefix { $0 != "\n" }
        var now = time(nil)
        var calendar = tm()
        gmtime_r(&now, &calendar)
        var text = [CChar](repeating: 0, count: 32)
        let length = strftime(&text, text.count, "%Y-%m-%d %H:%M UTC", &calendar)
        let date = String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let load = ((try? Usage.read("/proc/loadavg")) ?? "").split(separator: " ").first ?? "?"
        return "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores (\(model)), Linux \(kernel), \(date), load \(load)"
    }
}

/// Files and folders of a benchmark.
package enum Files {
    /// A new folder on a real disk: `/tmp` is often in memory.
    package static func makeFolder() throws -> String {
        var template = Array("/var/tmp/covey-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /var/tmp can be made") }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The folder of a benchmark, with everything in it.
    package static func remove(_ folder: String) { _ = system("rm -rf '\(folder)'") }

    package static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw ChildFailure(description: "\(path) cannot be read") }
        defer { _ = fclose(file) }
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&bytes, 1, bytes.count, file), count > 0 { text += bytes[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    package static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw ChildFailure(description: "\(path) cannot be written") }
        let bytes = Array(text.utf8)
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count else {
            throw ChildFailure(description: "\(path) cannot be written")
        }
    }

    /// A program that was built beside this one.
    package static func sibling(_ name: String) -> String {
        let path = CommandLine.arguments[0]
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" + name
    }

    package static func size(_ path: String) throws -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw ChildFailure(description: "\(path) is not there") }
        return Int(status.st_size)
    }
}

/// A line to standard output, or to another descriptor, at once: what follows a long run from outside must not wait for a full buffer.
package func say(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress!, $0.count) }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}
