import Glibc

/// The socket file: made with its rights from the start, taken over only from the dead, removed only while it is ours.
struct UnixListener {
    /// Listening and non-blocking; whoever takes it closes it.
    let descriptor: CInt
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Owner and group may speak to the gateway.
    private static let mode: mode_t = 0o660
    /// Callers that knock at the same moment; the limit of connections is kept after accepting.
    private static let backlog: CInt = 128

    init(path: String) throws(ListenError) {
        var address = try Self.address(of: path)
        try Self.checkDirectory(of: path)
        try Self.removeStale(path, &address)
        let descriptor = Glibc.socket(
            AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failed("socket", path) }
        // The mode of the descriptor becomes that of the file, less the umask: at no moment may others connect.
        _ = fchmod(descriptor, Self.mode)
        var status = stat()
        guard Self.withAddress(&address, { bind(descriptor, $0, $1) }) == 0, chmod(path, Self.mode) == 0,
            listen(descriptor, Self.backlog) == 0, lstat(path, &status) == 0
        else {
            let error = errno == EADDRINUSE ? Self.taken(path) : Self.failed("bind", path)
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another has been put in its place.
    func unlinkFile() {
        var status = stat()
        if lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode { unlink(path) }
    }

    private static func address(of path: String) throws(ListenError) -> sockaddr_un {
        let bytes = Array(path.utf8)
        guard bytes.count <= ControlEndpoint.longestPath, !bytes.isEmpty, !bytes.contains(0) else {
            throw ListenError(
                .pathTooLong,
                "\(path): a socket's path has 1 to \(ControlEndpoint.longestPath) bytes; this has \(bytes.count)")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func withAddress(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func checkDirectory(of path: String) throws(ListenError) {
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(directory, &status) == 0 else {
            throw ListenError(
                .noDirectory, "\(path): directory \(directory): \(text(errno)); it must exist before the gateway starts"
            )
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw ListenError(.noDirectory, "\(path): \(directory) is not a directory")
        }
    }

    /// What lies at the path | who answers | then
    /// nothing                | –           | go on
    /// not a socket           | –           | error: never remove a stranger's file
    /// a socket               | somebody    | error: in use
    /// a socket               | nobody      | remove it: its owner was killed
    /// a socket               | unknown     | error: it may be in use
    private static func removeStale(_ path: String, _ address: inout sockaddr_un) throws(ListenError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw failed("lstat", path)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenError(.notASocket, "\(path) is there and is no socket; move it away or choose another path")
        }
        let probe = Glibc.socket(
            AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw failed("socket", path) }
        defer { close(probe) }
        // Connecting to a Unix socket never waits: a full backlog answers EAGAIN, which somebody must be there to cause.
        if withAddress(&address, { connect(probe, $0, $1) }) == 0 || errno == EAGAIN { throw taken(path) }
        guard errno == ECONNREFUSED else { throw failed("connect", path) }
        guard unlink(path) == 0 || errno == ENOENT else { throw failed("unlink", path) }
    }

    private static func taken(_ path: String) -> ListenError {
        ListenError(.inUse, "\(path): another gateway answers there; end it, or give this one another [api] socket")
    }

    private static func failed(_ call: String, _ path: String) -> ListenError {
        ListenError(.system, "\(call) of \(path): \(text(errno))")
    }

    private static func text(_ number: CInt) -> String { String(cString: strerror(number)) }
}
