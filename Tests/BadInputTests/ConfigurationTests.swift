import Glibc
import TestKit
import Testing

@Suite("Bad configurations", .timeLimit(.minutes(2)))
struct ConfigurationTests {
    @Test(
        "A faulty file is said with line and column, by check and by run alike, and nothing is started",
        arguments: ConfigurationRow.rows.indices)
    func isSaidWithItsPlace(_ index: Int) async throws {
        let row = ConfigurationRow.rows[index]
        let folder = try Folder()
        let path = try folder.place(row.file)
        let checked = try await Self.run(["check", "--config", path], as: row.file)
        #expect(checked.ending == .exited(row.isNote ? 0 : 1), "\(row.page.thing): \(checked.lines)")
        Self.compare(checked.lines, with: row, path: path)
        guard !row.isNote else { return }
        // What only `check` insists on keeps no daemon from starting.
        guard !row.faults.contains(where: { $0.contains("_file`: cannot read") }) else { return }
        let started = try await Self.run(["run", "--config", path], as: row.file)
        #expect(started.ending == .exited(1), "\(row.page.thing): \(started.lines)")
        Self.compare(started.lines, with: row, path: path)
    }

    private static func compare(_ lines: [String], with row: ConfigurationRow, path: String) {
        let placed = lines.compactMap { line in
            line.firstRange(of: path + ":").map { String(line[$0.upperBound...]) }
        }.filter { $0.first?.isNumber == true }
        #expect(placed.count == row.faults.count, "\(row.page.thing): \(lines)")
        for (said, wanted) in zip(placed, row.faults) {
            #expect(said.hasPrefix(wanted), "\(row.page.thing): \(said)")
        }
    }

    private static func run(
        _ words: [String], as file: ConfigurationRow.File
    ) async throws -> (ending: ChildProcess.Ending, lines: [String]) {
        var all = [Site.program] + words
        // The superuser can read everything.
        if case .unreadable = file, geteuid() == 0 {
            all = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] + all
        }
        let process = try ChildProcess(all[0], Array(all.dropFirst()))
        let ending = await process.ending()
        return (ending, process.log)
    }
}

/// A folder of its own, gone with its last reference.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/covey-bad-input-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        _ = chmod(path, 0o755)
    }

    deinit { _ = system("rm -rf '\(path)'") }

    /// - Returns: The path of the configuration.
    fileprivate func place(_ file: ConfigurationRow.File) throws -> String {
        let target = path + "/covey.toml"
        switch file {
        case .bytes(let bytes): try write(bytes, to: target)
        case .missing: break
        case .folder: mkdir(target, 0o755)
        case .unreadable:
            try write(Array("[gateway]\n".utf8), to: target)
            chmod(target, 0)
        }
        return target
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ChildFailure(description: "\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw ChildFailure(description: "\(path): not all of it could be written")
        }
    }
}
