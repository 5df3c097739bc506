import Glibc
import TestKit
import Testing

/// Sinks that are bad in a way of their own each, and one gateway that uploads to them all and to the good one.
final class BadSinks: Sendable {
    let bench: Bench
    /// By the row's place in the table.
    private let receivers: [Int: HTTPReceiver]
    private let folder: Folder
    private let certificates: Certificates

    init() async throws {
        folder = try Folder()
        certificates = try await Certificates.make(in: folder.path)
        var receivers: [Int: HTTPReceiver] = [:]
        var more = """
            [[device]]
            id      = "poison"
            driver  = "mqtt"
            topic   = "poison"
            decoder = "number"

            """
        for (index, row) in SinkRow.rows.enumerated() {
            let (receiver, lines) = try await Self.place(row, certificates)
            receivers[index] = receiver
            more += """
                [[upload]]
                name     = "\(row.sink)"
                sink     = "http"
                required = false
                linger   = "50 ms"
                timeout  = "1 s"
                \(lines)

                """
        }
        self.receivers = receivers
        bench = Bench(try await Site(more: more))
    }

    func receiver(_ index: Int) -> HTTPReceiver? { receivers[index] }

    /// Makes well what can be made well.
    func cure() throws {
        for (index, row) in SinkRow.rows.enumerated() where row.isCurable {
            receivers[index]?.mode = .accept
            guard case .authorityMissing = row.place else { continue }
            guard symlink(certificates.authority, folder.path + "/late.pem") == 0 else {
                throw ChildFailure(description: "no link in \(folder.path)")
            }
        }
    }

    func end() async {
        await bench.site.end()
        for receiver in receivers.values { await receiver.stop() }
    }

    /// - Returns: The receiver, where there is one, and the lines of its section that say where it is.
    private static func place(
        _ row: SinkRow, _ certificates: Certificates
    ) async throws -> (receiver: HTTPReceiver?, lines: String) {
        switch row.place {
        case .receiver(let mode):
            let receiver = HTTPReceiver()
            receiver.mode = mode
            return (receiver, "url = \"http://127.0.0.1:\(try await receiver.start())/\"")
        case .plainAsSecure:
            let receiver = HTTPReceiver()
            return (receiver, "url = \"https://127.0.0.1:\(try await receiver.start())/\"")
        case .secure(let name): return try await secure(name, authority: certificates.authority, certificates)
        case .authorityMissing:
            return try await secure("server", authority: certificates.directory + "/late.pem", certificates)
        case .url(let url): return (nil, "url = \"\(url)\"")
        case .closedPort:
            // Taken and given back: nobody listens there.
            let relay = Relay(to: 1)
            relay.cut()
            return (nil, "url = \"http://127.0.0.1:\(relay.port)/\"")
        }
    }

    private static func secure(
        _ name: String, authority: String, _ certificates: Certificates
    ) async throws -> (receiver: HTTPReceiver?, lines: String) {
        let tls = ReceiverTLS(certFile: certificates.certificate(name), keyFile: certificates.key(name))
        let receiver = HTTPReceiver(tls: tls)
        let port = try await receiver.start()
        return (receiver, "url = \"https://localhost:\(port)/\"\nca_file = \"\(authority)\"")
    }
}

/// All sinks of the rows, bad from the beginning.
struct SinksGoBad: SuiteTrait, TestScoping {
    @TaskLocal static var sinks: BadSinks?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let sinks = try await BadSinks()
        try await sinks.bench.site.start()
        try await sinks.bench.letNeighbourSpeak()
        try await sinks.bench.publish([("poison", [0x37])])
        try await sinks.bench.letNeighbourSpeak()
        try await Self.$sinks.withValue(sinks) { try await function() }
        try await sinks.bench.letNeighbourSpeak()
        try await sinks.bench.verify()
        await sinks.end()
    }
}
