import Glibc
import Model
import TestKit
import Testing

@testable import ClusterLink

@Suite("Links with certificates of somebody's own", .serialized)
struct CertificateTests {
    private static func withCertificates(_ body: (Certificates) async throws -> Void) async throws {
        var template = Array("/tmp/covey-link-certificates-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let made = try await Certificates.make(in: directory)
        defer {
            made.remove()
            rmdir(directory)
        }
        try await body(made)
    }

    private static func files(_ made: Certificates, _ name: String, key: String? = nil) -> CertificateFiles {
        CertificateFiles(
            authority: made.authority, certificate: made.certificate(name), key: made.key(key ?? name))
    }

    private func withPair(
        _ one: CertificateFiles?, _ two: CertificateFiles?, _ body: (RunningLink, RunningLink) async throws -> Void
    ) async throws {
        let first = try await RunningLink(1, certificates: one)
        let second = try await RunningLink(2, certificates: two)
        let result: Result<Void, any Error>
        do { result = .success(try await body(first, second)) } catch { result = .failure(error) }
        await first.stop()
        await second.stop()
        try result.get()
    }

    @Test("exchange frames where one authority has signed both, and datagrams under the group key as ever")
    func goodCertificates() async throws {
        try await Self.withCertificates { made in
            try await withPair(Self.files(made, "server"), Self.files(made, "client")) { one, two in
                one.link.send(frame: [1], to: two.address)
                two.link.send(frame: [2], to: one.address)
                two.link.send(datagram: [3], to: one.address)
                try await two.inbox.wait("a frame") { $0.frames.map(\.bytes) == [[1]] }
                try await one.inbox.wait("both") { $0.frames.map(\.bytes) == [[2]] && $0.datagrams.count == 1 }
                #expect(one.link.counts.refused.isEmpty && two.link.counts.refused.isEmpty)
                #expect(one.link.certificateRemark?.contains("expires on") ?? false)
            }
        }
    }

    @Test("refuse certificates that have expired or are of another authority, both ways, count and name them")
    func badCertificates() async throws {
        try await Self.withCertificates { made in
            for (name, kind, words) in [
                ("expired", "streams with a certificate that has expired", "CN=expired: expired on 20"),
                ("other", "streams with a certificate of another authority", "CN=other: of another authority"),
            ] {
                try await withPair(Self.files(made, "server"), Self.files(made, name)) { good, bad in
                    bad.link.send(frame: [1], to: good.address)
                    try await until("the count of a caller") { good.refused(kind) == 1 }
                    good.link.send(frame: [2], to: bad.address)
                    try await good.inbox.wait("word that it is out of reach") { $0.unreachable == [bad.address] }
                    #expect(good.refused(kind) == 2)
                    #expect(good.link.failure(to: bad.address)?.contains("who answers there shows \(words)") ?? false)
                    let named = good.link.counts.certificates
                    #expect(named.count == 2 && named.allSatisfy { $0.hasPrefix(words) }, "\(named)")
                    #expect(good.inbox.now.frames.isEmpty && bad.inbox.now.frames.isEmpty)
                }
            }
        }
    }

    @Test("have nothing to say to one whose certificate is minted from the key, nor he to them")
    func minted() async throws {
        try await Self.withCertificates { made in
            try await withPair(Self.files(made, "server"), nil) { one, other in
                one.link.send(frame: [1], to: other.address)
                other.link.send(frame: [2], to: one.address)
                try await one.inbox.wait("word that it is out of reach") { !$0.unreachable.isEmpty }
                try await other.inbox.wait("word that it is out of reach") { !$0.unreachable.isEmpty }
                #expect(one.inbox.now.frames.isEmpty && other.inbox.now.frames.isEmpty)
                #expect(one.refused("of another authority") >= 1)
            }
        }
    }

    @Test("take other certificates over while they run, and keep those of before where the new ones are bad")
    func renewal() async throws {
        try await Self.withCertificates { made in
            var changing = Self.files(made, "server")
            changing.certificate = made.directory + "/now.pem"
            changing.key = made.directory + "/now.key"
            func put(_ name: String, key: String) {
                _ = system("cp '\(made.certificate(name))' '\(changing.certificate)'")
                _ = system("cp '\(made.key(key))' '\(changing.key)'")
            }
            defer { for path in [changing.certificate, changing.key] { unlink(path) } }
            put("expired", key: "expired")
            try await withPair(changing, Self.files(made, "client")) { one, two in
                #expect(one.link.certificateRemark?.contains("has expired on") ?? false)
                one.link.send(frame: [1], to: two.address)
                try await until("the count") { two.refused("has expired") == 1 }
                put("server", key: "client")
                #expect(throws: LinkError.self) { try one.link.renewCertificates() }
                put("server", key: "server")
                #expect(try one.link.renewCertificates())
                #expect(try one.link.renewCertificates() == false)
                try await one.inbox.wait("the end of the first stream") { !$0.unreachable.isEmpty }
                one.link.send(frame: [2], to: two.address)
                try await two.inbox.wait("a frame") { $0.frames.map(\.bytes) == [[2]] }
            }
        }
    }

    @Test("are checked: files, pair, authority, and what is left of their time")
    func findings() async throws {
        try await Self.withCertificates { made in
            func found(_ files: CertificateFiles) -> [CertificateFinding] { files.findings() }
            // Ten days are left.
            let good = found(Self.files(made, "server"))
            #expect(good.map(\.file) == [.certificate] && good.allSatisfy { !$0.isFault }, "\(good)")
            #expect(good.first?.text.contains("days") ?? false)
            let pair = found(Self.files(made, "server", key: "client"))
            #expect(pair.contains { $0.file == .key && $0.isFault && $0.text.contains("is not the key of") })
            let expired = found(Self.files(made, "expired"))
            #expect(expired.contains { $0.file == .certificate && $0.isFault && $0.text.contains("has expired on") })
            let foreign = found(Self.files(made, "other"))
            #expect(foreign.contains { $0.isFault && $0.text.contains("is not signed by an authority in") })
            var missing = Self.files(made, "server")
            missing.authority = made.directory + "/none.pem"
            #expect(found(missing).map(\.file) == [.authority])
            missing = Self.files(made, "server")
            missing.certificate = missing.key
            #expect(found(missing).map(\.text).first?.contains("holds no certificate in PEM form") ?? false)
            missing = Self.files(made, "server")
            missing.key = made.authority
            #expect(found(missing).contains { $0.file == .key && $0.isFault })
        }
    }
}
