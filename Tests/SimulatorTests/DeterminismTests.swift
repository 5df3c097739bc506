import Glibc
import Simulator
import Testing

@Suite("One seed is one history")
struct DeterminismTests {
    /// Beside the tests' own executable, where the build puts both.
    private static let program: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path[..<(path.lastIndex(of: "/") ?? path.endIndex)] + "/covey-sim"
    }()

    private func run(_ arguments: [String]) throws -> String {
        let command = ([Self.program] + arguments).joined(separator: " ")
        let pipe = try #require(popen(command, "r"))
        defer { pclose(pipe) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, pipe)
            guard count > 0 else { break }
            text.append(contentsOf: buffer[..<count])
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test("Two processes with hash seeds of their own live through the same history", arguments: [3, 12] as [UInt64])
    func twoProcesses(seed: UInt64) throws {
        let arguments = ["replay", "\(seed)", "--gateways", "3", "--seconds", "6"]
        let one = try run(arguments)
        #expect(one.contains("trace "))
        #expect(try run(arguments) == one)
    }

    @Test("What happens is told the same line for line", arguments: [5] as [UInt64])
    func sameTrace(seed: UInt64) {
        var options = RunOptions()
        options.seconds = 15
        var one: [String] = []
        var other: [String] = []
        let first = History.run(seed: seed, options: options, tracer: { one.append($0) })
        let second = History.run(seed: seed, options: options, tracer: { other.append($0) })
        #expect(one == other)
        #expect(first.trace == second.trace)
    }

    @Test("Checking after every step changes nothing that happens")
    func checksDoNotInterfere() {
        var options = RunOptions()
        options.seconds = 6
        options.gateways = 2
        let seldom = History.run(seed: 8, options: options)
        options.checksEveryStep = true
        #expect(History.run(seed: 8, options: options).trace == seldom.trace)
    }
}
