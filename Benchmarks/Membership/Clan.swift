import BenchmarkKit
import Glibc
import Synchronization
import TestKit

/// What one node said of another, when.
struct Word: Sendable {
    enum Kind: Sendable {
        case joined
        case suspected
        case died
    }

    /// Seconds of the monotonic clock.
    let at: Double
    let observer: Int
    let subject: Int
    let kind: Kind
}

/// The two programs that are compared: how to run one node, and how it tells what it sees.
enum Contender: String, CaseIterable, Sendable {
    case covey
    case serf

    /// What a line of the log of one node says of another; nodes are named `g0`, `g1`, …
    func read(_ line: String) -> (subject: Int, kind: Word.Kind)? {
        let signs: [(String, String, Word.Kind)] =
            switch self {
            case .covey:
                [
                    ("gateway g", " is alive", .joined), ("gateway g", " does not answer", .suspected),
                    ("gateway g", " is dead", .died),
                ]
            case .serf:
                [
                    ("EventMemberJoin: g", "", .joined), ("memberlist: Suspect g", " has failed", .suspected),
                    ("EventMemberFailed: g", "", .died),
                ]
            }
        for (before, behind, kind) in signs where behind.isEmpty || line.contains(behind) {
            guard let place = line.firstRange(of: before) else { continue }
            guard let number = Int(line[place.upperBound...].prefix { $0.isNumber }) else { continue }
            return (number, kind)
        }
        return nil
    }
}

/// Nodes of one program, each in a network namespace of its own.
final class Clan: Sendable {
    let contender: Contender
    let count: Int
    let network: LabNetwork
    private let folder: String
    private let key: String
    private let said = Mutex<[Word]>([])
    private let processes: Mutex<[ChildProcess?]>

    init(_ contender: Contender, _ count: Int) async throws {
        self.contender = contender
        self.count = count
        network = try await LabNetwork(count)
        folder = try Files.makeFolder()
        processes = Mutex(Array(repeating: nil, count: count))
        switch contender {
        case .covey:
            key = folder + "/key"
            let made = try ChildProcess(Files.sibling("covey"), ["key", "generate", key])
            guard await made.ending() == .exited(0) else { throw ChildFailure(description: "no key") }
        case .serf:
            let made = try ChildProcess(Self.serf, ["keygen"])
            guard await made.ending() == .exited(0), let line = made.log.first else {
                throw ChildFailure(description: "serf keygen failed: install the package serf")
            }
            key = line
        }
    }

    private static let serf = "/usr/bin/serf"

    func start(_ index: Int) throws {
        let place = LabNetwork.Place(index)
        let program: [String]
        switch contender {
        case .covey:
            let file = "\(folder)/g\(index).toml"
            try Files.write(configuration(index), to: file)
            program = [Files.sibling("covey"), "run", "--config", file]
        case .serf:
            let address = network.address(place)
            // Encrypted as the other is; all else as it comes.
            program =
                [Self.serf, "agent", "-node", "g\(index)", "-bind", "\(address):7946", "-encrypt", key]
                + ["-retry-interval", "1s"] + seeds.flatMap { ["-retry-join", $0] }
        }
        let words = network.wrapper(place) + program
        let contender = contender
        let process = try ChildProcess(words[0], Array(words.dropFirst())) { [weak self] line in
            guard let (subject, kind) = contender.read(line), subject != index else { return }
            self?.said.withLock {
                $0.append(Word(at: monotonicSeconds(), observer: index, subject: subject, kind: kind))
            }
        }
        processes.withLock { $0[index] = process }
    }

    private var seeds: [String] { (0..<min(3, count)).map { network.address(LabNetwork.Place($0)) } }

    private func configuration(_ index: Int) -> String {
        """
        [gateway]
        name = "g\(index)"
        data_dir = "\(folder)/g\(index)"
        clock = "always"
        [api]
        socket = "\(folder)/g\(index).sock"
        [storage]
        ring_size = "32 MiB"
        [cluster]
        listen = "0.0.0.0:8472"
        advertise = "\(network.address(LabNetwork.Place(index))):8472"
        seeds = [\(seeds.map { "\"\($0):8472\"" }.joined(separator: ", "))]
        key_file = "\(key)"

        """
    }

    func kill(_ index: Int) async { await processes.withLock { $0[index] }?.kill() }

    func send(_ signal: Int32, to index: Int) { processes.withLock { $0[index] }?.send(signal) }

    /// Everything said from a moment on.
    func words(since moment: Double) -> [Word] { said.withLock { $0.filter { $0.at >= moment } } }

    /// Waits until `isEnough` of what was said since `moment`; `false` where that takes too long.
    func wait(since moment: Double, seconds: Double, _ isEnough: ([Word]) -> Bool) async throws -> Bool {
        let end = monotonicSeconds() + seconds
        while !isEnough(words(since: moment)) {
            guard monotonicSeconds() < end else { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    func usage() throws -> [Usage] {
        try processes.withLock { $0 }.compactMap { try $0.map { try Usage(of: $0.processID) } }
    }

    func end() async {
        for index in 0..<count { await kill(index) }
        await network.remove()
        Files.remove(folder)
    }
}
