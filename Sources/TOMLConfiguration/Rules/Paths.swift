import Glibc

/// Paths, and the little that is asked of the file system while a configuration is read.
enum Paths {
    /// Relative paths are relative to `folder`; `.` and `..` stay as they are, for links may make them meaningful.
    static func absolute(_ path: String, in folder: String) -> String {
        if path.hasPrefix("/") { return path }
        return folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }

    /// The absolute folder of the file at `path`.
    static func folder(of path: String) -> String {
        let whole = absolute(path, in: workingFolder)
        let end = whole.lastIndex(of: "/") ?? whole.startIndex
        return end == whole.startIndex ? "/" : String(whole[..<end])
    }

    private static var workingFolder: String {
        guard let buffer = getcwd(nil, 0) else { return "/" }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    /// Why the file cannot be read; `nil` where it can.
    static func readability(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return "cannot read \(path): \(reason(errno))" }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return "cannot read \(path): \(reason(errno))" }
        return status.st_mode & S_IFMT == S_IFDIR ? "\(path) is a folder, not a file" : nil
    }

    static func isReadableByOthers(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_mode & S_IROTH != 0
    }

    /// The file's bytes, or why there are none. Reads one byte beyond `limit` at most.
    static func read(_ path: String, limit: Int) -> Result<[UInt8], ReadError> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .failure(ReadError(message: "cannot read it: \(reason(errno))")) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = systemRead(descriptor, &buffer)
            if count == 0 { return .success(bytes) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return .failure(ReadError(message: "cannot read it: \(reason(errno))")) }
            bytes.append(contentsOf: buffer[..<count])
        }
        return .failure(ReadError(message: "it is larger than \(limit >> 20) MiB; is it a configuration?"))
    }

    struct ReadError: Error {
        let message: String
    }

    private static func systemRead(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
        buffer.withUnsafeMutableBytes { bytes in
            Glibc.read(descriptor, bytes.baseAddress, bytes.count)
        }
    }

    static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

    /// The machine's name up to its first dot; `covey` where it has none that fits a topic.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "covey" }
        let name = String(decoding: buffer.prefix { $0 != 0 && $0 != 46 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Names.isTopicLevel(name) ? name : "covey"
    }
}
