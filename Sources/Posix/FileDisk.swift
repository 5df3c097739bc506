package import Environment
import Glibc

/// A preallocated file as a ``Disk``: `pread`, `pwrite`, `fdatasync`. Calls block; the owner gives them a thread of their own.
package final class FileDisk: Disk {
    package let path: String
    package let size: Int
    private let descriptor: Int32

    /// Opens the file at `path`. A new file is made with `size` bytes, its space reserved, so that a full file system shows now and
    /// not on some night later; an existing file keeps the size it has.
    package init(path: String, size wanted: Int, readOnly: Bool = false) throws(SystemError) {
        self.path = path
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

    deinit { close(descriptor) }

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
        guard fdatasync(descriptor) == 0 else { throw DiskError(SystemError("fdatasync", path)) }
    }

    package func dropCache() { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    private func check(_ position: Int, _ count: Int) throws(DiskError) {
        guard position >= 0, count >= 0, position + count <= size else {
            throw DiskError(.outOfRange, "\(path): \(position)+\(count) is beyond \(size)")
        }
    }
}
