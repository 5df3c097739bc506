import Glibc
import Testing

struct ProgramFailure: Error, CustomStringConvertible {
    let description: String
}

/// Runs a program to its end; a failure of it is an error.
func runProgram(_ path: String, _ arguments: [String]) async throws {
    let status = await onThread { () -> Int32 in
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        guard posix_spawn(&process, path, &actions, nil, &words, environ) == 0 else { return -1 }
        var status: Int32 = 0
        _ = waitpid(process, &status, 0)
        return status
    }
    guard status == 0 else {
        throw ProgramFailure(description: "\(path) \(arguments.joined(separator: " ")): status \(status)")
    }
}

func removeFiles(_ paths: [String]) {
    for path in paths { _ = unlink(path) }
}
