import Glibc

/// Programs of the system that are asked for one thing, and must answer soon.
enum LabTool {
    /// Far above what any of them needs here, even beside a compiler.
    static let limit: Duration = .seconds(20)

    /// Runs `program`, which the Debian package `package` brings, and returns what it printed. Blocks until it has ended. Throws what it
    /// said where it failed, and where it took longer than ``limit``; then it is killed.
    @discardableResult
    static func run(_ program: String, of package: String, _ arguments: [String]) throws(ChildFailure) -> String {
        let path = try find(program, of: package)
        let words = ([program] + arguments).joined(separator: " ")
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw ChildFailure("socketpair", errno) }
        let (output, input) = (ends[0], ends[1])
        defer { _ = close(output) }
        let process: pid_t
        do {
            defer { _ = close(input) }
            process = try spawn(path, arguments, output: input, errors: input)
        }
        let text = read(output)
        if text == nil { _ = kill(process, SIGKILL) }
        var status: Int32 = 0
        _ = waitpid(process, &status, 0)
        guard let text else { throw ChildFailure(description: "\(words): no end within \(limit)") }
        guard status == 0 else { throw ChildFailure(description: "\(words): \(text)") }
        return text
    }

    /// The same for a program that reads `script` from a file, whose name becomes the last argument. `space`: the network namespace to run
    /// in.
    @discardableResult
    static func run(
        _ program: String, of package: String, _ arguments: [String], in space: String? = nil, script: [String]
    ) throws(ChildFailure) -> String {
        var template = Array("/tmp/covey-lab-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw ChildFailure("a script in /tmp", errno) }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { _ = unlink(path) }
        let bytes = Array((script.joined(separator: "\n") + "\n").utf8)
        let count = Glibc.write(file, bytes, bytes.count)
        _ = close(file)
        guard count == bytes.count else { throw ChildFailure(description: "\(path) could not be written") }
        do {
            guard let space else { return try run(program, of: package, arguments + [path]) }
            let whole = try find(program, of: package)
            let words = ["--net=\(LabNames.path(of: space))", whole] + arguments + [path]
            return try run("nsenter", of: "util-linux", words)
        } catch {
            throw ChildFailure(description: "\(error.description)\nof the script\n\(script.joined(separator: "\n"))")
        }
    }

    private static func find(_ program: String, of package: String) throws(ChildFailure) -> String {
        let paths = ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"].map { $0 + program }
        guard let path = paths.first(where: { access($0, X_OK) == 0 }) else {
            throw ChildFailure(description: "\(program) is missing: install the package \(package)")
        }
        return path
    }

    /// Everything until the end; `nil` where that does not come in time.
    private static func read(_ output: Int32) -> String? {
        let end = ContinuousClock.now.advanced(by: limit)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let rest = (end - ContinuousClock.now).components
            let milliseconds = rest.seconds * 1000 + rest.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return nil }
            var polled = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, Int32(milliseconds)) > 0 else { continue }
            let count = Glibc.read(output, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
