import Glibc
import KeyValue

/// A store's file that could not be used. Nothing is deleted: a person may find in it what the program could not.
package struct SetAside: Hashable, Sendable, CustomStringConvertible {
    /// Where the file is now: `covey.db.damaged-1`.
    package let path: String
    package let reason: String

    package var description: String { "set aside as \(path): \(reason)" }

    /// Files kept; with the last number taken, the newest replaces it, so that a disk that damages each file does not fill up as well.
    private static let limit = 8

    /// Renames the file at `path` and its journals, which would otherwise be played into the next one.
    init(movingAway path: String, because reason: String) throws(KeyValueError) {
        let number = (1...Self.limit).first { access("\(path).damaged-\($0)", F_OK) != 0 } ?? Self.limit
        let target = "\(path).damaged-\(number)"
        for suffix in ["-wal", "-journal", "-shm", ""] where rename(path + suffix, target + suffix) != 0 {
            if errno == ENOENT { continue }
            let code: KeyValueError.Code = errno == EROFS ? .readOnly : .failed
            throw KeyValueError(code, "rename \(path + suffix): \(String(cString: strerror(errno)))")
        }
        self.path = target
        self.reason = reason
    }
}
