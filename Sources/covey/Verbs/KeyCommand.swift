import ArgumentParser
import Glibc

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "The key that the gateways of one covey share.",
        subcommands: [Generate.self, Rotate.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate",
            abstract: "Writes 32 random bytes, in hexadecimal, to a new file that only its owner may read.")

        @Argument(
            help: ArgumentHelp("The file to make; one that is there is left alone.", valueName: "file"),
            completion: .file())
        var path: String

        func run() throws {
            // The kernel's generator, which waits until its pool is ready.
            var kernel = SystemRandomNumberGenerator()
            var text = ""
            for _ in 0..<4 {
                let digits = String(kernel.next() as UInt64, radix: 16)
                text += String(repeating: "0", count: 16 - digits.count) + digits
            }
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                if errno == EEXIST { throw Failure(.wrongCall, "\(path) is there already; a key is never overwritten") }
                throw failed(path)
            }
            defer { close(descriptor) }
            let bytes = Array((text + "\n").utf8)
            guard fchmod(descriptor, 0o600) == 0, write(descriptor, bytes, bytes.count) == bytes.count,
                fsync(descriptor) == 0
            else {
                let failure = failed(path)
                unlink(path)
                throw failure
            }
        }

        private func failed(_ what: String) -> Failure {
            Failure(.notWell, "\(what): \(String(cString: strerror(errno)))")
        }
    }
}
