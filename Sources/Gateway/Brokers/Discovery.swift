import TOMLConfiguration
import Devices
import Environment
import KeyValue
import Logging
import Model
import Supervision

/// Devices that a topic with `{device}` brought: they get a place in the tree and are remembered, so that after a restart they are known,
/// and known to be silent, before they speak again.
struct Discovery: Sendable {
    struct Find: Sendable {
        let device: DeviceID
        /// The configured id that it came by, such as `z-{device}`.
        let pattern: String
    }

    let store: any KeyValueStore
    let log: LimitedLog
    /// As many as a gateway may have: none is lost between the feed that finds it and the child that places it.
    let finds = Mailbox<Find>(capacity: Limits.devices, overflow: .refuse)

    /// The supervised child: places and remembers what was found, many at a time.
    func run(_ context: ChildContext, place: @Sendable (DeviceID) async throws -> Void) async throws {
        while let batch = try await finds.next(upTo: 256) {
            context.heartbeat()
            for find in batch {
                log.line(
                    .info, source: "discovery", burst: 20, "device \(find.device) appeared (\(find.pattern))")
                try await place(find.device)
            }
            do {
                try await store.apply(
                    batch.map { .put(.devices, key: $0.device.rawValue, value: Array($0.pattern.utf8)) })
            } catch {
                log.line(
                    .warning, source: "discovery store", count: batch.count,
                    "a new device could not be remembered: \(error.message)")
            }
        }
    }

    /// The devices found in earlier runs, by name.
    func remembered() async throws(KeyValueError) -> [Find] {
        try await store.scan(.devices, prefix: "", limit: Limits.devices).compactMap { entry in
            DeviceID(validating: entry.key).map {
                Find(device: $0, pattern: String(decoding: entry.value, as: UTF8.self))
            }
        }
    }
}
