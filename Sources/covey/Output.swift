import Glibc

/// Whoever read our output has closed it, as `head` does: nothing is wrong, and nothing is left to do.
struct ReaderGone: Error {}

/// Standard output, or a new file, buffered. Write errors are seen: a full disk must not pass for a whole answer.
final class Output {
    private var buffer: [UInt8] = []
    private let descriptor: Int32
    private let name: String
    private let isTerminal: Bool
    private static let bufferBytes = 64 * 1024

    init() {
        signal(SIGPIPE, SIG_IGN)
        descriptor = STDOUT_FILENO
        name = "standard output"
        isTerminal = isatty(STDOUT_FILENO) == 1
    }

    /// Makes the file. One that is there is left alone.
    init(newFile path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        name = path
        isTerminal = false
        guard descriptor < 0 else { return }
        let reason = errno == EEXIST ? "it is there already, and is left alone" : String(cString: strerror(errno))
        throw Failure(.wrongCall, "\(path): \(reason)")
    }

    /// Writes what is left, and waits until a file is on the disk.
    func finish() throws {
        try flush()
        guard descriptor != STDOUT_FILENO else { return }
        if fsync(descriptor) != 0 { throw Failure(.notWell, "\(name): \(String(cString: strerror(errno)))") }
    }

    func write(_ text: String) throws { try write(text.utf8) }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    func line(_ text: String) throws {
        buffer.append(contentsOf: text.utf8)
        try write(CollectionOfOne(UInt8(ascii: "\n")))
    }

    func flush() throws {
        guard !buffer.isEmpty else { return }
        if isTerminal { Progress.clear() }
        var done = 0
        defer { buffer.removeAll(keepingCapacity: true) }
        while done < buffer.count {
            let count = buffer.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EPIPE { throw ReaderGone() }
                throw Failure(.notWell, "\(name): \(String(cString: strerror(errno)))")
            }
            done += count
        }
    }
}

/// What the place that we print to can show.
struct Terminal {
    /// In columns. A pipe has 80, or what `COLUMNS` says.
    let width: Int
    let hasColour: Bool

    static let current: Terminal = {
        let size = width(of: STDOUT_FILENO)
        let columns = size ?? environment("COLUMNS").flatMap { Int($0) } ?? 80
        let wantsColour = environment("NO_COLOR") == nil && environment("TERM") != "dumb"
        return Terminal(width: min(max(columns, 40), 1000), hasColour: isatty(STDOUT_FILENO) == 1 && wantsColour)
    }()

    /// Columns of the terminal behind a descriptor; `nil` where there is none, or it does not say.
    static func width(of descriptor: CInt) -> Int? {
        var size = winsize()
        guard isatty(descriptor) == 1, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }
}

/// A variable that is set and not empty.
func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
}
