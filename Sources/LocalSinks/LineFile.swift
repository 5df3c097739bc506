import Glibc

/// What a file would not do, in plain words.
struct FileFailure: Error, Hashable {
    let message: String

    init(_ action: String, _ path: String) {
        message = "cannot \(action) \(path): \(String(cString: strerror(errno)))"
    }
}

/// A file of lines that is only appended to, and turned over when it is full. Blocking; for one thread at a time.
///
/// A line that a crash or a full disk cut off is never completed: at the next opening it gets its newline, so that it spoils no other.
struct LineFile: ~Copyable {
    private let path: String
    private let rotateAt: Int64
    private var descriptor: CInt?
    private var size: Int64 = 0
    private var nextNumber = 1

    /// A directory gets a file `readings.jsonl` in it.
    init(path: String, rotateAt: Int64) {
        var status = stat()
        let isDirectory = path.hasSuffix("/") || (stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR)
        self.path = isDirectory ? (path.hasSuffix("/") ? path : path + "/") + "readings.jsonl" : path
        self.rotateAt = rotateAt
    }

    deinit {
        if let descriptor { Glibc.close(descriptor) }
    }

    /// Appends `line` and a newline, and returns when both are on the disk. After a throw the line may be there, in part or whole.
    mutating func append(_ line: [UInt8]) throws(FileFailure) {
        if isMoved { close() }
        if descriptor == nil { try open() }
        if size > 0, size + Int64(line.count) + 1 > rotateAt {
            try turnOver()
            try open()
        }
        guard let descriptor else { return }
        var bytes = line
        bytes.append(UInt8(ascii: "\n"))
        do throws(FileFailure) {
            try write(bytes, to: descriptor)
            if fdatasync(descriptor) != 0 { throw FileFailure("sync", path) }
        } catch {
            // Nothing behind the last good line can be trusted; should the cut fail too, opening again repairs it.
            _ = ftruncate(descriptor, off_t(size))
            close()
            throw error
        }
        size += Int64(bytes.count)
    }

    mutating func close() {
        if let descriptor { Glibc.close(descriptor) }
        descriptor = nil
    }

    /// Whether another program has moved or removed the file: we then begin a new one.
    private var isMoved: Bool {
        guard let descriptor else { return false }
        var ours = stat()
        var theirs = stat()
        guard fstat(descriptor, &ours) == 0, stat(path, &theirs) == 0 else { return true }
        return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev || theirs.st_size != size
    }

    private mutating func open() throws(FileFailure) {
        let opened = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard opened >= 0 else { throw FileFailure("open", path) }
        do throws(FileFailure) {
            var status = stat()
            guard fstat(opened, &status) == 0 else { throw FileFailure("look at", path) }
            size = Int64(status.st_size)
            var last: UInt8 = 0
            if size > 0, pread(opened, &last, 1, off_t(size - 1)) == 1, last != UInt8(ascii: "\n") {
                try write([UInt8(ascii: "\n")], to: opened)
                size += 1
            }
            if size == 0 { try syncDirectory() }
        } catch {
            Glibc.close(opened)
            throw error
        }
        descriptor = opened
    }

    private mutating func turnOver() throws(FileFailure) {
        close()
        while access("\(path).\(nextNumber)", F_OK) == 0 { nextNumber += 1 }
        guard rename(path, "\(path).\(nextNumber)") == 0 else { throw FileFailure("rename", path) }
        try syncDirectory()
    }

    private func syncDirectory() throws(FileFailure) {
        let end = path.lastIndex(of: "/")
        let directory = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let opened = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else { throw FileFailure("open", directory) }
        defer { Glibc.close(opened) }
        guard fsync(opened) == 0 else { throw FileFailure("sync", directory) }
    }

    private func write(_ bytes: [UInt8], to descriptor: CInt) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFailure("write", path)
            }
            written += count
        }
    }
}
