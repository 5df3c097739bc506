import FoundationEssentials
import Glibc
import Synchronization
import TestKit

/// Two machines on one network: each a place of the lab with its own D-Bus and, where it is wanted, its own Avahi.
final class AvahiNetwork: Sendable {
    let directory: String
    let machines: [Machine]

    init() async throws {
        for program in ["/usr/sbin/avahi-daemon", "/usr/bin/dbus-daemon"] where access(program, X_OK) != 0 {
            throw ChildFailure(description: "\(program) is missing: install avahi-daemon and dbus")
        }
        var template = Array("/tmp/covey-mdns-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ChildFailure(description: "no folder in /tmp can be made") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.directory = directory
        let network = try await LabNetwork(2)
        machines = network.places.map { Machine(at: $0, of: network, directory: directory) }
        for machine in machines { try await machine.startBus() }
    }

    deinit {
        for machine in machines { machine.end() }
        // A network's folder is a tree; there is nothing else in it.
        _ = system("rm -rf '\(directory)'")
    }
}

/// One machine of a ``AvahiNetwork``, with one gateway.
final class Machine: Sendable {
    let name: String
    private let network: LabNetwork
    private let place: LabNetwork.Place
    private let directory: String
    private let processes = Mutex<[String: ChildProcess]>([:])

    init(at place: LabNetwork.Place, of network: LabNetwork, directory: String) {
        name = "machine\(place.number)"
        self.network = network
        self.place = place
        self.directory = directory
    }

    var gateway: ChildProcess? { processes.withLock { $0["gateway"] } }

    private var socket: String { "\(directory)/\(name).sock" }

    /// On this machine; gone with the test, however that ends.
    private func start(_ what: String, _ command: [String]) throws -> ChildProcess {
        let bus = ["/usr/bin/env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=\(directory)/\(name).bus"]
        let words = network.wrapper(place) + bus + command
        let process = try ChildProcess(words[0], Array(words.dropFirst()))
        processes.withLock { $0[what] = process }
        return process
    }

    func startBus() async throws {
        let configuration = "\(directory)/\(name).bus.conf"
        let allowed = ["own=\"*\"", "send_destination=\"*\"", "receive_sender=\"*\""].map { "<allow \($0)/>" }
        let text = """
            <busconfig>
              <type>system</type>
              <listen>unix:path=\(directory)/\(name).bus</listen>
              <auth>EXTERNAL</auth>
              <policy context="default"><allow user="*"/>\(allowed.joined())</policy>
            </busconfig>

            """
        try MosquittoBroker.write(text, to: configuration)
        let bus = try start(
            "bus",
            [
                "/usr/bin/dbus-daemon", "--config-file=\(configuration)", "--nofork", "--nopidfile",
                "--print-address=1",
            ])
        guard await bus.waitForLog(containing: "unix:path=") else {
            throw ChildFailure(description: "dbus-daemon ended: \(bus.log.joined(separator: "; "))")
        }
    }

    /// Avahi keeps one file for its process id on a machine; here each has a folder of its own in that place.
    func startAvahi() async throws {
        let configuration = "\(directory)/\(name).avahi.conf"
        let text = """
            [server]
            host-name=\(name)
            use-ipv6=no
            [wide-area]
            enable-wide-area=no
            [publish]
            publish-workstation=no

            """
        try MosquittoBroker.write(text, to: configuration)
        let avahi = try start(
            "avahi",
            [
                "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
                "mkdir -p /run/avahi-daemon && mount -t tmpfs tmpfs /run/avahi-daemon && exec \"$@\"", "sh",
                "/usr/sbin/avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "--file=\(configuration)",
            ])
        guard await avahi.waitForLog(containing: "Server startup complete") else {
            throw ChildFailure(description: "avahi-daemon ended: \(avahi.log.joined(separator: "; "))")
        }
    }

    func stopAvahi() async { _ = await processes.withLock { $0["avahi"] }?.terminate() }

    /// A gateway without seeds.
    func startGateway(key: String) async throws {
        let text = """
            [gateway]
            name     = "\(name)"
            data_dir = "\(directory)/\(name)"
            clock    = "always"
            [api]
            socket = "\(socket)"
            [storage]
            ring_size = "32 MiB"
            [cluster]
            mdns     = true
            key_file = "\(key)"

            """
        try MosquittoBroker.write(text, to: "\(directory)/\(name).toml")
        let gateway = try start("gateway", [Site.program, "run", "--config", "\(directory)/\(name).toml"])
        guard await gateway.waitForLog(containing: "is ready") else {
            throw ChildFailure(description: "\(name) ended: \(gateway.log.joined(separator: "; "))")
        }
    }

    func stopGateway() async { _ = await gateway?.terminate() }

    func status() async throws -> Status {
        let asked = try ChildProcess(Site.program, ["status", "--json", "--socket", socket])
        _ = await asked.ending()
        let text = asked.log.joined(separator: "\n")
        do {
            return try JSONDecoder().decode(Status.self, from: Data(text.utf8))
        } catch {
            throw ChildFailure(description: "status of \(name): \(error): \(text.prefix(300))")
        }
    }

    func end() {
        for (_, process) in processes.withLock(\.self) { process.send(SIGKILL) }
    }
}
