import HTTPSinks
import Model
import Sinks
import TestKit
import Testing

@testable import HTTPSinks

@Suite struct TLSTests {
    /// Sends one batch to a receiver with this certificate; gives the outcome.
    private func send(
        to pair: Certificates.Pair, clientCA: String? = nil, _ change: (inout HTTPSinkConfiguration) -> Void
    ) async throws -> SendOutcome {
        var outcome = SendOutcome.refused(reason: "not sent")
        let tls = ReceiverTLS(certFile: pair.cert, keyFile: pair.key, clientCAFile: clientCA)
        try await withReceiver(tls: tls) { receiver, port, transport in
            let sink = try sink(port, transport) {
                $0.url = "https://localhost:\(port)/v1/readings"
                change(&$0)
            }
            outcome = await sink.send(batch(4))
            #expect(receiver.snapshot().readings == (outcome == .accepted ? 4 : 0))
        }
        return outcome
    }

    @Test func aCertificateOfATrustedAuthorityIsAccepted() async throws {
        let certificates = try Certificates()
        let pair = try certificates.issue("good", for: "localhost")
        let ca = certificates.ca
        #expect(try await send(to: pair) { $0.caFile = ca } == .accepted)
    }

    @Test func aCertificateForAnotherNameIsNamed() async throws {
        let certificates = try Certificates()
        let pair = try certificates.issue("other", for: "elsewhere.example")
        let ca = certificates.ca
        let words = reason(try await send(to: pair) { $0.caFile = ca })
        #expect(words == "TLS: the sink's certificate is for another name")
    }

    @Test func anExpiredCertificateIsNamedWithItsDate() async throws {
        let certificates = try Certificates()
        let dates = ("20240101000000Z", "20240201000000Z")
        let pair = try certificates.issue("expired", for: "localhost", dates: dates)
        let ca = certificates.ca
        let words = reason(try await send(to: pair) { $0.caFile = ca })
        #expect(words == "TLS: the sink's certificate has expired on 2024-02-01T00:00:00.000Z")
    }

    @Test func aCertificateOfTheFutureAsksForTheClock() async throws {
        let certificates = try Certificates()
        let dates = ("20480101000000Z", "20480201000000Z")
        let pair = try certificates.issue("future", for: "localhost", dates: dates)
        let ca = certificates.ca
        let words = reason(try await send(to: pair) { $0.caFile = ca })
        #expect(words.contains("is this board's clock right?"), "\(words)")
    }

    @Test func aCertificateOfAStrangerIsNotTrusted() async throws {
        let certificates = try Certificates()
        let pair = try certificates.issue("good", for: "localhost")
        let words = reason(try await send(to: pair) { _ in })
        #expect(words.contains("no authority that we trust"), "\(words)")
    }

    @Test func aClientCertificateIsPresentedWhereItIsAsked() async throws {
        let certificates = try Certificates()
        let pair = try certificates.issue("good", for: "localhost")
        let client = try certificates.issue("client", for: "greenhouse-a")
        let ca = certificates.ca
        let with = try await send(to: pair, clientCA: ca) {
            $0.caFile = ca
            $0.certFile = client.cert
            $0.keyFile = client.key
        }
        #expect(with == .accepted)
        let without = reason(try await send(to: pair, clientCA: ca) { $0.caFile = ca })
        #expect(without.contains("client certificate") || without.contains("closed"), "\(without)")
    }

    @Test func theTimeIsToldFromTheCertificateAlone() {
        #expect(CertificateDiagnosis.words(validFrom: 10, validTo: 20, now: 15) == nil)
        let late = CertificateDiagnosis.words(validFrom: 10, validTo: 20, now: 21)
        #expect(late?.contains("1970-01-01T00:00:20") == true)
        #expect(CertificateDiagnosis.words(validFrom: 10, validTo: 20, now: 9)?.contains("clock") == true)
    }
}
