import Glibc

/// What an open file is, whatever its name: what systemd compares to find its own stream.
package struct OpenFile: Hashable, Sendable {
    package let device: UInt64
    package let inode: UInt64

    /// `nil` where `descriptor` is not open.
    package init?(_ descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
