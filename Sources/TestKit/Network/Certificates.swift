import Glibc

/// Certificates of a small authority, made anew for each test.
package struct Certificates: Sendable {
    package let directory: String

    /// - Parameter directory: Where its files are.
    package init(directory: String) {
        self.directory = directory
    }

    package var authority: String { "\(directory)/ca.pem" }
    package var otherAuthority: String { "\(directory)/other.pem" }

    package func certificate(_ name: String) -> String { "\(directory)/\(name).pem" }
    package func key(_ name: String) -> String { "\(directory)/\(name).key" }

    package static func make(in directory: String) async throws -> Certificates {
        let made = Certificates(directory: directory)
        try MosquittoBroker.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n", to: "\(directory)/names")
        try await made.makeAuthority("ca")
        try await made.makeAuthority("other")
        try await made.sign("server", days: 10, names: true)
        try await made.sign("client", days: 10, names: false)
        // Its last day was yesterday.
        try await made.sign("expired", days: -1, names: true)
        return made
    }

    package func remove() {
        for name in ["ca", "other", "server", "client", "expired"] {
            for ending in ["pem", "key", "csr", "srl"] { _ = unlink("\(directory)/\(name).\(ending)") }
        }
        _ = unlink("\(directory)/names")
    }

    private func makeAuthority(_ name: String) async throws {
        try await Self.openssl(
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "10",
                "-subj", "/CN=\(name)", "-keyout", key(name), "-out", certificate(name),
            ])
    }

    private func sign(_ name: String, days: Int, names: Bool) async throws {
        let request = "\(directory)/\(name).csr"
        try await Self.openssl(
            [
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=\(name)",
                "-keyout", key(name), "-out", request,
            ])
        try await Self.openssl(
            [
                "x509", "-req", "-in", request, "-CA", authority, "-CAkey", key("ca"), "-CAcreateserial", "-days",
                "\(days)", "-out", certificate(name),
            ] + (names ? ["-extfile", "\(directory)/names"] : []))
    }

    private static func openssl(_ arguments: [String]) async throws {
        let process = try ChildProcess("/usr/bin/openssl", arguments)
        guard await process.ending() == .exited(0) else {
            let said = process.log.joined(separator: "; ")
            throw ChildFailure(description: "openssl \(arguments.joined(separator: " ")): \(said)")
        }
    }
}
