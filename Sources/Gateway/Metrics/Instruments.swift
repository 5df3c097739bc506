import CoreMetrics
import MQTTLink
import Model
import PrometheusMetrics
import Sinks
import Synchronization

/// What this gateway measures while it runs. Everything else on the page of metrics is read from the same state as `covey status`
/// when somebody asks, so that both agree.
final class Instruments: Sendable {
    /// Devices that get lines of their own on the page: some 150 KB. What the others did is told in one sum.
    private static let deviceLimit = 256

    /// Where instruments of other parts may register.
    let exporter = PrometheusExporter(descriptions: descriptions)
    private let commitDuration: Timer
    private let commitReadings: Recorder
    /// By broker: those of the start, and those that a reload brings.
    private let batches: Mutex<[String: BatchInstruments]>
    private let requests: [SinkInstruments]
    private let shownDevices = Mutex<Set<DeviceID>>([])

    private struct BatchInstruments: Sendable {
        let messages: Recorder
        let window: Timer

        init(_ broker: String, _ exporter: PrometheusExporter) {
            let dimensions = [("broker", broker)]
            messages = Recorder(label: "covey_broker_batch_messages", dimensions: dimensions, factory: exporter)
            window = Timer(label: "covey_broker_commit_window", dimensions: dimensions, factory: exporter)
        }
    }

    private struct SinkInstruments: Sendable {
        let accepted: Timer
        let refused: Timer
        let unavailable: Timer
    }

    init(brokers: [String], sinks: [String]) {
        let exporter = exporter
        commitDuration = Timer(label: "covey_commit_duration", factory: exporter)
        commitReadings = Recorder(label: "covey_commit_readings", factory: exporter)
        batches = Mutex(
            Dictionary(
                brokers.map { ($0, BatchInstruments($0, exporter)) }, uniquingKeysWith: { first, _ in first }))
        requests = sinks.map { sink in
            func timer(_ outcome: String) -> Timer {
                Timer(
                    label: "covey_sink_request_duration", dimensions: [("sink", sink), ("outcome", outcome)],
                    factory: exporter)
            }
            return SinkInstruments(
                accepted: timer("accepted"), refused: timer("refused"), unavailable: timer("unavailable"))
        }
    }

    /// The disk has answered, with yes or no.
    func committed(_ readings: Int, in duration: Duration) {
        commitDuration.recordNanoseconds(duration.nanoseconds)
        commitReadings.record(readings)
    }

    /// A broker's batch was acknowledged.
    func acknowledged(_ messages: Int, of broker: String, window: Duration) {
        let instruments = batches.withLock { [exporter] batches in
            if let known = batches[broker] { return known }
            let new = BatchInstruments(broker, exporter)
            batches[broker] = new
            return new
        }
        instruments.messages.record(messages)
        instruments.window.recordNanoseconds(window.nanoseconds)
    }

    func answered(_ outcome: SendOutcome, by sink: Int, in duration: Duration) {
        let instruments = requests[sink]
        let timer =
            switch outcome {
            case .accepted: instruments.accepted
            case .refused: instruments.refused
            case .unavailable: instruments.unavailable
            }
        timer.recordNanoseconds(duration.nanoseconds)
    }

    /// Those of `devices` that have lines of their own. Once shown, always shown: a counter must not go back.
    func shown(of devices: [DeviceID]) -> Set<DeviceID> {
        shownDevices.withLock { shown in
            for device in devices where shown.count < Self.deviceLimit { shown.insert(device) }
            return shown
        }
    }

    private static let descriptions: [String: PrometheusExporter.Description] = [
        "covey_commit_duration_seconds": .init("How long writing and syncing a block took."),
        "covey_commit_readings": .init("Readings that one block made durable."),
        "covey_broker_batch_messages": .init("Messages of a broker that one commit made durable."),
        "covey_broker_commit_window_seconds": .init(
            "The achieved commit window: from a batch's first message to its acknowledgement.",
            buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60]),
        "covey_sink_request_duration_seconds": .init(
            "How long a sink took to answer a batch.", buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]),
    ]
}
