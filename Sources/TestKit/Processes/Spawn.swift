import CCovey
package import Glibc

/// Why a program could not be started, or ended when it should not.
package struct ChildFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }

    init(_ what: String, _ code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }
}

/// Starts `program` with these two descriptors as its output, and nothing to read. It is in a group of its own: Ctrl-C is
/// for the one who started it, who then ends it in order. `environment`: `nil` gives it that of this process.
package func spawn(
    _ program: String, _ arguments: [String], environment: [String: String]? = nil, output: Int32, errors: Int32
) throws(ChildFailure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    // Sockets of other tests must not live on in this child.
    _ = covey_spawn_close_from(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Threads for tests block signals, and a child would inherit that.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { $0.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil] }
    defer { (words + (variables ?? [])).forEach { free($0) } }
    var process: pid_t = 0
    let result: Int32
    if let variables {
        result = posix_spawn(&process, program, &actions, &attributes, words, variables)
    } else {
        result = posix_spawn(&process, program, &actions, &attributes, words, environ)
    }
    guard result == 0 else { throw ChildFailure(program, result) }
    return process
}
