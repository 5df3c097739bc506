import Environment
import HTTPSinks
import Model
import Sinks
import TestKit
import Testing

let testNode = NodeID(high: 1, low: 2)
let testLog = LogID(0x4BE1)

/// `count` readings from `base`; those at the offsets of `poison` are of a device `poison`.
func batch(_ count: Int, base: UInt64 = 0, log: LogID = testLog, poison: Set<UInt64> = []) -> NativeBatch {
    let items = (0..<UInt64(count)).map { index in
        let offset = base + index
        let device = DeviceID(poison.contains(offset) ? "poison" : "soil-3")
        return NativeBatch.Item(
            offset: Offset(offset), series: Series(device: device, metric: "moisture", unit: "%"),
            time: Milliseconds(1_763_700_000_000 + Int64(offset)), value: .number(Double(offset) / 4), quality: .good)
    }
    return NativeBatch(node: testNode, gateway: "greenhouse-a", log: log, base: Offset(base), items: items)
}

/// The words of an `unavailable` outcome; empty for others.
func reason(_ outcome: SendOutcome) -> String {
    if case .unavailable(let reason, _) = outcome { return reason }
    return ""
}

/// Runs `body` with a receiver and a transport, and shuts both down.
func withReceiver(
    tls: ReceiverTLS? = nil, _ body: (HTTPReceiver, Int, HTTPTransport) async throws -> Void
) async throws {
    let receiver = HTTPReceiver(tls: tls)
    let port = try await receiver.start()
    let transport = HTTPTransport()
    let result: Result<Void, any Error>
    do { result = .success(try await body(receiver, port, transport)) } catch { result = .failure(error) }
    await transport.shutdown()
    await receiver.stop()
    try result.get()
}

func sink(
    _ port: Int, _ transport: HTTPTransport, _ change: (inout HTTPSinkConfiguration) -> Void = { _ in }
) throws -> HTTPSink {
    var configuration = HTTPSinkConfiguration(url: "http://127.0.0.1:\(port)/v1/readings")
    change(&configuration)
    return try HTTPSink(configuration, transport: transport)
}
