import Glibc

/// Keeps a second gateway off a data directory. The kernel frees the lock when the process ends, however it ends.
package final class InstanceLock: Sendable {
    private let descriptor: Int32

    /// Takes `DIRECTORY/lock`, or throws at once, naming the process that holds it.
    package init(directory: String) throws(InstanceLockError) {
        let path = directory + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .system(SystemError("open", path)) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = SystemError("lock", path)
            let holder = (try? File.readText(path, limit: 32)) ?? ""
            close(descriptor)
            if failure.number == EWOULDBLOCK {
                throw .held(directory: directory, process: holder.trimmingSuffix(while: \.isWhitespace))
            }
            throw .system(failure)
        }
        let text = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
    }

    deinit { close(descriptor) }
}

package enum InstanceLockError: Error, Hashable, Sendable, CustomStringConvertible {
    case held(directory: String, process: String)
    case system(SystemError)

    package var description: String {
        switch self {
        case .held(let directory, let process):
            "another gateway (process \(process)) uses \(directory): stop it, or give this one a data_dir of its own"
        case .system(let error): error.description
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var copy = self
        while let last = copy.last, predicate(last) { copy.removeLast() }
        return copy
    }
}
