package import Model
import Synchronization

/// One reading as it came over the wire.
package struct ReceivedReading: Hashable, Sendable {
    package let gateway: String
    /// 32 hexadecimal digits.
    package let node: String
    /// 16 hexadecimal digits.
    package let log: String
    package let offset: UInt64
    package let device: String
    package let metric: String
    package let unit: String?
    package let time: Milliseconds
    package let value: Value
    package let quality: String

    /// Node, log and offset: what makes a double.
    package var key: String { "\(node)/\(log)/\(offset)" }
}

/// What a receiver has seen.
package struct ReceiverSnapshot: Hashable, Sendable {
    package var requests = 0
    /// Batches that were stored.
    package var batches = 0
    /// Distinct readings.
    package var readings = 0
    /// The same, by device.
    package var byDevice: [String: Int] = [:]
    /// Readings that came again.
    package var duplicates = 0
    /// Requests with `Content-Encoding: gzip`.
    package var compressed = 0
    /// Violations of the contract, in words; the first ``ReceiverStore/faultsKept``.
    package var faults: [String] = []
    /// Headers of the newest request, names in lower case.
    package var headers: [String: String] = [:]
    /// Readings, those that came again among them, by log and then by who brought them, as the header `X-Brought-By` says.
    package var brought: [String: [String: Int]] = [:]
}

/// The receiver's memory. Doubles are removed per reading, as the contract asks of every receiver.
final class ReceiverStore: Sendable {
    /// One fault says what is wrong; a few more say how often.
    static let faultsKept = 20

    private struct State {
        var mode = ReceiverMode.accept
        var latency: Int64 = 0
        var snapshot = ReceiverSnapshot()
        var readings: [ReceivedReading] = []
        var places: [String: Int] = [:]
        var waiters: [Waiter] = []
    }

    private struct Waiter {
        let condition: @Sendable (ReceiverSnapshot) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private let state = Mutex(State())
    private let taker: HTTPReceiver.Taker?

    init(taker: HTTPReceiver.Taker? = nil) {
        self.taker = taker
    }

    var mode: ReceiverMode {
        get { state.withLock { $0.mode } }
        set { state.withLock { $0.mode = newValue } }
    }

    var latency: Int64 {
        get { state.withLock { $0.latency } }
        set { state.withLock { $0.latency = newValue } }
    }

    func snapshot() -> ReceiverSnapshot { state.withLock { $0.snapshot } }
    func readings() -> [ReceivedReading] { state.withLock { $0.readings } }

    func began(headers: [String: String]) {
        change { state in
            state.snapshot.requests += 1
            state.snapshot.headers = headers
            if headers["content-encoding"] == "gzip" { state.snapshot.compressed += 1 }
        }
    }

    func fault(_ text: String) {
        change { Self.note(text, &$0) }
    }

    /// `headers`: of the request that brought the batch.
    func store(_ batch: [ReceivedReading], headers: [String: String]) {
        change { state in
            state.snapshot.batches += 1
            if let log = batch.first?.log {
                state.snapshot.brought[log, default: [:]][headers["x-brought-by"] ?? "", default: 0] += batch.count
            }
            if let taker {
                let new = taker(batch, headers)
                state.snapshot.readings += new
                state.snapshot.duplicates += batch.count - new
                return
            }
            for reading in batch {
                guard let place = state.places[reading.key] else {
                    state.places[reading.key] = state.readings.count
                    state.readings.append(reading)
                    state.snapshot.byDevice[reading.device, default: 0] += 1
                    continue
                }
                state.snapshot.duplicates += 1
                if state.readings[place] != reading {
                    Self.note("\(reading.key) came again with other content", &state)
                }
            }
            state.snapshot.readings = state.readings.count
        }
    }

    func wait(until condition: @escaping @Sendable (ReceiverSnapshot) -> Bool) async {
        await withCheckedContinuation { continuation in
            change { $0.waiters.append(Waiter(condition: condition, continuation: continuation)) }
        }
    }

    private static func note(_ text: String, _ state: inout State) {
        if state.snapshot.faults.count < faultsKept { state.snapshot.faults.append(text) }
    }

    /// Changes the state, then wakes those whose condition has come true.
    private func change(_ body: (inout sending State) -> Void) {
        let woken = state.withLock { state in
            body(&state)
            let snapshot = state.snapshot
            let ready = state.waiters.filter { $0.condition(snapshot) }.map(\.continuation)
            state.waiters.removeAll { $0.condition(snapshot) }
            return ready
        }
        for continuation in woken { continuation.resume() }
    }
}
