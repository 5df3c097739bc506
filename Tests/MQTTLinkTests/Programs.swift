import Glibc
import TestKit

/// Runs a program to its end; a failure of it is an error.
func runProgram(_ path: String, _ arguments: [String]) async throws {
    let child = try ChildProcess(path, arguments)
    let ending = await child.ending()
    guard ending == .exited(0) else {
        throw ChildFailure(
            description: """
                \(path) \(arguments.joined(separator: " ")): \(ending)
                \(child.log.joined(separator: "\n"))
                """)
    }
}

func removeFiles(_ paths: [String]) {
    for path in paths { _ = unlink(path) }
}
