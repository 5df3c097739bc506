import FoundationEssentials
package import Glibc
import Synchronization

/// A group of processes that get so much of the processors and no more. Needs root, and the controller `cpu` of either generation of
/// control groups. Ends with its last reference; processes that are still in it go on unlimited.
package final class ControlGroup: Sendable {
    private static let root = "/sys/fs/cgroup"
    private static let prefix = "covey-lab-"
    private static let groups = Atomic(0)
    /// The kernel's usual period, in microseconds.
    private static let period = 100_000

    private let parent: String
    private let folder: String
    private let isUnified: Bool

    /// Throws where there is no such controller, or where this process may not use it.
    package init() throws {
        let first = "\(Self.root)/cpu"
        isUnified = access("\(first)/cpu.cfs_quota_us", F_OK) != 0
        parent = isUnified ? Self.root : first
        if isUnified { try Self.write("+cpu", to: "\(parent)/cgroup.subtree_control") }
        Self.removeLeftovers(in: parent)
        let number = Self.groups.wrappingAdd(1, ordering: .relaxed).oldValue
        folder = "\(parent)/\(Self.prefix)\(getpid())-\(number)"
        guard mkdir(folder, 0o755) == 0 else { throw ChildFailure(folder, errno) }
    }

    deinit {
        release()
        _ = rmdir(folder)
    }

    /// What its processes may use together, in percent of one processor; 1 and up.
    package func limit(toPercent percent: Int) throws {
        precondition(percent > 0, "\(percent) %")
        let quota = Self.period * percent / 100
        if isUnified {
            try Self.write("\(quota) \(Self.period)", to: "\(folder)/cpu.max")
        } else {
            try Self.write("\(Self.period)", to: "\(folder)/cpu.cfs_period_us")
            try Self.write("\(quota)", to: "\(folder)/cpu.cfs_quota_us")
        }
    }

    /// Takes the process with all its threads into it.
    package func add(_ process: pid_t) throws {
        try Self.write("\(process)", to: "\(folder)/cgroup.procs")
    }

    /// Lets all of its processes go.
    package func release() {
        let text = (try? String(contentsOfFile: "\(folder)/cgroup.procs", encoding: .utf8)) ?? ""
        for process in text.split(separator: "\n") { try? Self.write(String(process), to: "\(parent)/cgroup.procs") }
    }

    /// Those of processes that are gone, and that were killed before they could.
    private static func removeLeftovers(in parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            let process = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" })
            if let process, kill(process, 0) != 0, errno == ESRCH { _ = rmdir("\(parent)/\(name)") }
        }
    }

    /// A file of the kernel's, which is there already.
    private static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw ChildFailure(path, errno) }
        defer { _ = close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw ChildFailure("\(path): \(text)", errno)
        }
    }
}
