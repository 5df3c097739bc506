import Glibc

/// Keeps a second gateway off a data directory. The kernel frees the lock when the process ends, however it ends.
package final class InstanceLock: Sendable {
    private let descriptor: Int32

    /// Takes `DIRECTORY/lock`, or throws at once, naming the process that holds it.
    ///
    /// A directory that cannot be written to is still locked where it was used before. Where it never was, or is not there, there is
    /// nothing to keep a second gateway off.
    package init(directory: String) throws(InstanceLockError) {
        let path = directory + "/lock"
        var descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        let refused = SystemError("open", path)
        if descriptor < 0, refused.isOfTheDisk || refused.number == ENOENT {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                self.descriptor = descriptor
                return
            }
        }
        self.descriptor = descriptor
        guard descriptor >= 0 else { throw .system(refused) }
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

    /// Gives the lock's file to whoever owns `path`: made by root it would keep the gateway out. Does nothing for others than root.
    package func leave(toOwnerOf path: String) {
        var status = stat()
        guard geteuid() == 0, descriptor >= 0, stat(path, &status) == 0 else { return }
        _ = fchown(descriptor, status.st_uid, status.st_gid)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
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
