import Glibc

/// Whoever read our output has closed it, as `head` does: nothing is wrong, and nothing is left to do.
struct ReaderGone: Error {}

/// Standard output, buffered. Write errors are seen: a full disk must not pass for a whole answer.
final class Output {
    private var buffer: [UInt8] = []
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private static let bufferBytes = 64 * 1024

    init() {
        signal(SIGPIPE, SIG_IGN)
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
            let count = buffer.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress! + done, $0.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EPIPE { throw ReaderGone() }
                throw Failure(.notWell, "standard output: \(String(cString: strerror(errno)))")
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
