/// A fixed-size, randomly accessed file: the ring's only view of storage.
package protocol Disk: Sendable {
    /// Bytes; never changes while open.
    var size: Int { get }
    /// Reads exactly `count` bytes.
    func read(at position: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Writes all of `bytes`. Nothing is durable before ``sync()`` has returned.
    func write(_ bytes: [UInt8], at position: Int) throws(DiskError)
    /// Makes every completed write durable (`fdatasync`). After a throw, what was written since the last good sync is not durable,
    /// and a later success says nothing about it.
    func sync() throws(DiskError)
    /// Lets go of what is cached of the medium, so that later reads tell what really lies there: after a failed sync the system may
    /// show for a while what it never wrote. What still waits to be written stays, and is read. Best effort; never fails.
    func dropCache()
    /// Called before a write while writes fail: where the file that is open has gone, as with a card that was pulled and put in again, goes
    /// on with the one that lies in its place now, if it is of the same size and `isOurs` says so of it. Does nothing where what is
    /// open is still in its place.
    func reopen(where isOurs: (any Disk) -> Bool) throws(DiskError)
}

extension Disk {
    /// A disk that is never in any other place.
    package func reopen(where isOurs: (any Disk) -> Bool) throws(DiskError) {}
}

/// What a disk can answer instead of doing its work.
package struct DiskError: Error, Hashable, Sendable {
    package enum Code: Hashable, Sendable {
        /// The device failed (`EIO` and its like).
        case failed
        /// No space left (`ENOSPC`, `EDQUOT`).
        case full
        /// Mounted or turned read-only (`EROFS`).
        case readOnly
        /// The range lies beyond the end.
        case outOfRange
    }

    package let code: Code
    /// What was tried, where: `fdatasync of /var/lib/covey/ring: Input/output error`.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension DiskError: CustomStringConvertible {
    package var description: String { message }
}
