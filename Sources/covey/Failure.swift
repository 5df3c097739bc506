import Glibc

/// Why a verb ends without having done its work: a sentence for the person and the exit code for the script.
struct Failure: Error, Hashable {
    enum Code: Int32 {
        case notWell = 1
        case wrongCall = 2
        case noDaemon = 3
    }

    let code: Code
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Says something to the person, beside the answer: `covey: …` on standard error, one line where that is no terminal.
func tell(_ message: String) {
    Progress.clear()
    let lines = Terminal.width(of: STDERR_FILENO).map { hanging("covey: ", message, to: max($0, 40)) }
    for line in lines ?? ["covey: " + printable(message)] { writeError(line + "\n") }
}

/// Writes to standard error; that it cannot be written to is nobody's business.
func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
