package import Environment
import Glibc
import Synchronization

/// A preallocated file as a ``Disk``: `pread`, `pwrite`, `fdatasync`. Calls block; the owner gives them a thread of their own.
package final class FileDisk: Disk {
    package let path: String
    package let size: Int
    /// Always an open file; ``reopen(where:)`` puts another one in its place, so that a call on another thread has the one or the other.
    private let descriptor: Int32
    private let closed: Mutex<DiskError?>

    /// Opens the file at `path`. A new file is made with `size` bytes, its space reserved, so that a full file system shows now and
    /// not on some night later; an existing file keeps the size it has.
    package init(path: String, size wanted: Int, readOnly: Bool = false) throws(SystemError) {
        self.path = path
        closed = Mutex(nil)
        let flags = (readOnly ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC
        descriptor = open(path, flags, 0o640)
        guard descriptor >= 0 else { throw SystemError("open", path) }
        do {
            size = try Self.reserve(descriptor, path: path, wanted: wanted, readOnly: readOnly)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// A disk to write to as soon as ``reopen(where:)`` can open it or make it, and not before: until then it answers writes with `reason`.
    /// What lies at `path` now is read, where that is possible; where there is nothing, `size` bytes of zeros are.
    package init(path: String, size wanted: Int, closedFor reason: String) throws(SystemError) {
        self.path = path
        closed = Mutex(DiskError(.readOnly, reason))
        var status = stat()
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file >= 0, fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 {
            descriptor = file
            size = Int(status.st_size)
            return
        }
        if file >= 0 { close(file) }
        descriptor = open("/dev/zero", O_RDONLY | O_CLOEXEC)
        size = wanted
        guard descriptor >= 0 else { throw SystemError("open", "/dev/zero") }
    }

    /// Whether a file is open, and not the nothing that stands for it.
    package var isThere: Bool {
        var open = stat()
        return fstat(descriptor, &open) == 0 && open.st_mode & S_IFMT == S_IFREG
    }

    /// Another disk's descriptor while it is looked at.
    private init(looking descriptor: Int32, at path: String, size: Int) {
        self.path = path
        self.size = size
        self.descriptor = descriptor
        closed = Mutex(nil)
    }

    deinit { close(descriptor) }

    package func reopen(where isOurs: (any Disk) -> Bool) throws(DiskError) {
        let isClosed = closed.withLock { $0 != nil }
        let found = open(path, O_RDWR | O_CLOEXEC | (isClosed ? O_CREAT : 0), 0o640)
        // As long as nothing else lies there, what is open may come back.
        guard found >= 0 else {
            if isClosed { throw DiskError(SystemError("open", path)) }
            return
        }
        if !isClosed, isSame(found, descriptor) {
            close(found)
            return
        }
        let length: Int
        do {
            length = try Self.reserve(found, path: path, wanted: size, readOnly: false)
        } catch {
            close(found)
            throw DiskError(error)
        }
        let candidate = FileDisk(looking: found, at: path, size: length)
        guard length == size, isOurs(candidate) else {
            if isClosed { throw DiskError(.readOnly, "\(path) is another ring now: restart covey to use that one") }
            return
        }
        guard dup2(found, descriptor) >= 0 else { throw DiskError(SystemError("open", path)) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        closed.withLock { $0 = nil }
    }

    private func isSame(_ one: Int32, _ other: Int32) -> Bool {
        var (first, second) = (stat(), stat())
        return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }

    private static func reserve(
        _ descriptor: Int32, path: String, wanted: Int, readOnly: Bool
    ) throws(SystemError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError("stat", path) }
        if status.st_size > 0 || readOnly { return Int(status.st_size) }
        let failure = posix_fallocate(descriptor, 0, off_t(wanted))
        guard failure == 0 else {
            // An empty leftover would be taken for a ring at the next start.
            unlink(path)
            throw SystemError("reserving \(wanted >> 20) MiB", path, number: failure)
        }
        guard fsync(descriptor) == 0 else { throw SystemError("fsync", path) }
        return wanted
    }

    package func read(at position: Int, count: Int) throws(DiskError) -> [UInt8] {
        try check(position, count)
        var done = 0
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while done < count {
                let got = pread(descriptor, buffer.baseAddress! + done, count - done, off_t(position + done))
                if got < 0, errno == EINTR { continue }
                if got <= 0 {
                    failure =
                        got < 0
                        ? DiskError(SystemError("pread", path))
                        : DiskError(.outOfRange, "\(path): shorter than \(size)")
                    break
                }
                done += got
            }
            initialized = done
        }
        if let failure { throw failure }
        return bytes
    }

    package func write(_ bytes: [UInt8], at position: Int) throws(DiskError) {
        try check(position, bytes.count)
        if let reason = closed.withLock({ $0 }) { throw reason }
        var done = 0
        while done < bytes.count {
            let put = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(position + done))
            }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw DiskError(SystemError("pwrite", path)) }
            done += put
        }
    }

    package func sync() throws(DiskError) {
        if let reason = closed.withLock({ $0 }) { throw reason }
        guard fdatasync(descriptor) == 0 else { throw DiskError(SystemError("fdatasync", path)) }
    }

    package func dropCache() { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    private func check(_ position: Int, _ count: Int) throws(DiskError) {
        guard position >= 0, count >= 0, position + count <= size else {
            throw DiskError(.outOfRange, "\(path): \(position)+\(count) is beyond \(size)")
        }
    }
}
