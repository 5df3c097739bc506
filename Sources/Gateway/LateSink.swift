import Model
import Sinks
import Synchronization

/// A sink whose files are not there yet, as a certificate that somebody still has to bring. It costs its own uploads and nothing else:
/// every send tries to make it anew, and says what is missing until that works.
final class LateSink: Sink {
    private let make: @Sendable () throws(GatewayError) -> any Sink
    private let made = Mutex<(any Sink)?>(nil)

    init(_ make: @escaping @Sendable () throws(GatewayError) -> any Sink) {
        self.make = make
    }

    func send(_ batch: NativeBatch) async -> SendOutcome {
        if let sink = made.withLock({ $0 }) { return await sink.send(batch) }
        do throws(GatewayError) {
            let sink = try make()
            made.withLock { $0 = sink }
            return await sink.send(batch)
        } catch {
            return .unavailable(reason: error.description, retryAfter: nil)
        }
    }
}
