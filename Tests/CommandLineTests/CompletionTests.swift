import Glibc
import Model
import TestKit
import Testing

/// The scripts for the shells, in the shells themselves.
@Suite struct CompletionTests {
    @Test(arguments: ["bash", "zsh", "fish"])
    func `each shell takes its script`(shell: String) async throws {
        let script = try await Child.run(["--generate-completion-script", shell])
        #expect(script.code == 0 && script.errors == "")
        try await withFolder { folder in
            let path = folder + "/covey.toml"
            try write(script.output, to: path)
            let said = try await self.shell("\(shell) -n \(path) 2>&1; echo $?")
            #expect(said == "0\n", "is \(shell) installed? \(said)")
        }
    }

    @Test func `bash completes verbs, options, their values and the names of devices and series`() async throws {
        try await withDaemon(FakeDaemon(readings: Samples.readings)) { socket in
            let cases = [
                ("covey st", "status"), ("covey que", "query"), ("covey query --form", "--format"),
                ("covey query --format c", "csv"), ("covey ring v", "verify"), ("covey ring r", "repair"),
                ("covey latest so", "soil-3"),
                ("covey tail pl", "plug"),
                ("covey query soil-3/", "soil-3/moisture"), ("covey latest soil-3 pl", "plug"),
                ("covey latest xyz", ""),
            ]
            for (line, expected) in cases {
                let found = try await complete(line, socket: socket)
                #expect(found == expected + "\n", "\(line)")
            }
            // The name with quotes and a comma in it is nothing for a shell.
            #expect(try await complete("covey latest ", socket: socket) == "plug soil-3\n")
        }
    }

    @Test func `without a daemon names are not completed, and nothing is said`() async throws {
        #expect(try await complete("covey latest so", socket: "/tmp/covey-nobody-here.sock") == "\n")
        let asked = ["---completion", "latest", "--", "positional@0", "2", "2", "covey", "latest", "so"]
        let outcome = try await Child.run(asked, environment: ["COVEY_SOCKET": "/tmp/covey-nobody-here.sock"])
        #expect(outcome.errors == "" && outcome.output.allSatisfy(\.isNewline), "\(outcome)")
    }

    /// What bash offers for the last word of a line, errors among it.
    private func complete(_ line: String, socket: String) async throws -> String {
        let folder = Child.program[..<(Child.program.lastIndex(of: "/") ?? Child.program.startIndex)]
        return try await shell(
            #"""
            PATH='\#(folder)':$PATH COVEY_SOCKET='\#(socket)' exec bash 2>&1 <<'END'
            source <(covey --generate-completion-script bash)
            COMP_LINE='\#(line)'; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
            read -ra COMP_WORDS <<<"$COMP_LINE"; [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _covey covey "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "${COMPREPLY[*]}"
            END
            """#)
    }

    /// Runs a script of the system's shell and returns what it prints.
    private func shell(_ script: String) async throws -> String {
        try await onThread {
            let pipe = try #require(popen(script, "r"))
            defer { pclose(pipe) }
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { text += buffer[..<count] }
            return String(decoding: text, as: UTF8.self)
        }
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }
}
